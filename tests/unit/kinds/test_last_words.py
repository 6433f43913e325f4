"""The last line that a program printed, out of procServ's log."""

from __future__ import annotations

import pytest

from linacre.kinds.reports import last_words, tells_an_end

BEGUN = '@@@ Restarting child "sick"\n@@@ The PID of new child "sick" is: 7\n@@@ @@@ @@@ @@@ @@@'
ENDED = "@@@ Current time: 2026-11-28T17:45:27+0000\n@@@ Child process is shutting down"
FAILED = 'Traceback (most recent call last):\n  File "a.py", line 1\nRuntimeError: no magnet'
CUT = "Traceback (most recent call last):"


def stamped(*parts: str) -> str:
    lines = "\n".join(parts).splitlines()
    return "".join(f"2026-11-28T17:45:27+0000 {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("parts", "of_ended", "of_all"),
    [
        ((), "", ""),
        ((BEGUN,), "", ""),
        ((BEGUN, CUT), "", CUT),
        ((BEGUN, FAILED), "", "RuntimeError: no magnet"),
        ((BEGUN, FAILED, ENDED), "RuntimeError: no magnet", "RuntimeError: no magnet"),
        ((BEGUN, FAILED, ENDED, BEGUN, CUT), "RuntimeError: no magnet", CUT),
        ((BEGUN, FAILED, ENDED, BEGUN, "Aborted", ENDED), "Aborted", "Aborted"),
        ((BEGUN, FAILED, ENDED, BEGUN), "RuntimeError: no magnet", ""),
        ((BEGUN, f"no such record\nepics> {ENDED}"), "no such record", "no such record"),
        ((BEGUN, f"Aborted{ENDED}"), "Aborted", "Aborted"),
        ((BEGUN, "\x1b[1;35mKeyError\x1b[0m: \x1b[35m1\x1b[0m", ENDED), *("KeyError: 1",) * 2),
    ],
)
def test_it_is_of_a_start_that_has_ended_where_that_is_asked(
    parts: tuple[str, ...], of_ended: str, of_all: str
) -> None:
    assert last_words(stamped(*parts), ended=True) == of_ended
    assert last_words(stamped(*parts)) == of_all
    assert tells_an_end(stamped(*parts)) == any(ENDED in part for part in parts)
