"""`linacre ioc twin`, `swap`, `promote`, `plug`, `unplug`: an IOC's machines and their cables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    progress_interaction,
    run,
    say,
    session_of,
)
from linacre.cli.ioc import NameArgument, TwinOption

if TYPE_CHECKING:
    from linacre.cli.render import UpProgress
    from linacre.operations.twins.swap import Swapped
    from linacre.operations.twins.twins import Twin

app = typer.Typer()


@app.command()
def twin(
    name: NameArgument,
    source: Annotated[
        Path | None,
        typer.Option(
            "--source",
            metavar="DIR",
            help="A folder with other files for it; without it, those declared.",
            show_default=False,
        ),
    ] = None,
    yes: YesOption = False,
    file: FileOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a twin of an IOC: the same address on a sandbox network, beside the live one."""
    from linacre.cli.render import UpProgress, print_json
    from linacre.operations.twins.twins import make_twin

    async def work(progress: UpProgress) -> Twin | None:
        interaction = progress_interaction(progress, yes=yes)
        return await make_twin(await session_of(file), name, source=source, interaction=interaction)

    with UpProgress() as progress:
        made = run(work(progress))
    if made is None:
        _nothing_done()
    elif as_json:
        print_json(made)
    else:
        say(f"{made.machine} runs on {made.network}, from {made.origin}; try it there:")
        say(f"  linacre exec --network {made.network} -- caget PV")
        say(f"  linacre ioc console {name} --twin")
        say(f"then exchange the two: linacre ioc swap {name}")


def _nothing_done() -> None:
    say("nothing was changed")
    raise typer.Exit(1)


@app.command()
def swap(
    name: NameArgument, yes: YesOption = False, file: FileOption = None, as_json: JsonOption = False
) -> None:
    """Exchange the cables of an IOC and its twin; once more, and all is as it was."""
    from linacre.cli.render import UpProgress, print_json
    from linacre.operations.twins.swap import swap as exchange

    async def work(progress: UpProgress) -> Swapped | None:
        return await exchange(await session_of(file), name, progress_interaction(progress, yes=yes))

    with UpProgress() as progress:
        done = run(work(progress))
    if done is None:
        _nothing_done()
    elif as_json:
        print_json(done)
    else:
        took = f"{done.took_s * 1000:.0f} ms"
        say(f"{name}: {done.live} is live ({took}); {done.unplugged} runs on, unplugged")
        say(f"back: linacre ioc swap {name}; for good: linacre ioc promote {name}")


@app.command()
def promote(name: NameArgument, yes: YesOption = False, file: FileOption = None) -> None:
    """Keep the live machine of an IOC and remove the other one."""
    from linacre.cli.render import UpProgress
    from linacre.operations.twins.swap import promote as keep

    async def work(progress: UpProgress) -> str | None:
        return await keep(await session_of(file), name, progress_interaction(progress, yes=yes))

    with UpProgress() as progress:
        kept = run(work(progress))
    if kept is None:
        _nothing_done()
    say(f"{name}: {kept} is its one machine now")


@app.command()
def plug(
    name: NameArgument,
    twin: TwinOption = False,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            help="The network; if not given, the IOC's own, for a twin its sandbox.",
            show_default=False,
        ),
    ] = None,
    file: FileOption = None,
) -> None:
    """Plug the cable of an IOC's machine in."""
    from linacre.cli.render import UpProgress
    from linacre.operations.twins.plugging import plug as plug_in

    async def work(progress: UpProgress) -> str:
        interaction = progress_interaction(progress, yes=True)
        return await plug_in(
            await session_of(file), name, network, twin=twin, interaction=interaction
        )

    with UpProgress() as progress:
        where = run(work(progress))
    say(f"{'the twin of ' if twin else ''}{name} is plugged into {where}")


@app.command()
def unplug(
    name: NameArgument, twin: TwinOption = False, yes: YesOption = False, file: FileOption = None
) -> None:
    """Pull the cable of an IOC's machine; it runs on, and `plug` brings it back."""
    from linacre.cli.render import UpProgress
    from linacre.operations.twins.plugging import unplug as pull

    async def work(progress: UpProgress) -> bool:
        interaction = progress_interaction(progress, yes=yes)
        return await pull(await session_of(file), name, twin=twin, interaction=interaction)

    with UpProgress() as progress:
        done = run(work(progress))
    if not done:
        _nothing_done()
    say(f"{'the twin of ' if twin else ''}{name} is unplugged, and runs on")
