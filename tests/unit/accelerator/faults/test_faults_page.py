"""The page of faults is what the table and the example say."""

from __future__ import annotations

import runpy
from pathlib import Path

from linacre.accelerator.faults.table import FAULTS

DOCS = Path(__file__).parents[4] / "docs"


def test_the_page_is_what_the_code_says() -> None:
    made = runpy.run_path(str(DOCS / "make_faults.py"))["page"]()
    assert (DOCS / "reference/faults.md").read_text() == made, "run docs/make_faults.py"


def test_every_fault_has_its_part() -> None:
    lines = (DOCS / "reference/faults.md").read_text().splitlines()
    assert {f"### {name}" for name in FAULTS} <= set(lines)
