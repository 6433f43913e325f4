"""`linacre service`: one service at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linacre.cli.context import FileOption, JsonOption, run, say, session_of

if TYPE_CHECKING:
    from linacre.facility.service_status import ServiceStatus

app = typer.Typer(no_args_is_help=True, help="One service at a time.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The service.")]


@app.command("list")
def list_services(file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the declared services."""
    from linacre.cli.render import print_json, print_table

    async def work() -> list[dict[str, Any]]:
        session = await session_of(file)
        return [
            {
                "name": name,
                "address": str(service.address),
                "network": service.network or "",
                "ports": list(service.ports),
                "packages": list(service.packages),
                "area": service.area,
                "owner": service.owner,
                "description": service.description,
            }
            for name, service in session.declaration.facility.services.items()
        ]

    rows = run(work())
    if as_json:
        print_json(rows)
        return
    columns = ["name", "address", "network", "ports", "packages", "area", "owner", "description"]
    print_table([c.upper() for c in columns], [[_shown(row[c]) for c in columns] for row in rows])


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(str(each) for each in value) or "-"  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]  # lists of anything
    return "-" if value is None or value == "" else str(value)


@app.command()
def show(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a service: where it is declared, how it does, its ports."""
    from dataclasses import asdict

    from linacre.cli.render import print_json
    from linacre.facility.services import declared_service
    from linacre.facility.status import facility_status

    async def work() -> tuple[ServiceStatus, str]:
        session = await session_of(file)
        declared_service(session, name)
        found = await facility_status(session)
        row = next(each for each in found.services if each.name == name)
        return row, session.declaration.where("services", name)

    row, declared = run(work())
    whole = asdict(row) | {"declared": declared}
    if as_json:
        print_json(whole)
        return
    for key, value in whole.items():
        typer.echo(f"{key:<12} {_shown(value)}")


def _act(verb: str, name: str, file: FileOption) -> None:
    from linacre.facility.iocs import Verb
    from linacre.facility.services import act_on_service

    async def work() -> bool:
        return await act_on_service(await session_of(file), Verb(verb), name)

    done = {"start": "started", "stop": "stopped", "restart": "restarted"}[verb]
    say(f"{name}: {done if run(work()) else f'was {done} already'}")


@app.command()
def start(name: NameArgument, file: FileOption = None) -> None:
    """Start a service's machine, and wait until the service serves."""
    _act("start", name, file)


@app.command()
def stop(name: NameArgument, file: FileOption = None) -> None:
    """Stop a service and its machine; `up` starts it again."""
    _act("stop", name, file)


@app.command()
def restart(name: NameArgument, file: FileOption = None) -> None:
    """Restart a service and its procServ; its machine goes on."""
    _act("restart", name, file)


@app.command()
def console(name: NameArgument, file: FileOption = None) -> None:
    """Join the command's terminal, also when the machine's network is broken; Ctrl-] leaves."""
    from linacre.cli.terminal import join, terminal_size
    from linacre.facility.services import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            await running_machine(session, name)
            if terminal_size() is not None:
                say(f"the console of {name}; Ctrl-] leaves")
            return await join(await engine.console(name), detach=True)

    raise typer.Exit(run(work()))


@app.command()
def shell(name: NameArgument, file: FileOption = None) -> None:
    """Open a shell in a service's machine, also when SSH or its network is broken."""
    from linacre.cli.desk import run_in
    from linacre.facility.services import running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            await running_machine(session, name)
            return await run_in(engine, name, ["/bin/bash", "-l"])

    raise typer.Exit(run(work()))


@app.command()
def log(
    name: NameArgument,
    file: FileOption = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
) -> None:
    """Print the end of a service's log: what its command printed."""
    from linacre.cli.desk import run_in
    from linacre.epics.launch import LOG_NAME
    from linacre.facility.services import declared_service, running_machine

    async def work() -> int:
        session = await session_of(file)
        async with session.engine_up() as engine:
            await running_machine(session, name)
            layout = engine.layout(name, declared_service(session, name).address)
            following = ["-F"] if follow else []
            argv = ["tail", "-n", str(lines), *following, str(layout.log / LOG_NAME)]
            return await run_in(engine, name, argv)

    raise typer.Exit(run(work()))
