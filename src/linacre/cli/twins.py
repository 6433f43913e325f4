"""`linacre ioc twin`, `swap`, `promote`, `plug`, `unplug`: an IOC's machines and their cables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.changing import agreed, carry_out, tell
from linacre.cli.context import FileOption, JsonOption, YesOption, say
from linacre.cli.ioc import NameArgument, TwinOption

if TYPE_CHECKING:
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
    from linacre.operations.twins.twins import make_twin

    def words(made: Twin) -> None:
        say(f"{made.machine} runs on {made.network}, from {made.origin}; try it there:")
        say(f"  linacre exec --network {made.network} -- caget PV")
        say(f"  linacre ioc console {name} --twin")
        say(f"then exchange the two: linacre ioc swap {name}")

    made = carry_out(
        lambda session, asking: make_twin(session, name, source=source, interaction=asking),
        file,
        yes=yes,
    )
    tell(agreed(made), words, as_json=as_json)


@app.command()
def swap(
    name: NameArgument, yes: YesOption = False, file: FileOption = None, as_json: JsonOption = False
) -> None:
    """Exchange the cables of an IOC and its twin; once more, and all is as it was."""
    from linacre.operations.twins.swap import swap as exchange

    def words(done: Swapped) -> None:
        took = f"{done.took_s * 1000:.0f} ms"
        say(f"{name}: {done.live} is live ({took}); {done.unplugged} runs on, unplugged")
        say(f"back: linacre ioc swap {name}; for good: linacre ioc promote {name}")

    done = carry_out(lambda session, asking: exchange(session, name, asking), file, yes=yes)
    tell(agreed(done), words, as_json=as_json)


@app.command()
def promote(name: NameArgument, yes: YesOption = False, file: FileOption = None) -> None:
    """Keep the live machine of an IOC and remove the other one."""
    from linacre.operations.twins.swap import promote as keep

    kept = carry_out(lambda session, asking: keep(session, name, asking), file, yes=yes)
    say(f"{name}: {agreed(kept)} is its one machine now")


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
    from linacre.operations.twins.plugging import plug as plug_in

    where = carry_out(
        lambda session, asking: plug_in(session, name, network, twin=twin, interaction=asking),
        file,
        yes=True,
    )
    say(f"{'the twin of ' if twin else ''}{name} is plugged into {where}")


@app.command()
def unplug(
    name: NameArgument, twin: TwinOption = False, yes: YesOption = False, file: FileOption = None
) -> None:
    """Pull the cable of an IOC's machine; it runs on, and `plug` brings it back."""
    from linacre.operations.twins.plugging import unplug as pull

    done = carry_out(
        lambda session, asking: pull(session, name, twin=twin, interaction=asking), file, yes=yes
    )
    agreed(done or None)
    say(f"{'the twin of ' if twin else ''}{name} is unplugged, and runs on")
