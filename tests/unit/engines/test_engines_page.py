"""The page of engines is what the engines say of themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

from linacre.engines.base import Capability

DOCS = Path(__file__).parents[3] / "docs"


def test_page_is_what_the_engines_say() -> None:
    made = runpy.run_path(str(DOCS / "make_engines.py"))["page"]()
    assert (DOCS / "reference/engines.md").read_text() == made, "run docs/make_engines.py"


def test_every_capability_is_some_engines() -> None:
    engines = runpy.run_path(str(DOCS / "make_engines.py"))["engines"]()
    assert frozenset(Capability) == frozenset().union(*(e.capabilities() for e in engines))
