"""The conditions of a measurement, printed beside every figure."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import linacre
from linacre.engines.incus.daemon import program
from linacre.images.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]


def say(line: str) -> None:
    """Show one line of progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def conditions(*, engine: str, n: int) -> dict[str, Any]:
    """Return where, when and with what a measurement is made."""
    incus = program() if engine == "incus" else None
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "system": _system(),
        "kernel": platform.release(),
        "cpu": _first_value("/proc/cpuinfo", "model name"),
        "cores": len(_lines("/proc/cpuinfo", "processor")),
        "memory_bytes": memory()["MemTotal"],
        "load_average_before": [float(w) for w in Path("/proc/loadavg").read_text().split()[:3]],
        "python": platform.python_version(),
        "linacre": linacre.__version__,
        "revision": _output("git", "-C", str(ROOT), "describe", "--always", "--dirty") or None,
        "engine": engine,
        "incus": _output(str(incus), "--version") if incus else None,
        "image_digest": Recipe.load("ioc").digest() if engine == "incus" else None,
        "n": n,
    }


def memory() -> dict[str, int]:
    """Return /proc/meminfo in bytes."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


def _lines(file: str, key: str) -> list[str]:
    return [line for line in Path(file).read_text().splitlines() if line.startswith(key)]


def _first_value(file: str, key: str) -> str | None:
    found = _lines(file, key)
    return found[0].partition(":")[2].strip() if found else None


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())


def _output(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()
