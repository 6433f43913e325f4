"""Orders as text: what is taken, and one line for each mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standin import BPM, BY_KIND, CORRECTOR, GUN_GAUGE, TARGETS

from linacre.accelerator.faults.orders import (
    LAST_PULSE,
    Clear,
    Order,
    OrderError,
    ResetOrder,
    parse,
    parse_order,
)
from linacre.accelerator.faults.table import FAULTS

WCM = "EBT-B03-IOC-CS-04:FMC1:CH0:WCM"


def read(text: str, *, now: int = 10) -> Order | Clear | ResetOrder:
    return parse(text, targets=TARGETS, now=now)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"trip {CORRECTOR} at 100 for 50", Order("trip", CORRECTOR, 100, 50)),
        (f"trip {CORRECTOR}", Order("trip", CORRECTOR, 11)),
        (f"trip {CORRECTOR} for 5 at +3", Order("trip", CORRECTOR, 13, 5)),
        (
            f"  ripple\t{CORRECTOR}\n period=4 amplitude=0.5A at 20",
            Order("ripple", CORRECTOR, 20, given=(("amplitude", 0.5), ("period", 4.0))),
        ),
        (f"ripple {CORRECTOR} period=7.0pulses", Order("ripple", CORRECTOR, 11)),
        (f"freeze {BPM}:Y", Order("freeze", BPM, 11, quantity="Y")),
        (f"freeze {WCM}:Q", Order("freeze", WCM, 11, quantity="Q")),
        (f"freeze {WCM}", Order("freeze", WCM, 11)),
        (
            f"leak {GUN_GAUGE} rate=1e-9mbar/pulse",
            Order("leak", GUN_GAUGE, 11, given=(("rate", 1e-9),)),
        ),
        ("clear 3", Clear(number=3)),
        (f"clear {BPM}", Clear(target=BPM)),
        ("clear all", Clear()),
        (f"reset {CORRECTOR}", ResetOrder(CORRECTOR)),
    ],
)  # fmt: skip
def test_what_is_taken(text: str, expected: Order | Clear | ResetOrder) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "an empty order; write FAULT ELEMENT"),
        ("x" * 1001, "an order of 1001 characters; 1000 are enough"),
        (f"tripp {CORRECTOR}", "there is no fault tripp; the nearest is trip"),
        (f"qqq {CORRECTOR}", "there is no fault qqq; there are: stuck-setpoint, trip"),
        ("trip", "trip of what?"),
        ("trip CLA-S02-MAG-HCOR-O1", f"CLA-S02-MAG-HCOR-O1; the nearest is {CORRECTOR}"),
        ("trip nothing-like-it-at-all", "there is no element nothing-like-it-at-all"),
        (f"trip {BPM}", f"{BPM} (BPM) cannot have trip; that is for: magnet"),
        (f"trip {CORRECTOR}:READI", f"trip is of a whole element; write {CORRECTOR}"),
        (f"freeze {BPM}:Z", f"{BPM} has no reading Z; write X, Y, Q or RDY"),
        (f"trip {CORRECTOR} amplitude=1", "trip has no parameter amplitude; it has none"),
        (f"ripple {CORRECTOR} ampl=1", "ripple has no parameter ampl; it has amplitude, period"),
        (f"ripple {CORRECTOR} amplitude=50", "amplitude=50: it is 0.001 to 20 A"),
        (f"ripple {CORRECTOR} amplitude=1e999", "amplitude=1e999: it is 0.001 to 20 A"),
        (f"ripple {CORRECTOR} amplitude=nan", "amplitude=nan: it is a number, 0.001 to 20 A"),
        (f"ripple {CORRECTOR} amplitude=1mA", "amplitude=1mA: it is a number, 0.001 to 20 A"),
        (f"ripple {CORRECTOR} amplitude=", "amplitude=: it is a number"),
        (f"ripple {CORRECTOR} period=3 period=4", "period is given twice; keep one"),
        (f"trip {CORRECTOR} at 12 at 13", "at is given twice; keep one"),
        (f"trip {CORRECTOR} at", "at: at is followed by a whole number of pulses"),
        (f"trip {CORRECTOR} at -3", "'at -3': at is followed by a whole number of pulses"),
        (f"trip {CORRECTOR} at ١٢", "at is followed by a whole number of pulses"),
        (f"trip {CORRECTOR} for +3", "'for +3': for is followed by a whole number of pulses"),
        (f"trip {CORRECTOR} for 0", "for 0: a fault lasts at least one pulse"),
        (f"trip {CORRECTOR} at 10", "at 10 is over, the last pulse was 10; write at +1"),
        (f"trip {CORRECTOR} for {LAST_PULSE}", f"that is behind pulse {LAST_PULSE}"),
        (f"trip {CORRECTOR} soon", "soon has no meaning here; write FAULT ELEMENT"),
        ("clear", "clear takes one word; write clear NUMBER, clear ELEMENT or clear all"),
        ("clear CLA", "CLA is no order and no element"),
        ("reset", "reset takes one word; write reset ELEMENT"),
        ("reset CLA-S02-MAG-HCOR-11", f"CLA-S02-MAG-HCOR-11; the nearest is {CORRECTOR}"),
    ],
)  # fmt: skip
def test_one_line_for_each_mistake(text: str, said: str) -> None:
    with pytest.raises(OrderError) as caught:
        read(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_clear_is_no_order_of_a_fault() -> None:
    with pytest.raises(OrderError, match="clear orders no fault"):
        parse_order("clear all", targets=TARGETS, now=0)
    with pytest.raises(OrderError, match="reset orders no fault"):
        parse_order(f"reset {CORRECTOR}", targets=TARGETS, now=0)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from([*FAULTS.values()]))
    target = BY_KIND[draw(st.sampled_from(kind.targets))]
    given = {
        each.name: draw(st.floats(each.low, each.high))
        for each in kind.parameters
        if draw(st.booleans())
    }
    at = draw(st.integers(1, LAST_PULSE // 2))
    return Order(
        fault=kind.name,
        target=target.name,
        at=at,
        pulses=draw(st.none() | st.integers(1, LAST_PULSE // 2)),
        quantity=draw(st.sampled_from(["", *target.readings])) if kind.of_quantity else "",
        given=tuple((n, v) for n, v in given.items() if v != kind.parameter(n).default),  # type: ignore
    )


@given(orders())
def test_an_order_is_read_again_from_its_text(order: Order) -> None:
    assert parse(order.text, targets=TARGETS, now=0) == order


WORDS = st.sampled_from(
    [
        *FAULTS,
        *TARGETS,
        "at",
        "for",
        "clear",
        "reset",
        "all",
        "+1",
        "12",
        "0",
        "=",
        "amplitude=1",
        "by=-1",
    ]
) | st.text(max_size=12)


@given(st.lists(WORDS, max_size=8))
def test_any_text_is_an_order_or_one_line(words: list[str]) -> None:
    try:
        read(" ".join(words))
    except OrderError as error:
        said = str(error)
        assert said and len(said.splitlines()) == 1 and said.isprintable()
