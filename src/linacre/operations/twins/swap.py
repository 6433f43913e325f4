"""Exchanging the cables of an IOC's two machines, and keeping one of them for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from linacre.base.errors import LinacreError, UserError
from linacre.base.tasks import TaskListener
from linacre.declaration.models import desk_name
from linacre.declaration.names import twins_network
from linacre.engines.base import Machine, MachineState
from linacre.engines.labels import NETWORK, NIC_DIGEST
from linacre.kinds.reports import ioc_report
from linacre.observing.who import KnownClient, clients_of
from linacre.operations.history.recording import Recorder
from linacre.operations.interaction import Interaction
from linacre.planning.preview import compare
from linacre.session.roles import Pair, live_key
from linacre.session.session import Session

_CLIENTS_SHOWN = 6
_RECORD, _MOVE = "record", "move"


@dataclass(frozen=True)
class Swapped:
    """The end of a swap."""

    ioc: str
    live: str
    """The machine that serves now."""
    unplugged: str
    """The one that served before: it runs on, unplugged."""
    took_s: float
    """From the order to the cables to their being where they belong."""


async def swap(session: Session, name: str, interaction: Interaction) -> Swapped | None:
    """Exchange the cables of an IOC's live machine and its twin.

    Both run on; the former live one is unplugged, and its clients are reset so that they search
    anew. Returns None where the person asked said no. Raises `LinacreError` where the twin does
    not serve, `BusyError` while another command changes the facility; a swap that fails is put
    back, and one that is cut short is finished by the next command.
    """
    session.check_ioc(name)
    async with session.changing(f"ioc swap {name}", cables=True):
        pair = await session.pair(name)
        if pair.twin is None:
            raise UserError(f"{name} has no twin to swap with: linacre ioc twin {name} makes one")
        await _check_serves(session, pair, pair.twin)
        connected = await connected_now(session, pair.live, interaction)
        if not interaction.confirm(_question(pair, connected)):
            return None
        return await _exchange(session, pair, pair.twin, interaction.listener)


async def _check_serves(session: Session, pair: Pair, twin: str) -> None:
    ioc = session.declaration.facility.iocs[pair.ioc]
    machine = (await session.machines((twin,)))[twin]
    if machine.state is MachineState.RUNNING:
        found = await ioc_report(
            session.engine, twin, ioc.address, clock=session.clock, hold_off_s=float(ioc.hold_off)
        )
        cable = (await session.engine.wiring.cables([machine]))[twin]
        if not cable.is_there:
            raise LinacreError(
                f"{twin} has lost its cable: linacre ioc stop {pair.ioc} --twin, then start it"
            )
        if found.booted and not found.restart_loop:
            return
    raise LinacreError(
        f"{twin} does not serve, and would be the live one: start it with linacre ioc start "
        f"{pair.ioc} --twin, or see linacre ioc log {pair.ioc} --twin"
    )


async def connected_now(
    session: Session, machine: str, interaction: Interaction
) -> list[KnownClient]:
    """Return who is connected, and say so to those who are not asked.

    Only who is to decide is told of users too: asking the IOC for them takes a while.
    """
    found = await clients_of(session, machine, ask_s=1.0 if interaction.asks else None)
    if found and not interaction.asks:
        interaction.say(told(found))
    return found


def told(connected: Sequence[KnownClient]) -> str:
    """Return who is connected, in a few words."""
    if not connected:
        return "nobody is connected"
    shown = [_in_words(each) for each in connected[:_CLIENTS_SHOWN]]
    more = len(connected) - len(shown)
    rest = [f"{more} more"] if more else []
    count = "1 client is" if len(connected) == 1 else f"{len(connected)} clients are"
    return f"{count} connected ({', '.join([*shown, *rest])})"


def _in_words(client: KnownClient) -> str:
    who = f"{client.user}@{client.host}" if client.user and client.host else str(client.address)
    return f"{who} by {client.protocol}"


def _question(pair: Pair, connected: Sequence[KnownClient]) -> str:
    lost = " and must connect anew" if connected else ""
    return f"{pair.live} goes out and {pair.twin} comes in; {told(connected)}{lost}. Swap?"


async def _exchange(
    session: Session, pair: Pair, twin: str, listener: TaskListener | None
) -> Swapped:
    network = session.declaration.facility.network_of(pair.ioc)
    wiring, clock = session.engine.wiring, session.clock
    machines = (await session.machines(pair.names)).values()
    before = {name: cable.recorded for name, cable in (await wiring.cables(machines)).items()}
    titles = [
        (_RECORD, f"write down that {twin} is to be live"),
        (_MOVE, f"unplug {pair.live} and plug {twin} into {network}"),
    ]
    recorder = Recorder(
        session, "ioc swap", about=(pair.ioc,), moved=(pair.ioc,), note=f"live: {twin}"
    )
    async with session.task(
        "ioc swap", detail=pair.ioc, steps=titles, listener=listener, recorder=recorder
    ) as task:
        await task.step_started(_RECORD)
        moves = {pair.live: None, twin: network}
        await wiring.record_moves(moves, notes={live_key(pair.ioc): twin})
        await task.step_done(_RECORD)
        await task.step_started(_MOVE)
        begun = clock.monotonic()
        try:
            await wiring.finish_moves()
        except LinacreError as error:
            await task.step_failed(_MOVE, str(error))
            await _put_back(session, pair, {name: before.get(name) for name in moves})
            raise LinacreError(f"{error}; {pair.live} is the live one as before") from error
        took = clock.monotonic() - begun
        await task.step_done(_MOVE)
    return Swapped(pair.ioc, twin, pair.live, took)


async def _put_back(session: Session, pair: Pair, before: dict[str, str | None]) -> None:
    wiring = session.engine.wiring
    await wiring.record_moves(before, notes={live_key(pair.ioc): pair.live})
    await wiring.finish_moves()


async def promote(session: Session, name: str, interaction: Interaction) -> str | None:
    """Keep the live machine of an IOC and remove the other with its data; return the one kept.

    The sandbox goes with the last twin on it. Returns None where the person asked said no.
    """
    session.check_ioc(name)
    async with session.changing(f"ioc promote {name}", cables=True):
        pair = await session.pair(name)
        if pair.twin is None:
            raise UserError(f"{name} has one machine only, {pair.live}: nothing to promote")
        machine = (await session.machines((pair.live,)))[pair.live]
        if not interaction.confirm(
            f"This keeps {pair.live} and removes {pair.twin} for good, with its persistent folder "
            "and log. Go on?"
        ):
            return None
        await _retire(session, pair, pair.twin, machine, interaction)
    return pair.live


async def _retire(
    session: Session, pair: Pair, other: str, live: Machine, interaction: Interaction
) -> None:
    declared = (await compare(session, frozenset((pair.ioc,)))).declared.iocs[pair.ioc]
    home = {key: declared.labels[key] for key in (NETWORK, NIC_DIGEST)}
    sandbox = twins_network(declared.network)
    steps = [
        ("keep", f"keep {pair.live} on {declared.network}"),
        ("remove", f"remove {other} and its persistent folder"),
        ("clear", "clear the sandbox where no twin is left"),
    ]
    engine = session.engine
    recorder = Recorder(session, "ioc promote", about=(), moved=(pair.ioc,))
    async with session.task(
        "ioc promote",
        detail=pair.ioc,
        steps=steps,
        listener=interaction.listener,
        recorder=recorder,
    ) as task:
        await task.step_started("keep")
        # Home first: with two machines this changes nothing, with one it is what holds.
        cable = (await engine.wiring.cables([live]))[pair.live].recorded
        await engine.set_labels(live.name, home)
        await engine.wiring.record_moves({pair.live: cable}, notes={})
        await engine.wiring.finish_moves()
        await task.step_done("keep")
        await task.step_started("remove")
        await engine.delete(other)
        await task.step_done("remove")
        await task.step_started("clear")
        await _clear_sandbox(session, sandbox)
        await task.step_done("clear")


async def _clear_sandbox(session: Session, sandbox: str) -> None:
    engine, machines = session.engine, await session.machines()
    cables = await engine.wiring.cables()
    desk = desk_name(sandbox)
    for name, machine in machines.items():
        homes = (machine.labels.get(NETWORK), cables[name].recorded if name in cables else None)
        if name != desk and sandbox in homes:
            return
    await engine.delete(desk)
    await engine.remove_network(sandbox)
    await engine.set_record({f"network.{sandbox}": None})
