"""What machines wrote gives a terminal no orders."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linacre.base.orders import escaped_in_json, has_orders, without_orders


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 磁石\tline\nnext\n", "plain ü 磁石\tline\nnext\n"),
        ("dos\r\n", "dos\n"),
        ("over\rwritten", "over^Mwritten"),
        ("\x1b[2J\x1b]0;title\x07", "^[[2J^[]0;title^G"),
        ("\x9b2J \x7f \x00", "<9B>2J ^? ^@"),
        ("rtl \u202egnp", "rtl <U+202E>gnp"),
        (b"\x9b2J".decode(errors="surrogateescape"), "<9B>2J"),
        ("\x1b[31mred", "^[[31mred"),
    ],
)
def test_orders_are_shown_and_not_given(text: str, shown: str) -> None:
    assert without_orders(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[1;38;5;3mred", "\x1b[1;38;5;3mred\x1b[0m"),
        ("\x1b[31m\x1b[2J\x1b[m", "\x1b[31m^[[2J\x1b[m"),
        ("\x1b[" + "1;" * 60 + "m", "^[[" + "1;" * 60 + "m"),
        ("\x1b[?25m\x1b[>4;2m", "^[[?25m^[[>4;2m"),
    ],
)
def test_colours_alone_may_stay_and_end_with_the_text(text: str, shown: str) -> None:
    assert without_orders(text, colours=True) == shown


@given(st.text())
def test_whatever_the_text_no_order_is_left(text: str) -> None:
    shown = without_orders(text)
    assert not has_orders(shown.replace("\n", "").replace("\t", ""))
    assert without_orders(shown) == shown


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_says_the_same_without_orders(data: object) -> None:
    text = escaped_in_json(json.dumps(data, indent=2, ensure_ascii=False))
    assert json.loads(text) == data
    assert not has_orders(text.replace("\n", ""))
