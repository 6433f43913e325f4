"""`linacre doctor`: what is wrong with a facility, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import FileOption, JsonOption, run, session_of

if TYPE_CHECKING:
    from linacre.observing.doctor.model import Diagnosis

app = typer.Typer()


@app.command()
def doctor(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FACILITY]", help="The facility file, or its folder.", show_default=False
        ),
    ] = None,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what is wrong with the facility and its host; the exit status is 1 where anything is."""
    from linacre.observing.doctor.run import diagnose

    async def work() -> Diagnosis:
        return await diagnose(await session_of(where or file))

    found = run(work())
    if as_json:
        from linacre.cli.render import print_json

        print_json(found)
    else:
        _show(found)
    if not found.healthy:
        raise typer.Exit(1)


def _show(found: Diagnosis) -> None:
    from rich.console import Console
    from rich.text import Text

    from linacre.base.listing import counted
    from linacre.base.orders import without_orders
    from linacre.kinds.checking.model import Verdict

    styles = {
        Verdict.OK: "green",
        Verdict.WARNING: "yellow",
        Verdict.PROBLEM: "bold red",
        Verdict.NOT_APPLICABLE: "dim",
    }
    console = Console(highlight=False)
    widest = max(len(each.title) for each in found.checks)

    def line(*parts: str | tuple[str, str]) -> None:
        shown = (
            without_orders(part) if isinstance(part, str) else (without_orders(part[0]), part[1])
            for part in parts
        )
        console.print(Text.assemble(*shown), soft_wrap=True)

    for each in found.checks:
        style = styles[each.verdict]
        line((f"{each.verdict:<14}", style), f"  {each.title:<{widest}}  ", (each.said, "dim"))
        for finding in each.findings:
            line("    ", (finding.what, styles[finding.verdict]), f": {finding.text}")
            line("      -> ", finding.remedy)
    wrong = [
        counted(number, noun)
        for number, noun in ((found.problems, "problem"), (found.warnings, "warning"))
        if number
    ]
    iocs = counted(found.iocs, "IOC")
    summary = ", ".join(wrong) or "nothing is wrong"
    if found.checks[0].verdict is Verdict.NOT_APPLICABLE:
        summary = f"not up; {summary}"
    line(f"{found.facility}: {iocs}, {found.engine} engine: {summary} ({found.took_s:.1f} s)")
