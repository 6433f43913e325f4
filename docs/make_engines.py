"""Makes docs/reference/engines.md from the engines' own words: `python docs/make_engines.py`."""

from __future__ import annotations

from pathlib import Path

from linacre.base.paths import FacilityPaths
from linacre.engines.base import Capability, Engine
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.process.engine import ProcessEngine

PAGE = Path(__file__).parent / "reference/engines.md"

HEAD = """\
# Engines

*Made from the code by `docs/make_engines.py`; do not edit it by hand.*

An engine runs a facility's machines. `engine` in the facility file names it; `engine: auto`, the
default, takes `incus` where it can run here and `process` elsewhere, and says so in one line. A
facility stays with the engine that it came up on until `linacre down --purge`.

- `incus`: machines are unprivileged system containers on virtual bridges, through the system's
  Incus, one elsewhere (`url`), or a private daemon that Linacre starts. Incus 6.0 or later.
- `process`: machines are processes of this host, under procServ, on loopback addresses. For
  laptops, continuous integration and quick tests. See [the process engine](../explanations/\
process-engine.md).

## What each can do
"""

TAIL = """\
Some of what an engine cannot do is refused where a facility file or a command asks for it: one line
names the engine, what it cannot do and what would serve instead, and the exit status is 2. Log-in
(`access`) and limits do no harm where they are missing: `up` says that they are not applied, and
goes on.
"""


def engines() -> list[Engine]:
    """Return every engine, none of them opened."""
    nowhere = FacilityPaths(Path("/nonexistent"))
    return [IncusEngine("docs", nowhere, IncusSettings()), ProcessEngine("docs", nowhere)]


def page() -> str:
    """Return the page."""
    there = engines()
    head = ["capability", *(f"`{engine.name}`" for engine in there)]
    rows = [
        [capability.value, *("yes" if capability in e.capabilities() else "no" for e in there)]
        for capability in Capability
    ]
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{HEAD}\n{table}\n\n{TAIL}"


if __name__ == "__main__":
    PAGE.write_text(page())
