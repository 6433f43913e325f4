"""YAML in blocks: it says what the data say, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linacre.documents.block_yaml import block_yaml
from linacre.documents.document import parse

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
VALUES = st.recursive(
    st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def test_mappings_stand_in_blocks() -> None:
    data = {"facility": "lab.one", "iocs": {"mag": {"args": ["a"], "on": {}}, "null": {"cpu": 0.5}}}
    assert block_yaml(data) == (
        'facility: "lab.one"\n'
        "iocs:\n"
        "  mag:\n"
        '    args: ["a"]\n'
        '    "on": {}\n'
        '  "null":\n'
        "    cpu: 0.5\n"
    )


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_what_is_written_is_read(data: dict[str, object]) -> None:
    document = parse(block_yaml(data))
    assert not document.problems
    assert document.data == data
