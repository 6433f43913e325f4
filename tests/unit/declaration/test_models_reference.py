"""The reference page is what the models say, and its example can be loaded."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from linacre.declaration.load import load

DOCS = Path(__file__).parents[3] / "docs"


def test_page_is_what_the_models_say() -> None:
    made = runpy.run_path(str(DOCS / "make_reference.py"))["page"]()
    assert (DOCS / "reference/facility.md").read_text() == made, "run docs/make_reference.py"


def test_example_loads(tmp_path: Path) -> None:
    page = (DOCS / "reference/facility.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "facility.yaml").write_text(example)
    for script in ("iocs/s02-mag/st.cmd", "iocs/s02-scr/iocBoot/iocs02-scr/st.cmd"):
        (tmp_path / script).parent.mkdir(parents=True)
        (tmp_path / script).write_text("#!../../bin/linux-x86_64/ioc\n")
    facility = load(tmp_path / "facility.yaml").facility
    assert facility.network_of("simple") == "lab"
    assert str(facility.iocs["s02-mag"].limits.memory) == "256MiB"


def test_links_lead_to_sections() -> None:
    page = (DOCS / "reference/facility.md").read_text()
    sections = {h.lower().replace(" ", "-") for h in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= sections
