"""Makes docs/reference/faults.md from the table of faults and the example's scenarios."""

from __future__ import annotations

from pathlib import Path

from linacre.accelerator.faults.elements import load_targets
from linacre.accelerator.faults.kinds import FaultKind
from linacre.accelerator.faults.scenarios import Scenario, load_scenarios
from linacre.accelerator.faults.standing import MOST
from linacre.accelerator.faults.table import FAULTS

DOCS = Path(__file__).parent
PAGE = DOCS / "reference/faults.md"
TRAINING = DOCS.parent / "examples/clara/training"

HEAD = f"""\
# Faults and training scenarios of the virtual accelerator

*Made from the code by `docs/make_faults.py`; do not edit it by hand.*

How readings come about: [readings of the virtual accelerator](../explanations/readings.md).

## Orders

    trip CLA-S02-MAG-QUAD-01 at 100 for 50
    drift CLA-S02-DIA-BPM-01:X rate=0.002 limit=1 for 6000
    water-drift CLA-GUN-RF-LRRG-01 rate=0.001K/pulse at +600
    clear 3
    reset CLA-S02-MAG-QUAD-01

An order is the fault, its element, and in any order behind them parameters, `at` and `for`.

- The element is named as its PVs begin. Some faults are of one reading where one is named behind a
  colon, and of the main ones where none is.
- A parameter is `name=number`, with its unit behind it or without; one that is not given has its
  usual value.
- `at` is the first pulse: a pulse number, or `+` and how many pulses from now. Without it, it is
  the next one.
- `for` is how many pulses it lasts. Without it, it lasts until it is cleared: by its number, by
  its element (`clear CLA-S02-MAG-QUAD-01`), or with all others (`clear all`).

A mistake in an order is told in one line, and nothing is done. There can be {MOST} orders at a
time. Faults that readings do not tell of act last, the others in the order of their first pulses:
a reading that drifts and is frozen later stays where the drift had brought it. With the same seed,
orders and set points all of it is the same again, to the last bit.

A fault that latches is a cause and what stays of it: while the cause lasts a reset does nothing,
and afterwards nothing is well until there is one: by the element's own PV, or by `reset ELEMENT`.

The symptoms below are those of a beam line in use: a magnet shows in the orbit where it has a
current, a momentum where there is dispersion, a loss in the monitors that had beam before.

## All faults

| fault | what breaks | befalls | over |
| --- | --- | --- | --- |
"""


def page() -> str:
    """Return the page."""
    kinds = FAULTS.values()
    rows = [
        f"| [{kind.name}](#{kind.name}) | {kind.about} | {', '.join(kind.targets)} | "
        f"{kind.recovery} |"
        for kind in kinds
    ]
    parts = [HEAD + "\n".join(rows), *(_fault(kind) for kind in kinds), _scenarios()]
    return "\n\n".join(parts) + "\n"


def _fault(kind: FaultKind) -> str:
    lines = [f"### {kind.name}", "", kind.about]
    if kind.of_quantity:
        lines.append("One reading may be named.")
    if kind.parameters:
        lines += ["", "| parameter | meaning | usual | bounds |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{each.name}` | {each.about} | {each.default:g} | {each.bounds} |"
            for each in kind.parameters
        ]
    when = "While it lasts" + (", once a set point is changed" if kind.when_written else "")
    lines += ["", f"{when}:", "", *(f"- {each.words}" for each in kind.symptoms)]
    recovery = kind.recovery[0].upper() + kind.recovery[1:]
    lines += ["", f"What is found: {kind.finds}. {recovery}."]
    return "\n".join(lines)


def _scenarios() -> str:
    targets = load_targets(TRAINING / "elements.yaml")
    scenarios = load_scenarios(TRAINING / "scenarios.yaml", targets)
    lines = [
        "## Training scenarios of the example",
        "",
        "They are in `examples/clara/training/scenarios.yaml`, and the elements that faults can",
        "befall in `elements.yaml` beside it. Trainees should not read on.",
        "",
        "| scenario | | to find | pulses |",
        "| --- | --- | --- | --- |",
        *(f"| {name} | {title} | {n} | {p} |" for name, title, n, p in scenarios.listing()),
    ]
    return "\n".join([*lines, *(_scenario(each) for each in scenarios.by_name.values())])


def _scenario(scenario: Scenario) -> str:
    data = scenario.data
    lines = [
        "",
        f"### {scenario.name}",
        "",
        f"{data.title}. The trainee is told: *{data.told}*",
        "",
    ]
    lines += [f"    {order.text}" for order in scenario.orders]
    lines += ["", "To be found:", ""]
    lines += [f"- `{each.fault}` of {each.element}: {each.by}" for each in data.find]
    return "\n".join([*lines, "", f"To mend it: {data.mend}"])


if __name__ == "__main__":
    PAGE.write_text(page())
