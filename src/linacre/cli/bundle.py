"""`linacre bundle`: all that a facility needs, in one file, for a machine without the internet."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from linacre.cli.context import (
    FileOption,
    JsonOption,
    YesOption,
    confirm,
    put,
    run,
    say,
    session_of,
)

if TYPE_CHECKING:
    from linacre.images.bundle import Manifest

app = typer.Typer()


@app.command()
def bundle(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    facility: FileOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pack all that the facility needs, for ./linacre --bundle FILE up without a network."""
    from linacre.base.errors import UserError
    from linacre.base.sizes import readable

    if file.is_dir():
        raise UserError(f"{file} is a folder; write a file, such as {file / 'linacre.bundle'}")
    if not file.absolute().parent.is_dir():
        raise UserError(f"there is no folder {file.absolute().parent}; make it first")
    if file.exists() and not yes:
        about = file.stat()
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.st_mtime))
        if not confirm(f"{file} ({readable(about.st_size)}, of {when}) is lost. Go on?"):
            raise typer.Exit(1)
    begun = time.monotonic()
    manifest = run(_make(file, facility))
    _show(file, manifest, took_s=time.monotonic() - begun, as_json=as_json)


async def _make(file: Path, facility: Path | None) -> Manifest:
    import tempfile

    from linacre.operations.bundle import make_bundle

    session = await session_of(facility)
    with tempfile.TemporaryDirectory(prefix="linacre-bundle-") as scratch:
        return await make_bundle(session, file, scratch=Path(scratch), report=say)


def _show(file: Path, manifest: Manifest, *, took_s: float, as_json: bool) -> None:
    from dataclasses import asdict

    from linacre.base.sizes import readable
    from linacre.cli.render import print_json

    size = file.stat().st_size
    if as_json:
        shown = {"file": str(file.absolute()), "bytes": size, **asdict(manifest)}
        print_json({**shown, "took_s": round(took_s, 3)})
        return
    put(
        f"{file}: {readable(size)} for {manifest.facility} on Debian {manifest.release} "
        f"{manifest.architecture}, {took_s:.0f} s; there: ./linacre --bundle {file.name} up"
    )
