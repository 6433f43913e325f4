"""Taking what was changed in a sandbox back into its facility: as a twin, to be swapped in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.errors import LinacreError
from linacre.kinds.ioc.file_tree import without
from linacre.operations.history.states import LINACRES_OWN
from linacre.operations.interaction import Interaction
from linacre.operations.sandboxes.copying import lay_anew
from linacre.operations.sandboxes.differences import tree_of
from linacre.operations.twins.twins import Twin, make_twin
from linacre.session.session import Session

_TAKEN = "taken"


@dataclass(frozen=True)
class Taken:
    """An IOC of a sandbox that is a twin in its facility now."""

    twin: Twin
    folder: str
    """Its files, as the sandbox ran them."""


async def take(
    session: Session, sandbox: Session, ioc: str, interaction: Interaction
) -> Taken | None:
    """Make a twin of an IOC of a facility with the files that it has in a sandbox.

    Nothing of the live machine is touched. Returns None where the person asked said no. Raises
    `UserError` for an IOC that is not in both, or has no files of its own.
    """
    session.check_ioc(ioc)
    sandbox.check_ioc(ioc)
    async with sandbox.engine_up() as engine:
        found = await tree_of(sandbox, engine, ioc)
    tree = without(found, [PurePosixPath(LINACRES_OWN)])
    note = sandbox.note
    assert note is not None and note.sandbox is not None
    if not tree:
        raise LinacreError(f"{ioc} has no files of its own in {note.sandbox.name}")
    folder = _folder(session, note.sandbox.name, ioc)
    await asyncio.to_thread(lay_anew, folder, tree)
    twin = await make_twin(session, ioc, source=folder, interaction=interaction)
    return None if twin is None else Taken(twin, str(folder))


def _folder(session: Session, sandbox: str, ioc: str) -> Path:
    return session.paths.root / _TAKEN / sandbox / ioc
