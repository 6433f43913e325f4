"""`linacre find`: what is known of IOCs and PVs, from the catalogue alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import FileOption, JsonOption, known_facility, run, say

if TYPE_CHECKING:
    from linacre.catalogue.model import Found, Match

app = typer.Typer()


@app.command()
def find(
    pattern: Annotated[
        str, typer.Argument(help="A name, or a pattern with *, ? and [], in quotes.")
    ],
    file: FileOption = None,
    as_json: JsonOption = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000_000, help="How many at most.")
    ] = 1000,
) -> None:
    """Find PVs by their name, and IOCs by name, owner, area, device type or start error."""
    from linacre.cli.render import print_json, print_table

    found = run(_found(file, pattern, limit))
    if as_json:
        print_json({"matches": found.matches, "more": found.more})
        raise typer.Exit(0 if found.matches else 1)
    columns = ["PV", "TYPE", "IOC", "ADDRESS", "AREA", "OWNER", "DESCRIPTION"]
    rows = [
        [m.pv or "-", m.record_type, m.ioc, m.address, m.area, m.owner, _described(m)]
        for m in found.matches
    ]
    if not rows:
        say(f"nothing is called {pattern}; a pattern has *, such as '*{pattern}*'")
        raise typer.Exit(1)
    print_table(columns, rows)
    if found.more:
        say(f"the first {limit} are shown, and there are more: --limit, or a narrower pattern")


def _described(match: Match) -> str:
    from linacre.base.listing import counted

    if not match.start_messages:
        return match.description
    told = f"{counted(match.start_errors or 0, 'error')} in its start script, the first: "
    return "; ".join(filter(None, (match.description, told + match.start_messages[0])))


async def _found(file: Path | None, pattern: str, limit: int) -> Found:
    known = known_facility(file)
    async with known.catalogue_open() as catalogue:
        return await catalogue.inventory(known.name).find(pattern, limit=limit)
