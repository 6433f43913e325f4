"""Changing a facility file's text: what is meant changes, and every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.base.errors import UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.yaml_text import scalar
from linacre.documents.document import parse
from linacre.documents.quoting import as_written

CLARA = Path(__file__).parents[4] / "examples/clara/facility.yaml"
ENTRY = "new:\n  kind: softioc\n  source: iocs/new\n  address: 10.61.2.30\n"
HEAD = "facility: clara\nnetworks:\n  controls:\n    subnet: 10.61.2.0/24\n"
AB = """\
iocs:
  # The first.
  a: # on its line
    kind: softioc

    # inside
    address: 10.61.2.11
    # own, behind
  # before b
  b:
    address: 10.61.2.12
    after: [a, "a", 'a']
  # at the end
# of the file
"""


def edited(text: str) -> FacilityText:
    return FacilityText(text)


def problem(text: str, change: str, *args: str) -> str:
    with pytest.raises(UserError) as caught:
        getattr(edited(text), change)(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_create_rename_delete_on_the_example_gives_back_every_byte() -> None:
    text = CLARA.read_text()
    created = edited(text).add("new", ENTRY)
    assert created.text.startswith(text)
    assert created.text.removeprefix(text) == (
        "\n  new:\n    kind: softioc\n    source: iocs/new\n    address: 10.61.2.30\n"
    )
    renamed = created.rename_ioc("timing", "clock").rename_ioc("new", "newer")
    assert "timing]" not in renamed.text
    back = renamed.rename_ioc("clock", "timing").remove("newer")
    assert back.text == text


def test_removing_each_ioc_of_the_example_leaves_the_others_and_their_comments() -> None:
    text = CLARA.read_text()
    names = list(parse(text).data["iocs"])
    for name in names:
        left = edited(text).remove(name).text
        data = parse(left).data
        assert [*data["iocs"]] == [each for each in names if each != name]
        assert left.count("\n\n\n") == text.count("\n\n\n")
        gone = edited(text).entry_of(name)
        assert left.count("#") == text.count("#") - gone.count("#")


def test_replacing_an_entry_by_itself_changes_nothing() -> None:
    text = CLARA.read_text()
    for name in parse(text).data["iocs"]:
        entry = edited(text).entry_of(name)
        assert entry.startswith(f"{name}:\n  kind:")
        assert edited(text).replace_ioc(name, entry).text == text


def test_an_entry_has_the_comments_inside_and_behind_it() -> None:
    entry = edited(HEAD + AB).entry_of("a")
    assert entry == (
        "a: # on its line\n  kind: softioc\n\n  # inside\n  address: 10.61.2.11\n  # own, behind\n"
    )


def test_what_stands_above_and_below_an_entry_stays() -> None:
    assert edited(HEAD + AB).remove("b").text == HEAD + AB.replace(
        "  b:\n    address: 10.61.2.12\n    after: [a, \"a\", 'a']\n", ""
    )
    added = edited(HEAD + AB).add("new", ENTRY).text
    assert added.endswith("    address: 10.61.2.30\n  # at the end\n# of the file\n")


def test_a_name_changes_wherever_something_starts_after_it_and_nowhere_else() -> None:
    text = HEAD + AB + "  c:\n    args: [a]\n    after:\n      - b\n      - a # first\nservices:\n"
    text += "  wiki:\n    after: [a]\n    command: a\n"
    renamed = edited(text).rename_ioc("a", "on")
    data = parse(renamed.text).data
    assert [*data["iocs"]] == ["on", "b", "c"]
    assert data["iocs"]["b"]["after"] == ["on", "on", "on"]
    assert data["iocs"]["c"] == {"args": ["a"], "after": ["b", "on"]}
    assert data["services"]["wiki"] == {"after": ["on"], "command": "a"}
    assert 'after: ["on", "on", \'on\']' in renamed.text
    assert "# on its line" in renamed.text
    assert '- "on" # first' in renamed.text
    assert renamed.rename_ioc("on", "a").text.replace('"a"', "a") == text.replace('"a"', "a")


@pytest.mark.parametrize(
    "section",
    ["", "iocs:\n", "iocs: {}\n", "iocs: null\n", "iocs: ~ # none yet\n", "iocs:\n  # none\n"],
)
@pytest.mark.parametrize("behind", ["", "\n# the end\ndefaults: {}\n", "..."])
def test_the_first_ioc_of_a_file(section: str, behind: str) -> None:
    if behind == "...":
        behind = "...\n"
    text = HEAD + section + behind
    created = edited(text).add("new", ENTRY)
    assert parse(created.text).data["iocs"]["new"]["address"] == "10.61.2.30"
    assert "  new:\n    kind: softioc\n" in created.text
    for line in text.splitlines():
        assert line in created.text or line.startswith("iocs: ")
    emptied = created.remove("new")
    assert parse(emptied.text).data["iocs"] is None
    if section.startswith(("iocs:\n", "iocs:\n  #")):
        assert emptied.text == text


def test_indentation_is_that_of_the_file() -> None:
    text = (
        "facility: x\nnetworks:\n    c:\n        subnet: 10.1.0.0/24\niocs:\n    a:\n        k: 1\n"
    )
    assert edited(text).indent_step() == 4
    assert "\n    new:\n      kind: softioc\n" in edited(text).add("new", ENTRY).text


def test_line_ends_of_windows_stay() -> None:
    text = (HEAD + AB).replace("\n", "\r\n")
    created = edited(text).add("new", ENTRY).rename_ioc("a", "z")
    assert created.text.count("\n") == created.text.count("\r\n")
    assert edited(text).entry_of("a") == edited(HEAD + AB).entry_of("a")
    back = created.rename_ioc("z", "a").remove("new")
    assert back.text == text


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_file_keeps_its_last_line_as_it_is(end: str) -> None:
    text = HEAD + "iocs:\n  a:\n    kind: x" + end
    created = edited(text).add("new", ENTRY)
    assert created.text.endswith("address: 10.61.2.30" + end)
    assert created.remove("new").text == text
    assert edited(text).replace_ioc("a", edited(text).entry_of("a")).text == text


def test_entries_in_braces_are_changed_where_they_stand() -> None:
    text = HEAD + "iocs:\n  a: {kind: softioc, source: a, after: [b]} # one\n  b: {kind: x}\n"
    assert edited(text).rename_ioc("b", "c").text == text.replace("b]", "c]").replace(" b:", " c:")
    changed = edited(text).set_value("a", ["source"], "z").set_value("a", ["owner"], "me: you")
    assert "  a: {kind: softioc, source: z" in changed.text or "owner" in changed.text
    assert parse(changed.text).data["iocs"]["a"] == {
        **{"kind": "softioc", "source": "z", "after": ["b"], "owner": "me: you"}
    }
    assert edited(text).remove("a").text == HEAD + "iocs:\n  b: {kind: x}\n"


def test_iocs_in_braces_are_refused_in_one_line() -> None:
    text = "facility: x\niocs: {a: {kind: softioc}}\n"
    for change, args in (("add", ("new", ENTRY)), ("remove", ("a",))):
        said = problem(text, change, *args)
        assert said.startswith("facility.yaml:2: iocs is written in braces; write it as a block")
    assert problem('{"iocs": {}}', "add", "new", ENTRY).startswith("facility.yaml:1: the file")


def test_anchors() -> None:
    text = HEAD + "iocs:\n  a: &base\n    kind: softioc\n    source: &src iocs/a\n"
    text += "  b:\n    <<: *base\n    source: *src\n"
    assert problem(text, "remove", "a") == (
        "facility.yaml:6: a holds the anchor &base, which line 10 uses; write the value out there "
        "first"
    )
    assert edited(text).remove("b").remove("a").text == HEAD + "iocs:\n"
    assert edited(text).add("new", ENTRY).remove("new").text == text
    assert edited(text).rename_ioc("a", "z").rename_ioc("z", "a").text == text
    changed = edited(text).set_value("b", ["source"], "iocs/b")
    assert changed.text == text.replace("*src", "iocs/b")


def test_names_that_must_be_quoted() -> None:
    text = HEAD + "iocs:\n"
    for name in ("on", "null", "123", "a b: c"):
        created = edited(text).add(name, ENTRY)
        assert [*parse(created.text).data["iocs"]] == [name]
        assert created.entry_of(name).startswith(f'"{name}":' if name != "123" else "")
        assert created.remove(name).text == text


def test_settings_are_set_and_added() -> None:
    text = HEAD + "iocs:\n  a:\n    kind: softioc # sort\n    environment: {P: 'A:'}\n    n: 5\n"
    changed = edited(text).set_value("a", ["environment", "P"], "it's")
    assert "environment: {P: 'it''s'}" in changed.text
    changed = changed.set_value("a", ["owner"], "5").set_value("a", ["n"], "7 of: 8")
    assert "    kind: softioc # sort\n    owner: 5\n" in changed.text
    assert changed.value_of("a", "n") == "7 of: 8"
    assert changed.value_of("a", "environment", "Q") is None


def test_a_setting_without_a_value_is_given_one() -> None:
    text = HEAD + "iocs:\n  a:\n    owner: # nobody\n    after:\n      -\n    b:\n  z:\n"
    assert edited(text).set_value("a", ["owner"], "me").text == text.replace("owner:", "owner: me")
    assert edited(text).set_value("a", ["b"], "c").text == text.replace("b:", "b: c")
    assert edited(text).entry_of("a") == "a:\n  owner: # nobody\n  after:\n    -\n  b:\n"
    assert edited(text).add("new", ENTRY).remove("new").text == text


def test_what_is_not_there_or_there_already() -> None:
    assert problem(HEAD + AB, "remove", "z") == "facility.yaml: there is no IOC z in it"
    assert problem(HEAD + AB, "rename_ioc", "a", "b").endswith("there is an IOC b already")
    assert problem(HEAD + AB, "add", "b", ENTRY).endswith("there is an IOC b already")


# Those that a change would put in quotes are another test's.
names = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda name: scalar(name) == name
)
remarks = st.sampled_from(["", "# a remark", "#", "  # deeper: than", "      # much: [deeper"])
gaps = st.lists(remarks, max_size=3)
values = st.sampled_from(
    [
        "plain",
        "'quoted: #'",
        '"double \\" #"',
        "[a, b]",
        "{x: 1}",
        "",
        "|\n        block\n         # no comment",
        "1.10",
    ]
)
entries = st.lists(st.tuples(st.sampled_from("klmnop"), values, gaps), unique_by=lambda e: e[0])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a facility file with IOCs, comments anywhere, and the names of its IOCs."""
    lines = ["facility: x", *draw(gaps), "networks:", "  c: {subnet: 10.1.0.0/24}", *draw(gaps)]
    lines += ["iocs:" + draw(st.sampled_from(["", " # all", "  "])), *draw(gaps)]
    there = draw(st.lists(names, unique=True, max_size=4))
    for name in there:
        lines.append(f"  {name}:{draw(st.sampled_from(['', ' # its']))}")
        for key, value, gap in draw(entries):
            lines += [f"    {key}: {value}", *gap]
        others = draw(st.lists(st.sampled_from(there), max_size=2))
        if others:
            form = draw(st.sampled_from(["flow", "block"]))
            if form == "flow":
                lines.append(f"    after: [{', '.join(others)}]")
            else:
                lines += ["    after:", *(f"      - {each}" for each in others)]
        lines += draw(gaps)
    if draw(st.booleans()):
        lines += ["defaults:", "  ioc:", "    area: S02", *draw(gaps)]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return end.join(lines) + draw(st.sampled_from([end, ""])), there


@given(files(), names, names)
@settings(max_examples=30, deadline=None)
def test_create_rename_delete_gives_back_every_byte(
    drawn: tuple[str, list[str]], new: str, newer: str
) -> None:
    text, there = drawn
    if {new, newer} & {*there} or new == newer or parse(text).problems:
        return
    created = edited(text).add(new, ENTRY)
    renamed = created.rename_ioc(new, newer)
    for name in there:
        other = f"{name}0x"
        if other not in (*there, newer):
            renamed = renamed.rename_ioc(name, other).rename_ioc(other, name)
        entry = renamed.entry_of(name)
        replaced = renamed.replace_ioc(name, entry).text
        # A comment further left than its entry cannot be told from one that is not.
        assert [*map(str.strip, replaced.split("\n"))] == [
            *map(str.strip, renamed.text.split("\n"))
        ]
    assert renamed.remove(newer).text == text


printable = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF))
tricky = st.from_regex(r"[a-z0-9:.#~@ ,\[-]{1,6}", fullmatch=True)


@given(st.one_of(printable, tricky))
@settings(max_examples=150, deadline=None)
def test_a_text_is_read_as_it_was(value: str) -> None:
    for text in (f"k: {scalar(value)}\n", f"k: {{a: {scalar(value)}, b: c}}\n"):
        found = parse(text)
        assert not found.problems
        data = found.data["k"]
        assert as_written(data["a"] if isinstance(data, dict) else data) == value
