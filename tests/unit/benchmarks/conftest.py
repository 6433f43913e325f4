from __future__ import annotations

import sys
from pathlib import Path

# As `linacre bench` runs them: their folder is the first on the path.
sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))
