import sys
from pathlib import Path

# One set of helpers for both folders of real IOCs.
sys.path.insert(0, str(Path(__file__).parents[1] / "epics"))

from epics_support import programs, start

__all__ = ["programs", "start"]
