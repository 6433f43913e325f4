"""The scripts of the archiver's page: which imports which."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

from linacre.archiver import http

PAGE = Path(http.__file__).parent / "page"
_FROM = re.compile(r'^import .* from "\./([a-z]+\.js)";$', re.MULTILINE)


def test_no_script_needs_itself_over_others() -> None:
    imports = {each.name: set(_FROM.findall(each.read_text())) for each in PAGE.glob("*.js")}
    assert imports["page.js"]
    assert {name for names in imports.values() for name in names} <= set(imports)
    # Raises `CycleError`, which names the circle.
    TopologicalSorter(imports).prepare()
