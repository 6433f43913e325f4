"""Makes docs/reference/doctor.md from the doctor's own checks: `python docs/make_doctor.py`."""

from __future__ import annotations

from pathlib import Path

from linacre.observing.doctor.checks import CHECKS

PAGE = Path(__file__).parent / "reference/doctor.md"

HEAD = """\
# What the doctor looks at

*Made from the code by `docs/make_doctor.py`; do not edit it by hand.*

`linacre doctor [FACILITY] [--json]` makes every check below, all at once, and tells each of them
in this order: `ok`, `warning`, `problem`, or `not applicable` with why. Below a check, each thing
that is wrong has a line with the IOC, machine, PV or file and what is wrong with it, and a line
with what to do. The exit status is 1 where there is any problem, and 0 otherwise: warnings alone
are 0.

How to use it: [find out what is wrong](../how-to/doctor.md).

| check | key | what is looked at, and what is wrong |
| --- | --- | --- |
"""

TAIL = """
A fault is told by the check of its cause: the PVs of an IOC whose machine, cable, procServ or IOC
is wrong are not read, and are not told as wrong too. A check that breaks, or does not end in its
time (10 s, the PVs 15 s), is itself a problem, and the others go on.

## JSON

| field | meaning |
| --- | --- |
| `facility`, `engine`, `iocs` | the facility, its engine, how many IOCs it declares |
| `healthy`, `problems`, `warnings` | whether there is no problem; how many findings there are |
| `took_s` | seconds that all of it took |
| `checks` | an entry for each check, always all of them |
| `checks[].check`, `.title`, `.took_s` | the key and the name of the table above; seconds |
| `checks[].verdict` | `ok`, `warning`, `problem`, `not applicable` |
| `checks[].said` | a line of what was seen |
| `checks[].findings[]` | `what`, `verdict`, `text`, `remedy` of each thing that is wrong |
"""


def page() -> str:
    """Return the page."""
    rows = [f"| {check.title} | `{check.key}` | {check.about} |" for check in CHECKS]
    return HEAD + "\n".join(rows) + "\n" + TAIL


if __name__ == "__main__":
    PAGE.write_text(page())
