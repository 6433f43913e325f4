"""Lines of the IOC shell, macros, databases and substitution files as EPICS reads them."""

from __future__ import annotations

import pytest

from linacre.operations.importing.iocsh import parse_line
from linacre.operations.importing.macros import definitions, expand, undefined
from linacre.operations.importing.records import read_database, read_substitutions


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(P)SETI", "CLA:SETI"),
        ("${P}SETI", "CLA:SETI"),
        ("$(NONE=x)", "x"),
        ("$(NONE=$(P)x)", "CLA:x"),
        ("$(NONE=)", ""),
        ("$(NONE)", "$(NONE)"),
        ("$($(WHICH))", "CLA:"),
        ("$(NEST)", "CLA:N"),
        ("$(SELF)", "$(SELF)"),
        ("$(LOOP)", "$(LOOP)"),
        ("\\$(P)", "\\$(P)"),
        ("$(UNCLOSED", "$(UNCLOSED"),
        ("no macros, $5", "no macros, $5"),
        ("$(INNER,Q=2)", "a2"),
    ],
)
def test_macros(text: str, expanded: str) -> None:
    macros = {"P": "CLA:", "WHICH": "P", "NEST": "$(P)N", "SELF": "$(SELF)", "INNER": "a$(Q)"}
    macros["LOOP"] = "$(LOOP2)"
    macros["LOOP2"] = "$(LOOP)"
    assert expand(text, macros) == expanded


def test_undefined_macros_are_named_once() -> None:
    assert undefined("$(A)${B}$(A)") == ["A", "B"]


def test_definitions_keep_quoted_commas() -> None:
    text = r'P=CLA:, R="a,b" ,N=$(P)1,EMPTY=,Q=\"x\"'
    found = definitions(text, {})
    assert found == {"P": "CLA:", "R": "a,b", "N": "CLA:1", "EMPTY": "", "Q": '"x"'}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('dbLoadRecords("a b.db", \'P=X:,R="1"\')', ("dbLoadRecords", "a b.db", 'P=X:,R="1"')),
        (r'a "b\c" d\ e \"f', ("a", r"b\c", "d e", '"f')),
        ("dbLoadRecords a.db,'P=X:'", ("dbLoadRecords", "a.db", "P=X:")),
        ("  iocInit  ( )", ("iocInit",)),
        ("iocInit()", ("iocInit",)),
        ('epicsEnvSet("A", "")', ("epicsEnvSet", "A", "")),
        ('cd "${TOP}"', ("cd", "/top")),
        ("one,two three", ("one", "two", "three")),
    ],
)
def test_words_of_a_line(line: str, words: tuple[str, ...]) -> None:
    command = parse_line(line, {"TOP": "/top"}, file="st.cmd", line=1)
    assert command is not None
    assert command.words == words


def test_redirections_and_comments() -> None:
    def parse(text: str) -> object:
        return parse_line(text, {}, file="st.cmd", line=3)

    assert parse("# x") is None
    assert parse("#- x") is None
    assert parse("   ") is None
    reading = parse_line('< "envPaths"', {}, file="st.cmd", line=3)
    assert reading is not None
    assert (reading.reads, reading.words) == ("envPaths", ())
    writing = parse_line("dbl > /tmp/x.txt", {}, file="st.cmd", line=3)
    assert writing is not None
    assert (writing.writes, writing.words) == ("/tmp/x.txt", ("dbl",))
    for text in ('cd "x', r'cd "x\"y"'):
        unclosed = parse_line(text, {}, file="st.cmd", line=3)
        assert unclosed is not None
        assert unclosed.broken


def test_database_with_includes_and_aliases() -> None:
    found = read_database(
        'include "more.db"\nrecord(ai,"$(P)A"){alias("$(P)B")}\nalias("X","$(Q)C")\n'
        'record(stringin, "info") { info(autosaveFields, "VAL record(x,y)") }',
        {"P": "L:"},
        lambda name: 'record(bo, "$(P)D") {}' if name == "more.db" else None,
    )
    assert list(found.records) == ["L:D", "L:A", "L:B", "$(Q)C", "info"]
    assert found.undefined == ["Q"]
    missing = read_database("include no.db", {}, lambda _: None)
    assert missing.missing == ["no.db"]


def test_substitutions() -> None:
    text = (
        'global{A=1}\nfile "$(T).db" { pattern {N,R} {"1", "x y"} { 2, $(A) } }\n'
        'file b.db {{N="3",R="a=b"}{N=4}}\nfile c.db {}\n'
    )
    found = read_substitutions(text, {"B": "2"}, {"T": "t"})
    uses = [(each.file, dict(each.macros)) for each in found]
    assert uses == [
        ("t.db", {"B": "2", "A": "1", "N": "1", "R": "x y"}),
        ("t.db", {"B": "2", "A": "1", "N": "2", "R": "1"}),
        ("b.db", {"B": "2", "A": "1", "N": "3", "R": "a=b"}),
        ("b.db", {"B": "2", "A": "1", "N": "4"}),
        ("c.db", {"B": "2", "A": "1"}),
    ]


@pytest.mark.parametrize(
    ("line", "words", "lacks"),
    [
        ("dbLoadRecords a.db,'P=$(Q)'", ("dbLoadRecords", "a.db", "P=$(Q)"), ()),
        ('dbpf A "it\'s $(Q)"', ("dbpf", "A", "it's $(Q)"), ("Q",)),
        (r'echo "\$(Q)"', ("echo", r"\$(Q)"), ()),
        ("iocInit\r", ("iocInit",), ()),
    ],
)
def test_macros_in_quotes(line: str, words: tuple[str, ...], lacks: tuple[str, ...]) -> None:
    command = parse_line(line, {}, file="st.cmd", line=1)
    assert command is not None
    assert (command.words, command.lacks) == (words, lacks)
