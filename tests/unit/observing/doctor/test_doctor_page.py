"""The page of checks is what the doctor says of itself."""

from __future__ import annotations

import runpy
from pathlib import Path

from linacre.observing.doctor.checks import CHECKS

DOCS = Path(__file__).parents[4] / "docs"


def test_page_is_what_the_checks_say() -> None:
    made = runpy.run_path(str(DOCS / "make_doctor.py"))["page"]()
    assert (DOCS / "reference/doctor.md").read_text() == made, "run docs/make_doctor.py"


def test_keys_and_titles_are_different() -> None:
    assert len({check.key for check in CHECKS}) == len({c.title for c in CHECKS}) == len(CHECKS)
