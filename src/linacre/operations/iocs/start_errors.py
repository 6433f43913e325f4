"""Telling whoever started IOCs what their start scripts printed of errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from linacre.base.listing import counted
from linacre.kinds.ioc.start_errors import errors_of_started, errors_to_see_to
from linacre.session.session import Session

_MOST_TOLD = 20


async def tell_start_errors(
    session: Session, started: Mapping[str, str], *, say: Callable[[str], None]
) -> None:
    """Say a line for each IOC that has just booted and whose start script printed errors.

    `started` has the IOCs by their machines. Errors that are accepted are not told.
    """
    iocs = session.declaration.facility.iocs
    addresses = {machine: iocs[ioc].address for machine, ioc in started.items()}
    told = await errors_of_started(session.engine, addresses, clock=session.clock)
    there = ((started[machine], errors) for machine, errors in told.items())
    wrong = [(ioc, errors) for ioc, errors in there if errors_to_see_to(iocs[ioc], errors)]
    for ioc, errors in wrong[:_MOST_TOLD]:
        say(
            f"{ioc}: {counted(errors.count, 'error')} in its start script, the first: "
            f"{errors.told[0]}; see linacre ioc show {ioc}"
        )
    if len(wrong) > _MOST_TOLD:
        say(f"{len(wrong) - _MOST_TOLD} more have such errors: see linacre status")
