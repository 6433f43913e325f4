"""The JSON Schema that editors use agrees with what is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from linacre.cli.schema import print_schema
from linacre.declaration.schema import facility_schema
from linacre.documents.document import parse
from linacre.documents.schema import DIALECT

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parent / "golden"
GOOD = [ROOT / "examples/clara/facility.yaml", *sorted(GOLDEN.glob("good_*.yaml"))]
# An empty section (`hosts:`) is taken as not written, which a schema for editors need not say.
STRICT = [p for p in GOOD if p.stem not in ("good_empty_sections", "good_three")]


def properties(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    parts = {"facility": schema, **schema["$defs"]}
    return [(f"{p}.{k}", v) for p, part in parts.items() for k, v in part["properties"].items()]


def test_printed_schema_is_json_of_the_dialect(capsys: pytest.CaptureFixture[str]) -> None:
    print_schema()
    printed = json.loads(capsys.readouterr().out)
    assert printed == facility_schema()
    assert printed["$schema"] == DIALECT


def test_every_key_is_described() -> None:
    whole = facility_schema()
    for name, schema in properties(whole):
        kind = whole["$defs"].get(schema.get("$ref", "").removeprefix("#/$defs/"), {})
        words = schema.get("description") or kind.get("description", "")
        assert words.endswith("."), name


def test_unknown_keys_are_refused() -> None:
    schema = facility_schema()
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())


@pytest.mark.parametrize("file", STRICT, ids=lambda p: p.stem)
def test_good_file_validates(file: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(facility_schema())
    assert [e.message for e in validator.iter_errors(parse(file.read_text()).data)] == []


@pytest.mark.parametrize(
    "name", ["bad_unknown_key", "bad_names", "bad_limits", "bad_kinds", "bad_sections"]
)
def test_bad_file_does_not_validate(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    validator = jsonschema.Draft202012Validator(facility_schema())
    data = parse((GOLDEN / f"{name}.yaml").read_text()).data
    assert list(validator.iter_errors(data))
