"""Writing into the catalogue what a command makes of the facility, and what was found then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from linacre.base.errors import LinacreError
from linacre.base.log import get_logger
from linacre.base.tasks import TaskState, user_name
from linacre.catalogue.model import Duplicate, FileEntry, NewState, State
from linacre.declaration.load import Declaration, LoadError, load
from linacre.engines.base import MachineState
from linacre.kinds.ioc.file_tree import tree_inside
from linacre.operations.history.kept_files import KeptFiles
from linacre.operations.history.present import (
    Missed,
    record_present,
    record_start_errors,
    told_missed,
)
from linacre.operations.history.states import (
    Draft,
    difference,
    found_draft,
    keep_tree,
    kept_tree,
)
from linacre.session.roles import pairs
from linacre.session.session import Session

if TYPE_CHECKING:
    from linacre.catalogue.inventory import Inventory

_DUPLICATES_SAID = 3
_log = get_logger(__name__)

FOUND = "found"
"""Stands for the command of a state that was there before history was kept."""


class Recorder:
    """Records one task of a declared facility: states before it, what there is after it."""

    def __init__(
        self,
        session: Session,
        verb: str,
        *,
        drafts: Sequence[Draft] = (),
        about: Collection[str] | None = None,
        moved: Collection[str] = (),
        machines: Collection[str] | None = None,
        note: str = "",
    ) -> None:
        """Record a command.

        `drafts` are the states that IOCs are about to have, `about` the IOCs whose records are
        read anew (all where it is None), `moved` those that another machine may serve
        afterwards, whose files are read from inside it, `machines` those that it may change (any
        where it is None: all are looked at), and `note` is said of each state.
        """
        self._session = session
        self._verb = verb
        self._drafts = drafts
        self._about = about
        self._moved = moved
        self._machines = machines
        self._note = note
        self._kept = KeptFiles(session.paths.files)

    async def begun(self, inventory: Inventory, task_id: int) -> None:
        """Write what IOCs are about to be: should this be cut short, it is known what was meant."""
        self._task_id = task_id
        for draft in self._drafts:
            if await inventory.last_state(draft.ioc) is None:
                await self._add_what_is_there(inventory, draft.ioc)
            await self._add_state(inventory, draft)

    async def ended(self, inventory: Inventory) -> None:
        """Write what there is now; what goes wrong here is said and spoils nothing."""
        try:
            missed = await self.write_present(inventory)
            if missed:
                self._session.say(f"{told_missed(missed)}; linacre catalogue rebuild tries again")
        except (LinacreError, OSError) as error:
            _log.error("the catalogue was not brought up to date", error=str(error))
            self._session.say(
                f"the catalogue was not brought up to date: {error}; linacre catalogue rebuild "
                "does it"
            )

    async def write_present(self, inventory: Inventory) -> list[Missed]:
        """Write what there is now, and return the IOCs that are not as they are in their machines.

        Each is said; the others are written all the same. Raises `LinacreError` and `OSError` for
        what is of no IOC.
        """
        present = await record_present(
            self._session, inventory, about=self._about, only=self._machines
        )
        missed = present.missed
        for name in self._moved:
            try:
                await self._add_found_state(inventory, name)
            except LinacreError as error:
                missed.append(Missed(name, str(error)))
        # After the states: it is of the newest that they are.
        await record_start_errors(self._session, inventory, present.read)
        for each in missed:
            _log.error("an IOC was not brought up to date", ioc=each.ioc, error=each.why)
            self._session.say(f"{each.ioc}: {each.why}")
        for line in told_duplicates(await self._duplicates(inventory)):
            self._session.say(line)
        return missed

    async def _add_what_is_there(self, inventory: Inventory, name: str) -> None:
        """Begin the history of an IOC that has run without one, before an upgrade, say."""
        try:
            await self._add_found_state(inventory, name, verb=FOUND)
        except LinacreError as error:
            _log.warning("what an IOC runs is not kept", ioc=name, error=str(error))

    async def _duplicates(self, inventory: Inventory) -> list[Duplicate]:
        """Return the PVs that more than one running IOC serves, as far as this task is about it."""
        found = await inventory.duplicates()
        if not found:
            return []
        session = self._session
        machines, record = await session.found()
        there = pairs(session.declaration.facility.iocs, machines, record)
        live = {
            pair.ioc
            for pair in there.values()
            if pair.live in machines and machines[pair.live].state is MachineState.RUNNING
        }
        about = live if self._about is None else live & set(self._about)
        cut = (
            Duplicate(each.pv, tuple(ioc for ioc in each.iocs if ioc in there_on))
            for each in found
            for there_on in _by_network(session, live)
        )
        return [each for each in cut if len(each.iocs) > 1 and about.intersection(each.iocs)]

    async def _add_found_state(
        self, inventory: Inventory, name: str, *, verb: str | None = None
    ) -> None:
        session = self._session
        live = (await session.pair(name)).live
        machine = (await session.machines((live,))).get(live)
        if machine is None or machine.state is not MachineState.RUNNING:
            return
        address = session.declaration.facility.iocs[name].address
        layout = session.engine.layout(machine.name, address)
        tree = await tree_inside(session.engine, machine.name, layout.tree)
        declaration = session.declaration if verb is None else await self._applied(name)
        draft = found_draft(declaration, name, machine, tree)
        await self._add_state(inventory, draft, verb=verb)

    async def _applied(self, name: str) -> Declaration:
        """Return the declaration by which an IOC was last brought up, as the engine recorded it."""
        declaration = self._session.declaration
        text = (await self._session.engine.record()).get("declaration")
        with contextlib.suppress(LoadError):
            applied = load(
                declaration.file,
                text=text or declaration.text,
                sections=declaration.facility.sections,
            )
            return applied if name in applied.facility.iocs else declaration
        return declaration

    async def _add_state(
        self, inventory: Inventory, draft: Draft, *, verb: str | None = None
    ) -> None:
        last = await inventory.last_state(draft.ioc)
        files = await asyncio.to_thread(keep_tree, draft.tree, self._kept)
        if last is not None and _is_same(last, draft, files):
            return
        await inventory.add_state(
            NewState(
                ioc=draft.ioc,
                verb=verb or self._verb,
                task_id=None if verb else self._task_id,
                user=user_name(),
                at=self._session.clock.now(),
                source=draft.source,
                revision=draft.revision,
                digest=draft.digest,
                settings=draft.settings,
                files=files,
                diff="" if last is None else self._diff(last, draft),
                note="what it ran before" if verb else self._note,
            )
        )

    def _diff(self, last: State, draft: Draft) -> str:
        try:
            before = kept_tree(last, self._kept)
        except LinacreError as error:
            return f"{error}\n"
        return difference(before, draft.tree, sides=(f"state {last.number}", "new"))


def _by_network(session: Session, iocs: Iterable[str]) -> list[set[str]]:
    """Return the IOCs of each network: a client reaches those of its own."""
    networks: dict[str, set[str]] = {}
    for name in iocs:
        networks.setdefault(session.declaration.facility.network_of(name), set()).add(name)
    return [*networks.values()]


def _is_same(last: State, draft: Draft, files: Mapping[str, FileEntry]) -> bool:
    """Tell whether an IOC has come to this state already, and not only been on its way there."""
    same = last.files == files and last.settings == draft.settings
    return same and last.outcome in ("", TaskState.DONE)


def told_duplicates(found: Sequence[Duplicate]) -> list[str]:
    """Return what to say of PVs that more than one IOC serves."""
    lines = [
        f"{each.pv} is served by {' and '.join(each.iocs)}: clients reach either of them"
        for each in found[:_DUPLICATES_SAID]
    ]
    more = len(found) - len(lines)
    return [*lines, f"{more} more PVs are served twice: see linacre doctor"] if more else lines
