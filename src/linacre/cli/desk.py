"""`linacre exec`, `shell` and `env`: at a network's desk, as its clients see it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.base.errors import LinacreError, UserError
from linacre.cli.context import (
    FileOption,
    JsonOption,
    SandboxOption,
    put,
    run,
    session_of,
)

if TYPE_CHECKING:
    from linacre.engines.base import Engine
    from linacre.session.session import Session

NetworkOption = Annotated[
    str | None,
    typer.Option("--network", help="The network; the first one if not given.", show_default=False),
]

app = typer.Typer()
_FORWARDED = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def _network(session: Session, named: str | None) -> str:
    from linacre.declaration.names import twins_network

    networks = session.declaration.facility.networks
    if named is None:
        return next(iter(networks))
    if named not in networks and named not in map(twins_network, networks):
        raise UserError(f"{session.name} has no network {named}; it has: {', '.join(networks)}")
    return named


async def _desk(session: Session, named: str | None) -> str:
    from linacre.declaration.models import desk_name
    from linacre.engines.base import MachineState

    name = desk_name(_network(session, named))
    machine = (await session.machines((name,))).get(name)
    if machine is None or machine.state is not MachineState.RUNNING:
        raise LinacreError(f"the desk {name} does not run: run linacre up")
    return name


async def run_in(engine: Engine, name: str, argv: list[str]) -> int:
    """Run a command in a machine, joined to our terminal or our pipes; return its status."""
    import asyncio

    from linacre.cli.terminal import join, terminal_size

    size = terminal_size()
    if size is not None:
        return await join(await engine.shell(name, argv, size=size), detach=False)
    stdin = b"" if sys.stdin.isatty() else await asyncio.to_thread(_read_input)

    def show(descriptor: int, data: bytes) -> None:
        out = sys.stdout if descriptor == 1 else sys.stderr
        out.buffer.write(data)
        out.buffer.flush()

    done = await engine.exec(name, argv, stdin=stdin, output=show)
    return done.status


def _read_input() -> bytes:
    return sys.stdin.buffer.read()


@app.command("exec", context_settings=_FORWARDED)
def execute(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="The command.")],
    network: NetworkOption = None,
    sandbox: SandboxOption = None,
    file: FileOption = None,
) -> None:
    """Run a command at a network's desk: `linacre exec -- caget X`."""

    async def work() -> int:
        session = await session_of(file, sandbox=sandbox)
        async with session.engine_up() as engine:
            return await run_in(engine, await _desk(session, network), command)

    raise typer.Exit(run(work()))


def at_desk(file: Path | None, network: str | None, *, sandbox: str | None = None) -> int:
    """Open a shell at a network's desk; return its status."""

    async def work() -> int:
        session = await session_of(file, sandbox=sandbox)
        async with session.engine_up() as engine:
            return await run_in(engine, await _desk(session, network), ["/bin/bash", "-l"])

    return run(work())


@app.command()
def shell(network: NetworkOption = None, file: FileOption = None) -> None:
    """Open a shell at a network's desk."""
    raise typer.Exit(at_desk(file, network))


@app.command("env")
def environment(
    network: NetworkOption = None,
    sandbox: SandboxOption = None,
    file: FileOption = None,
    as_json: JsonOption = False,
    where: Annotated[
        Path | None,
        typer.Argument(metavar="[FACILITY]", help="The facility file.", show_default=False),
    ] = None,
) -> None:
    """Print the EPICS variables for clients on this host: `eval $(linacre env)`."""
    from linacre.cli.render import print_json

    async def work() -> dict[str, str]:
        session = await session_of(where or file, sandbox=sandbox)
        async with session.engine_up() as engine:
            return await engine.client_environment(_network(session, network))

    found = run(work())
    if as_json:
        print_json(found)
        return
    for key, value in found.items():
        put(f"export {key}={shlex.quote(value)}")
