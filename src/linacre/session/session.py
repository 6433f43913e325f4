"""A facility in hand: its declaration, its engine, its catalogue, and the lock to change it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from linacre.base.clock import Clock, SystemClock
from linacre.base.errors import LinacreError
from linacre.base.loading import load_soon
from linacre.base.paths import FacilityPaths, StatePaths
from linacre.base.tasks import TaskListener
from linacre.declaration.load import Declaration, load
from linacre.declaration.models import Section
from linacre.declaration.names import machine_names
from linacre.engines.base import Capability, Engine, Machine
from linacre.session.choose import choose_engine, noted_engine, remote_note
from linacre.session.find import find_facility
from linacre.session.lock import FacilityLock
from linacre.session.recorder import TaskRecorder
from linacre.session.roles import Pair, pairs
from linacre.session.sandboxes import find_sandbox
from linacre.session.state import (
    FacilityNote,
    Standing,
    known_facilities,
    read_note,
    write_note,
)

if TYPE_CHECKING:
    from linacre.catalogue.catalogue import Catalogue, TaskHandle


class KindSet(Protocol):
    """The kinds of machine that there are, as far as a facility in hand must know of them."""

    @property
    def sections(self) -> tuple[Section, ...]:
        """The sections of a facility file in which they are declared."""
        ...


def _unheard(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class FacilityHandle:
    """A facility on this host, whether or not its file can be read: its engine and its records."""

    paths: FacilityPaths
    state: StatePaths
    engine: Engine
    note: FacilityNote | None
    clock: Clock
    journal_hook: Callable[[int], None] | None = None
    """Called after each write to the journal, with its number; for tests that crash there."""
    say: Callable[[str], None] = _unheard
    """Shows one line to whoever gave the command, beside its result."""
    kinds: KindSet | None = None
    """The kinds of machine that there are; None is every Linacre's (`kinds.registry.kinds_of`)."""
    holders: list[object] = field(default_factory=list[object], repr=False, compare=False)
    """Those blocks that hold the engine open; a session made from another shares them."""

    @property
    def name(self) -> str:
        """The facility's name."""
        return self.paths.root.name

    @property
    def catalogue_place(self) -> Path | str:
        """The catalogue: a file of this host, or the URL of a database."""
        url = self.note.catalogue if self.note else None
        return url or self.paths.catalogue

    async def is_up(self) -> bool:
        """Tell whether there is anything to look at: nobody took it down, and the engine has it.

        A facility that somebody brought up from another host is up here too.
        """
        if self.note is not None and self.note.standing is Standing.DOWN:
            return False
        return await self.engine.exists()

    @asynccontextmanager
    async def engine_open(self) -> AsyncGenerator[Engine]:
        """Reach the engine for the block; machines go on after it.

        Cables that a command killed meanwhile was moving are brought to their place first. One
        block may stand in another: the engine is reached once.
        """
        holder = object()
        self.holders.append(holder)
        try:
            if self.holders[0] is holder:
                await self.engine.open()
                await self._finish_moves()
            yield self.engine
        finally:
            self.holders.remove(holder)
            if not self.holders:
                await self.engine.close()

    async def _finish_moves(self) -> None:
        if Capability.CABLES not in self.engine.capabilities():
            return
        try:
            for moved in await self.engine.wiring.finish_moves():
                self.say(f"finished what was cut short: {moved}")
        except LinacreError as error:
            # The command goes on: it may be the one that mends what is in the way.
            self.say(f"cables are still to be moved, as was written down: {error}")

    @asynccontextmanager
    async def engine_up(self) -> AsyncGenerator[Engine]:
        """Reach the engine of a facility that is up; `LinacreError` where it is not.

        No daemon is started for a facility that is down.
        """
        if not await self.is_up():
            raise LinacreError(f"{self.name} is not up: run linacre up")
        async with self.engine_open() as engine:
            yield engine

    @staticmethod
    def catalogue_soon() -> None:
        """Begin to load the catalogue's libraries, while the engine is waited for."""
        load_soon("linacre.catalogue.catalogue")

    @asynccontextmanager
    async def catalogue_open(self) -> AsyncGenerator[Catalogue]:
        """Open the catalogue for the block, tasks of dead processes marked as interrupted."""
        # Its libraries take a quarter of a second, and a command that changes nothing needs none.
        from linacre.catalogue.catalogue import Catalogue

        self.paths.root.mkdir(parents=True, exist_ok=True)
        async with await Catalogue.open(
            self.catalogue_place,
            logs=self.paths.logs,
            clock=self.clock,
            after_write=self.journal_hook,
        ) as catalogue:
            await catalogue.mark_interrupted()
            yield catalogue

    @asynccontextmanager
    async def changing(self, command: str, *, cables: bool = False) -> AsyncGenerator[Engine]:
        """Keep other commands from changing a facility that is up, its engine open for the block.

        Raises `BusyError` while another command changes it, `LinacreError` where it is not up,
        and with `cables` `UnsupportedError` where the engine cannot move any.
        """
        # What is changed is journalled as a task.
        self.catalogue_soon()
        async with (
            FacilityLock(self.paths, command=command, clock=self.clock),
            self.engine_up() as engine,
        ):
            if cables:
                _ = engine.wiring
            yield engine

    @asynccontextmanager
    async def task(
        self,
        verb: str,
        *,
        steps: Sequence[tuple[str, str]],
        detail: str = "",
        listener: TaskListener | None = None,
        recorder: TaskRecorder | None = None,
    ) -> AsyncGenerator[TaskHandle]:
        """Journal what the block does as a task with these steps (key, title), and its outcome."""
        async with self.catalogue_open() as catalogue:
            task = await catalogue.begin_task(
                facility=self.name, verb=verb, detail=detail, steps=steps, listener=listener
            )
            inventory = catalogue.inventory(self.name)
            async with task:
                if recorder is None:
                    yield task
                    return
                await recorder.begun(inventory, task.id)
                try:
                    yield task
                except LinacreError:
                    await recorder.ended(inventory)
                    raise
                await recorder.ended(inventory)

    async def machines(self, names: Collection[str] | None = None) -> dict[str, Machine]:
        """Return the facility's machines by name, or those of these names that there are."""
        return {machine.name: machine for machine in await self.engine.machines(names)}

    async def found(
        self, names: Collection[str] | None = None
    ) -> tuple[dict[str, Machine], dict[str, str]]:
        """Return machines and the facility's record, asked for at the same time."""
        return await asyncio.gather(self.machines(names), self.engine.record())


@dataclass(frozen=True, kw_only=True)
class Session(FacilityHandle):
    """What every command on a declared facility works with."""

    declaration: Declaration
    engine_line: str | None
    """Why this engine, where nobody declared one; None where there is nothing to say."""

    @property
    def catalogue_place(self) -> Path | str:
        """The catalogue: a file of this host, or the URL of a database."""
        return self.declaration.facility.catalogue or self.paths.catalogue

    def take_note(self, standing: Standing) -> None:
        """Remember how the facility stands, for the commands to come."""
        note = FacilityNote(
            facility=self.name,
            file=self.declaration.file.absolute(),
            engine=self.engine.name,
            standing=standing,
            autostart=self._autostart(standing),
            remote=remote_note(self.declaration.facility.engine, base=self.declaration.folder),
            catalogue=self.declaration.facility.catalogue,
            sandbox=self.note.sandbox if self.note else None,
        )
        # Also where nothing of it changed: by its age it is known whether the file changed since.
        write_note(self.paths, note)

    def _autostart(self, standing: Standing) -> bool:
        """Return whether it starts with the host from now on: only `up` takes up a new mark."""
        if standing is Standing.UP:
            return self.declaration.facility.autostart
        return self.note is not None and self.note.autostart

    def check_ioc(self, name: str) -> str:
        """Return the name of a declared IOC; raise `UserError` with the names there are."""
        return self.declaration.check_ioc(name)

    async def pair(self, ioc: str) -> Pair:
        """Return the machines of a declared IOC; the engine is open."""
        self.check_ioc(ioc)
        return pairs([ioc], *await self.found(machine_names(ioc)))[ioc]


def open_handle(
    note: FacilityNote,
    *,
    state: StatePaths,
    clock: Clock | None = None,
    journal_hook: Callable[[int], None] | None = None,
    say: Callable[[str], None] = _unheard,
    kinds: KindSet | None = None,
) -> FacilityHandle:
    """Return a facility that this host knows, whatever became of its file."""
    paths = state.facility(note.facility)
    return FacilityHandle(
        paths=paths,
        state=state,
        engine=noted_engine(note, paths),
        note=note,
        clock=clock or SystemClock(),
        journal_hook=journal_hook,
        say=say,
        kinds=kinds,
    )


async def open_session(
    given: Path | None,
    *,
    state: StatePaths,
    folder: Path,
    clock: Clock | None = None,
    journal_hook: Callable[[int], None] | None = None,
    say: Callable[[str], None] = _unheard,
    kinds: KindSet | None = None,
    sandbox: str | None = None,
) -> Session:
    """Return the session of the facility that a command means, whose file has these kinds.

    That is the given file or folder, else the facility file in `folder` or above it, else the
    only facility that this host knows; with `sandbox`, the one of that name that it has. Raises
    `UserError` where it is not clear which.
    """
    sections = kinds.sections if kinds else ()
    files = {note.facility: note.file for note in known_facilities(state)}
    choice = find_facility(given, here=folder, up=lambda: files)
    declaration = load(choice.file or files[choice.name or ""], sections=sections)
    name = declaration.facility.facility
    if sandbox is not None:
        found, _ = find_sandbox(state, name, sandbox)
        declaration, name = load(found.file, sections=sections), found.facility
    paths = state.facility(name)
    note = read_note(paths)
    engine, line = await choose_engine(
        declaration.facility.engine,
        facility=name,
        base=declaration.folder,
        paths=paths,
        last=note.engine if note else None,
    )
    return Session(
        declaration=declaration,
        paths=paths,
        state=state,
        engine=engine,
        engine_line=line,
        note=note,
        clock=clock or SystemClock(),
        journal_hook=journal_hook,
        say=say,
        kinds=kinds,
    )
