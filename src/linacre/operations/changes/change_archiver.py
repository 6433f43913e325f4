"""Changing an archiver: its end and its PVs, in the facility file and then in its machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from linacre.base.errors import UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.load import LoadError
from linacre.declaration.models import Archiver
from linacre.declaration.models.archiver_values import time_text
from linacre.engines.base import MachineState
from linacre.kinds.archiver.http import ask
from linacre.kinds.archiver.patterns import meant, said_pvs
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.common import (
    changing_file,
    in_terms_of,
    quiet,
    with_declaration,
)
from linacre.operations.changes.new_archiver import SECTION, count_meant
from linacre.operations.interaction import Interaction
from linacre.operations.services import declared_archiver
from linacre.planning.preview import UpOptions
from linacre.session.session import Session

_NO_END = "none"


@dataclass(frozen=True)
class ChangedArchiver:
    """An archiver after a change."""

    archiver: str
    until: str | None
    pvs: tuple[str, ...]
    """What stands in the facility file: names and patterns."""
    declared: str
    is_running: bool
    """Whether it was told; else it is at the next `linacre up`."""


async def extend(
    session: Session, name: str, until: str | None, interaction: Interaction
) -> ChangedArchiver:
    """Move an archiver's end, also of one that has ended; None: it has none.

    One that runs is told, and not restarted.
    """
    declared_archiver(session, name)
    return await _change(
        session,
        name,
        "extend",
        lambda text: text.set_value(name, ["until"], until or _NO_END),
        interaction,
    )


async def add_pvs(
    session: Session, name: str, pvs: tuple[str, ...], interaction: Interaction
) -> ChangedArchiver:
    """Let an archiver archive more PVs, or those that patterns mean."""
    archiver = declared_archiver(session, name)
    new = tuple(pv for pv in dict.fromkeys(pvs) if pv not in archiver.pvs)
    await count_meant(session, new, protocol=archiver.protocol)
    if not new:
        raise UserError(f"{name} has {' and '.join(pvs)} already")
    return await _change(
        session, name, "add", lambda text: text.add_items(name, "pvs", new), interaction
    )


async def remove_pvs(
    session: Session, name: str, pvs: tuple[str, ...], interaction: Interaction
) -> ChangedArchiver:
    """Let an archiver take no more samples of PVs that are said of it, or that it was told.

    What it has of them stays, and so does a PV that is said in another way too. Raises `UserError`
    where the archiver does not run: at its start it would go on with them.
    """
    archiver = declared_archiver(session, name)
    named = tuple(pv for pv in pvs if pv in archiver.pvs)
    left = archiver.model_copy(update={"pvs": tuple(p for p in archiver.pvs if p not in named)})
    kept = said_pvs(left, session.declaration.folder)
    if not await session.is_up():
        if session.note is not None:
            raise _does_not_run(name)
        # Never brought up: it has none of them yet.
        _check_named(archiver, name, [pv for pv in pvs if pv not in named])
        return await _change(
            session, name, "remove", lambda text: text.remove_items(name, "pvs", named), interaction
        )
    async with session.engine_open() as engine:
        if not await _runs(session, name):
            raise _does_not_run(name)
        there = [one["pv"] for one in (await ask(engine, name, "pvs?limit=100000"))["pvs"]]
        still = set(meant(there, kept))
        given_up = [pv for pv in meant(there, pvs) if pv not in still]
        strange = [pv for pv in pvs if pv not in named and not meant(given_up, [pv])]
        _check_named(archiver, name, strange)
        changed = _as_declared(session, name, is_running=True)
        if named:
            changed = await _change(
                session,
                name,
                "remove",
                lambda text: text.remove_items(name, "pvs", named),
                interaction,
            )
        if given_up:
            async with session.changing(f"archiver remove {name}") as engine:
                await ask(engine, name, "pvs/remove", {"pvs": given_up}, limit_s=60.0)
    return changed


async def _runs(session: Session, name: str) -> bool:
    machine = (await session.machines((name,))).get(name)
    return machine is not None and machine.state is MachineState.RUNNING


def _does_not_run(name: str) -> UserError:
    return UserError(
        f"{name} does not run, and would go on with its PVs at its start: "
        f"linacre archiver start {name} first"
    )


def _check_named(archiver: Archiver, name: str, others: Sequence[str]) -> None:
    for pv in others:
        raise UserError(
            f"{pv} is not among the PVs that the facility file gives {name}: "
            f"{', '.join(archiver.pvs[:8]) or 'none'}; linacre archiver pause {name} {pv} "
            "stops one that a pattern brings"
        )


async def _change(
    session: Session,
    name: str,
    verb: str,
    change: Callable[[FacilityText], FacilityText],
    interaction: Interaction,
) -> ChangedArchiver:
    async with changing_file(session, f"archiver {verb} {name}") as draft:
        try:
            declaration = draft.write(change(draft.text.of(SECTION)))
        except LoadError as error:
            raise in_terms_of(name, error, section=SECTION) from error
    session, is_running = with_declaration(session, declaration), False
    if await session.is_up():
        async with session.engine_open():
            if await _runs(session, name):
                options = UpOptions(only=frozenset({name}))
                done = await bring_up(session, options, quiet(interaction), verb=f"archiver {verb}")
                is_running = done is not None
    return _as_declared(session, name, is_running=is_running)


def _as_declared(session: Session, name: str, *, is_running: bool) -> ChangedArchiver:
    archiver = session.declaration.facility.archivers[name]
    return ChangedArchiver(
        archiver=name,
        until=time_text(archiver.until),
        pvs=archiver.pvs,
        declared=session.declaration.where(SECTION, name),
        is_running=is_running,
    )
