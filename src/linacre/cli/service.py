"""`linacre service`: one service at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from linacre.cli import programs
from linacre.cli.context import FileOption, JsonOption, run, session_of

if TYPE_CHECKING:
    from linacre.kinds.service.kind import ServiceStatus

app = typer.Typer()
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The service.")]


@app.command("list")
def list_services(file: FileOption = None, as_json: JsonOption = False) -> None:
    """List the declared services."""
    from linacre.cli.render import fact, print_json, print_table

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
    print_table([c.upper() for c in columns], [[fact(c, row[c]) for c in columns] for row in rows])


@app.command()
def show(name: NameArgument, file: FileOption = None, as_json: JsonOption = False) -> None:
    """Show all that is known of a service: where it is declared, how it does, its ports."""
    from dataclasses import asdict

    from linacre.cli.render import print_facts, print_json
    from linacre.kinds.registry import SERVICE
    from linacre.observing.status import facility_status
    from linacre.operations.services import declared_program

    async def work() -> tuple[ServiceStatus, str]:
        session = await session_of(file)
        declared_program(session, name, SERVICE)
        row = (await facility_status(session, (name,))).row(SERVICE, name)
        return row, session.declaration.where("services", name)

    row, declared = run(work())
    whole = asdict(row) | {"declared": declared}
    if as_json:
        print_json(whole)
        return
    print_facts(whole)


programs.add_to(app, "service")
