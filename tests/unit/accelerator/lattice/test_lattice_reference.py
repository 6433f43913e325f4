"""The schema and the reference of the lattice file, and the example's own."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
import yaml

from linacre.accelerator.lattice.lattice import load_lattice
from linacre.accelerator.lattice.schema import lattice_schema
from linacre.cli.schema import SchemaOf, print_schema

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs"
CLARA = ROOT / "examples/clara/lattice/lattice.yaml"


def test_page_is_what_the_models_say() -> None:
    made = runpy.run_path(str(DOCS / "make_lattice.py"))["page"]()
    assert (DOCS / "reference/lattice.md").read_text() == made, "run docs/make_lattice.py"


def test_links_lead_to_sections() -> None:
    page = (DOCS / "reference/lattice.md").read_text()
    sections = {h.lower().replace(" ", "-") for h in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= sections


def test_the_schema_is_printed_and_refuses_unknown_keys(capsys: pytest.CaptureFixture[str]) -> None:
    print_schema(SchemaOf.LATTICE)
    printed = json.loads(capsys.readouterr().out)
    assert printed == lattice_schema()
    parts = [part for part in printed["$defs"].values() if "properties" in part]
    assert all(part["additionalProperties"] is False for part in (printed, *parts))


def test_every_key_is_described() -> None:
    whole = lattice_schema()
    for name, part in {"top": whole, **whole["$defs"]}.items():
        for key, value in part.get("properties", {}).items():
            assert key == "type" or value["description"].endswith((".", "`")), f"{name}.{key}"


def test_the_example_validates_and_a_wrong_one_does_not() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(lattice_schema())
    data = yaml.safe_load(CLARA.read_text())
    assert [error.message for error in validator.iter_errors(data)] == []
    data["sections"]["S02"]["elements"]["CLA-S02-MAG-QUAD-01"]["lenght_m"] = 1
    assert [*validator.iter_errors(data)]


def test_clara_is_from_the_gun_to_the_ends_of_three_lines() -> None:
    lattice = load_lattice(CLARA)
    assert [*lattice.lines] == ["GUN", "C2V", "SP1"]
    ends = {"GUN": 6.7485, "C2V": 8.07286, "SP1": 10.0455}
    assert {name: line.end_m for name, line in lattice.lines.items()} == pytest.approx(
        ends, abs=1e-4
    )
    assert len(lattice.elements) == 42
    assert lattice["CLA-S02-MAG-QUAD-05"].step.start_m == pytest.approx(6.38995)
    # Along the arc and 1.347 m of the straight line behind it.
    assert lattice["CLA-C2V-MAG-DIP-02"].step.start_m == pytest.approx(
        5.82728 + 0.399216 + 1.347455, abs=1e-4
    )
    assert lattice.floor_m[lattice["CLA-C2V-MARK-02"].index] == pytest.approx(
        (-1.25, 7.59879), abs=1e-4
    )


def test_clara_has_the_strength_of_phase_1_around_its_linac() -> None:
    solenoid = load_lattice(CLARA).magnets["CLA-L01-MAG-SOL-01"]
    assert solenoid.strength(100.0) == pytest.approx((37.651102 + 0.12171419) * 1e-3)


def test_an_element_that_is_moved_is_an_edit_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lattice.yaml"
    old = "CLA-S02-DIA-SCR-02:\n        type: screen\n        middle_m: 5.01083"
    text = CLARA.read_text()
    assert old in text
    file.write_text(text.replace(old, old.replace("5.01083", "5.1")))
    assert load_lattice(file)["CLA-S02-DIA-SCR-02"].middle_m == pytest.approx(5.1)
