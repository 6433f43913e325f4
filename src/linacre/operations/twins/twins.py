"""Twins: a second machine of an IOC with the same address, on a sandbox network of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.models import Ioc
from linacre.declaration.models.sources import FolderSource
from linacre.declaration.names import TWINS_ENDING, other_name, twins_network
from linacre.engines.base import NetworkSpec
from linacre.engines.labels import DECLARED_DIGEST, NETWORK, NIC_DIGEST, ORIGIN, PROGRAM_DIGEST
from linacre.kinds.image import have_image, image_digest
from linacre.kinds.maker import Maker
from linacre.kinds.registry import DESK, IOC, kinds_of
from linacre.operations.apply import ApplyContext, apply
from linacre.operations.history.recording import Recorder
from linacre.operations.interaction import Interaction
from linacre.planning.plan import Found, make_plan
from linacre.planning.specs import Declared
from linacre.planning.twin_overrides import as_found
from linacre.session.roles import Pair
from linacre.session.session import Session


@dataclass(frozen=True)
class Twin:
    """A twin that runs."""

    ioc: str
    machine: str
    network: str
    """The sandbox that it is plugged into."""
    origin: str
    """Where its files came from."""


async def make_twin(
    session: Session, name: str, *, source: Path | None, interaction: Interaction
) -> Twin | None:
    """Make a twin of an IOC and start it; one that is there gets these files and is restarted.

    Its files are those declared, or those of the folder `source`; its persistent folder begins as
    a copy of the live one's. The live machine is not touched. Returns None where the person asked
    said no. Raises `UserError` for files that cannot be started, `LinacreError` where the IOC of
    the twin does not boot.
    """
    ioc = _with_source(session, session.check_ioc(name), source)
    async with session.changing(f"ioc twin {name}", cables=True):
        pair = await session.pair(name)
        declared = await _declared(session, ioc, pair)
        twin = declared.machines[0]
        if pair.twin is not None and not interaction.confirm(await _question(session, pair)):
            return None
        await _carry_out(session, declared, pair, interaction)
    return Twin(name, twin.name, twin.network, twin.labels[ORIGIN])


def _with_source(session: Session, name: str, source: Path | None) -> Ioc:
    ioc = session.declaration.facility.iocs[name]
    if source is None:
        return ioc
    if ioc.source is None:
        raise UserError(f"{name} runs a module and has no files: leave --source out")
    if not source.is_dir():
        raise UserError(f"--source {source} is not a folder")
    return ioc.model_copy(update={"source": FolderSource(folder=str(source.absolute()))})


async def _question(session: Session, pair: Pair) -> str:
    machine = (await session.machines(pair.names))[pair.twin or ""]
    origin = machine.labels.get(ORIGIN, "elsewhere")
    was_live = not machine.labels.get(NETWORK, "").endswith(TWINS_ENDING)
    lost = "; it was the live one, and the way back to it is lost" if was_live else ""
    return (
        f"This replaces the files of {pair.twin} (from {origin}) and restarts its IOC{lost}. Go on?"
    )


async def _declared(session: Session, ioc: Ioc, pair: Pair) -> Declared:
    """Return the twin first, then the desk of its sandbox, and the sandbox itself."""
    machines = await session.machines()
    if pair.live not in machines:
        raise LinacreError(f"{pair.ioc} has no machine yet: run linacre up")
    declaration = session.declaration
    home = declaration.facility.network_of(pair.ioc)
    sandbox = twins_network(home)
    networks = {**declaration.facility.networks}
    networks[sandbox] = networks[home].model_copy(update={"uplink": None})
    facility = declaration.facility.model_copy(update={"networks": networks})
    variant = replace(declaration, facility=facility)
    maker = Maker(variant, session.engine, session.paths, image_digest(session))
    wanted = await IOC.spec(maker, pair.ioc, declaration.facility.iocs[pair.ioc])
    made = await IOC.spec(maker, pair.ioc, ioc.model_copy(update={"network": sandbox}))
    digest = wanted.labels[PROGRAM_DIGEST]
    name = pair.twin or other_name(pair.ioc, pair.live)
    twin = replace(made, name=name, labels={**made.labels, DECLARED_DIGEST: digest})
    if (there := machines.get(name)) is not None:
        # One that was live has its home elsewhere, and keeps its cable.
        kept = {key: there.labels[key] for key in (NETWORK, NIC_DIGEST) if key in there.labels}
        twin = replace(twin, labels={**twin.labels, **kept})
    desk = DESK.desk(maker, sandbox)
    if (there := machines.get(desk.name)) is not None:
        desk = as_found(there)
    # Nothing leads out of it.
    network = NetworkSpec(sandbox, networks[home].subnet, host_address=None)
    return Declared((network,), (twin, desk), {}, {pair.ioc: twin}, kinds=kinds_of(session))


async def _carry_out(
    session: Session, declared: Declared, pair: Pair, interaction: Interaction
) -> None:
    found = Found(await session.machines(), await session.engine.record())
    plan = make_plan(declared, found, digest=None)
    context = ApplyContext(
        engine=session.engine,
        declared=declared,
        found=found.machines,
        build_image=lambda digest: have_image(session, digest, report=interaction.say),
        record={},
        clock=session.clock,
        copies={declared.machines[0].name: pair.live},
    )
    interaction.show_plan(plan)
    steps = [(step.key, step.title) for step in plan.steps]
    detail = f"{pair.ioc} from {declared.machines[0].labels[ORIGIN]}"
    recorder = Recorder(session, "ioc twin", about=())
    async with session.task(
        "ioc twin", detail=detail, steps=steps, listener=interaction.listener, recorder=recorder
    ) as task:
        await apply(plan, context, task)
