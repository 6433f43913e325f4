"""libyaml against the reader in Python: where it reads a text at all, it reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.documents import careful_yaml, quick_yaml
from linacre.documents.document import Document, parse

EXAMPLES = sorted(Path(__file__).parents[3].glob("examples/*/facility.yaml"))
WORDS = st.sampled_from(
    [
        *("a", "b", "key", "x: y", ": ", ":", "- ", "-", "? ", "\n", "\n  ", "\n    ", "  ", " "),
        *("{", "}", "[", "]", ", ", ",", "'", '"', "''", "\\", "\\n", "\\/", "\\x41", "&a ", "*a"),
        *(
            "<<: *a",
            "<<",
            "# c",
            "#",
            "|\n",
            "|-\n",
            ">\n",
            ">+\n",
            "!!str ",
            "!!int ",
            "!t ",
            "! ",
        ),
        *("null", "~", "Null", "true", "True", "yes", "on", "12", "012", "0x1F", "0o7", "1.5"),
        *("1.50", "-3", "+3", ".5", "1e3", "1_000", "12:30:00", "2026-01-01", "=", "---", "..."),
        *("%", "@", "`", "é", "😀", "\r\n", "\x07", "10.61.2.11", "256MiB"),
    ]
)


def read_carefully(text: str) -> Document:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(_: str) -> None:
            raise quick_yaml.UnsureError

        patch.setattr(quick_yaml, "compose", refuse)
        return parse(text)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_the_examples_are_read_quickly_and_alike(file: Path) -> None:
    text = file.read_text()
    assert quick_yaml.compose(text) is not None
    assert parse(text) == read_carefully(text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["", "a: ", "a:\n  ", "a:\n- "]), st.lists(WORDS, max_size=14))
def test_what_is_read_quickly_is_read_alike(begins: str, words: list[str]) -> None:
    text = begins + "".join(words)
    try:
        quick_yaml.compose(text)
    except quick_yaml.UnsureError:
        return
    assert parse(text) == read_carefully(text)


@pytest.mark.parametrize("deep", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000])
def test_what_is_nested_too_deeply_is_refused(deep: str) -> None:
    assert parse(deep).problems


@pytest.mark.parametrize("text", ["a:\tb", "a: b\u2028c", "%YAML 1.1\n--- {}", "\ufeffa: b"])
def test_what_the_two_take_differently_is_read_carefully(text: str) -> None:
    with pytest.raises(quick_yaml.UnsureError):
        quick_yaml.compose(text)


def test_one_reader_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    assert parse("a: [1, x]").data == {"a": [1, "x"]}
    with pytest.raises(quick_yaml.NotYamlError):
        careful_yaml.compose("a: b: c")
