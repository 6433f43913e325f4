"""`linacre boot`: what starts with the host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from linacre.cli.context import JsonOption, journal_hook, progress_interaction, put, run, say

if TYPE_CHECKING:
    from linacre.operations.boot import Booted

app = typer.Typer()


@app.command()
def boot(as_json: JsonOption = False) -> None:
    """Start every facility marked autostart, as after a power cut; nothing is changed."""
    from linacre.base.paths import StatePaths
    from linacre.cli.render import UpProgress, print_json
    from linacre.operations import boot as facilities

    begun = time.monotonic()
    with UpProgress() as progress:
        outcomes = run(
            facilities.boot(
                StatePaths.from_environment(),
                progress_interaction(progress, yes=True),
                journal_hook=journal_hook(),
            )
        )
    for each in outcomes:
        if each.error is not None:
            say(f"linacre: {each.facility}: {each.error}")
    if as_json:
        print_json({"facilities": outcomes, "took_s": round(time.monotonic() - begun, 3)})
    else:
        for each in outcomes:
            put(_line(each))
        if not outcomes:
            put("no facility here is marked autostart: nothing to start")
    if any(each.error is not None for each in outcomes):
        raise typer.Exit(1)


def _line(booted: Booted) -> str:
    what = f"{booted.iocs_up} of {booted.iocs} IOCs up"
    if booted.outcome == "up":
        what += f", {len(booted.started)} machines started" if booted.started else ", ran already"
    else:
        what += f", {booted.outcome}"
    return f"{booted.facility}: {what}, {booted.took_s:.1f} s ({booted.engine} engine)"
