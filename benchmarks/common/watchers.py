"""Clients at a facility's desk that watch a PV all the time, and what they have seen."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

_WATCH = Path(__file__).parent / "watch.py"


@dataclass
class Watcher:
    """A watcher and what it has seen."""

    process: subprocess.Popen[str]
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def read(self) -> None:
        """Take what it tells, to its end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.seen.append(json.loads(line))

    def times(self) -> list[float]:
        """Return when there was something to see."""
        return sorted(each.get("begun", each["at"]) for each in [*self.seen] if "at" in each)

    def gap(self, begin: float, end: float) -> float:
        """Return the longest time in which nothing was seen, from just before `begin` to `end`."""
        times = self.times()
        before = [at for at in times if at < begin][-1:]
        inside = [at for at in times if begin <= at < end]
        marks = [*before, *inside, *([] if inside else [end])]
        return max((b - a for a, b in pairwise(marks)), default=end - begin)


@contextmanager
def watching(role: str, desk: int, *arguments: str) -> Generator[Watcher]:
    """Watch in a role of `watch.py`, in the network of a machine whose init is given."""
    argv = ["nsenter", f"--net=/proc/{desk}/ns/net", sys.executable, "-Wignore", str(_WATCH)]
    process = subprocess.Popen(
        [*argv, role, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    watcher = Watcher(process)
    thread = threading.Thread(target=watcher.read, daemon=True)
    thread.start()
    try:
        yield watcher
    finally:
        process.kill()
        process.wait()
        thread.join(timeout=5)
