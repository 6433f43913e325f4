"""`linacre ioc who`: who is connected to an IOC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from linacre.cli.context import FileOption, JsonOption, put, run, session_of
from linacre.cli.ioc import NameArgument, TwinOption

if TYPE_CHECKING:
    from linacre.observing.who import KnownClient

app = typer.Typer()


@app.command()
def who(
    name: NameArgument,
    twin: TwinOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who is connected to an IOC: clients of its servers, its console and its log-in."""
    from linacre.cli.render import print_json
    from linacre.observing.who import clients_of
    from linacre.operations.iocs.machines import running_machine

    async def work() -> list[KnownClient]:
        session = await session_of(file)
        async with session.engine_up():
            machine = await running_machine(session, name, twin=twin)
            return await clients_of(session, machine.name)

    found = run(work())
    if as_json:
        print_json(found)
    elif not found:
        put("nobody is connected")
    else:
        show(found)


def show(clients: list[KnownClient]) -> None:
    """Print clients as a table."""
    from linacre.cli.render import print_table

    rows = [
        [f"{each.address}:{each.port}", each.protocol]
        + [text or "-" for text in (each.user, each.host, each.what)]
        for each in clients
    ]
    print_table(["CLIENT", "PROTOCOL", "USER", "HOST", "WHAT"], rows)
