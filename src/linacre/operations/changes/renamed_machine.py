"""A machine made anew under another name, and what still speaks of the old one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.catalogue.inventory import Inventory
from linacre.engines.base import Capability, Machine
from linacre.engines.labels import AFTER, SETTINGS_DIGEST
from linacre.kinds.image import have_image, image_digest
from linacre.kinds.registry import kinds_of
from linacre.operations.apply import ApplyContext, apply
from linacre.operations.interaction import Interaction
from linacre.planning.plan import Action, Found, make_plan
from linacre.planning.specs import Declared, declared_facility
from linacre.planning.twin_overrides import is_held
from linacre.session.roles import ioc_of, live_key, pairs
from linacre.session.session import Session

_RENAMED = "renamed."


@dataclass
class NewName:
    """Gives an IOC its new name in the catalogue, once the facility file has it."""

    old: str
    new: str
    is_written: bool = False

    async def begun(self, inventory: Inventory, task_id: int) -> None:
        """Do nothing: the IOC has its old name yet."""

    async def ended(self, inventory: Inventory) -> None:
        """Rename the IOC with its history; one that the catalogue does not know needs none."""
        if self.is_written:
            with suppress(UserError):
                await inventory.rename_ioc(self.old, self.new)


def left_over(record: Mapping[str, str], iocs: Collection[str]) -> dict[str, str]:
    """Return the names whose machines a rename has left, with the names that are declared."""
    found: dict[str, str] = {}
    for key, new in record.items():
        old = key.removeprefix(_RENAMED)
        if key.startswith(_RENAMED) and (old in iocs) != (new in iocs):
            found |= {new: old} if old in iocs else {old: new}
    return found


async def mark(session: Session, old: str, new: str) -> None:
    """Write down that there will be machines of two names for one IOC; remove left-overs before."""
    record = await session.engine.record()
    for name, declared in left_over(record, session.declaration.facility.iocs).items():
        if declared == old:
            await session.engine.delete(name)
    earlier = {key: None for key in record if key in (f"{_RENAMED}{old}", f"{_RENAMED}{new}")}
    await session.engine.set_record({**earlier, f"{_RENAMED}{old}": new})


async def check_can_be_renamed(
    session: Session, old: str, machines: Mapping[str, Machine]
) -> Machine | None:
    """Return the one machine of an IOC, or None where it has none.

    Raises `UserError` for a twin, or for a machine that is not as declared.
    """
    if not machines:
        return None
    pair = pairs([old], machines, await session.engine.record())[old]
    if pair.twin is not None:
        raise UserError(
            f"{old} has a twin: linacre ioc promote {old} keeps the live one, then rename it"
        )
    machine = machines.get(pair.live)
    if machine is None:
        return None
    spec = (await _declared(session)).iocs[old]
    if is_held(spec, machine):
        raise UserError(
            f"{old} runs the files of its promoted twin: make them the declared ones first "
            f"(linacre ioc diff {old} shows them)"
        )
    if Capability.CABLES in session.engine.capabilities():
        cable = (await session.engine.wiring.cables()).get(machine.name)
        if cable is not None and cable.recorded != spec.network:
            raise UserError(f"{old} is unplugged: linacre ioc plug {old} first")
    return machine


async def _declared(session: Session) -> Declared:
    return await declared_facility(
        session.declaration,
        engine=session.engine,
        paths=session.paths,
        image=image_digest(session),
        kinds=kinds_of(session),
    )


async def make_renamed(session: Session, old: str, new: str, interaction: Interaction) -> None:
    """Make the machine of a declared IOC with a copy of a stopped one's persistent folder.

    The old machine stays; but with an engine of processes, where two cannot have one address,
    only its persistent folder does, and the new machine is made when it is brought up.
    """
    if Capability.FILE_SYSTEM not in session.engine.capabilities():
        await _copy_folder(session, old, new)
        return
    engine = session.engine
    if new in await session.machines():
        await engine.delete(new)
    spec = (await _declared(session)).iocs[new]
    declared = Declared((), (spec,), {}, {new: spec})
    found = Found(await session.machines(), await engine.record())
    plan = make_plan(declared, found, digest=None)
    steps = tuple(step for step in plan.steps if step.action is not Action.START)
    context = ApplyContext(
        engine=engine,
        declared=declared,
        found=found.machines,
        build_image=lambda digest: have_image(session, digest, report=interaction.say),
        record={},
        clock=session.clock,
        copies={new: old},
    )
    await apply(replace(plan, steps=steps), context, _Unwritten())


async def _copy_folder(session: Session, old: str, new: str) -> None:
    address = session.declaration.facility.iocs[new].address
    source = Path(session.engine.layout(old, address).persist)
    target = Path(session.engine.layout(new, address).persist)
    await session.engine.delete(new)
    try:
        if source.is_dir():
            await asyncio.to_thread(shutil.copytree, source, target, symlinks=True)
    except OSError as error:
        raise LinacreError(f"{source} cannot be copied: {error}") from error
    await session.engine.delete(old, keep_persistent=True)


class _Unwritten:
    """A journal of steps that are a part of one that is written down already."""

    async def step_started(self, key: str) -> None:
        """Do nothing."""

    async def step_done(self, key: str) -> None:
        """Do nothing."""

    async def step_failed(self, key: str, error: str) -> None:
        """Do nothing."""


async def follow(before: Session, after: Session, new: str) -> None:
    """Tell the machines of what starts after a renamed IOC its new name; nothing restarts."""
    old_specs = {each.name: each for each in (await _declared(before)).machines}
    machines = await after.machines()
    for spec in (await _declared(after)).machines:
        machine = machines.get(spec.name)
        waits = new in spec.labels.get(AFTER, "").split()
        if machine is None or not waits or spec.name not in old_specs:
            continue
        # One whose other settings have changed too is left to `up`.
        if machine.labels.get(SETTINGS_DIGEST) == old_specs[spec.name].labels[SETTINGS_DIGEST]:
            labels = {key: spec.labels[key] for key in (AFTER, SETTINGS_DIGEST)}
            await after.engine.set_labels(spec.name, labels)


async def remove_renamed(session: Session, old: str, machines: Mapping[str, Machine]) -> None:
    """Remove the machine that an IOC had under its old name, and the note of it."""
    theirs = [name for name, machine in machines.items() if ioc_of(machine) == old]
    for name in {old, *theirs}:
        await session.engine.delete(name)
    await session.engine.set_record({f"{_RENAMED}{old}": None, live_key(old): None})
