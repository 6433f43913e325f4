"""What is told of one IOC that has just booted."""

from __future__ import annotations

from linacre.engines.base import Machine
from linacre.engines.labels import PROGRAM_DIGEST
from linacre.operations.iocs.served import tell_unserved
from linacre.operations.iocs.start_errors import tell_start_errors
from linacre.planning.preview import compare
from linacre.session.session import Session


async def tell_of_booted(session: Session, name: str, machine: Machine) -> None:
    """Say what its start script printed of errors, and what it serves less than is declared.

    The latter is left out where other files are in its machine than are declared.
    """
    started = {machine.name: name}
    await tell_start_errors(session, started, say=session.say)
    specs = (await compare(session, frozenset({name}))).declared.iocs
    if machine.labels.get(PROGRAM_DIGEST) == specs[name].labels[PROGRAM_DIGEST]:
        found = {machine.name: machine}
        await tell_unserved(session, started, specs=specs, before=found, say=session.say)
