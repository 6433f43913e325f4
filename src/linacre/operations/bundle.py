"""What a facility needs to come up where no archive can be reached, and packing it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.base.processes import run_tool
from linacre.declaration import models, sources
from linacre.declaration.fetching import update_mirror
from linacre.declaration.models import GitSource
from linacre.images.bundle import Manifest, PartFiles, image_part, source_part, write_bundle
from linacre.images.bundle_contents import Checkout, host_packages, python_packages
from linacre.kinds.image import have_image, possible_images
from linacre.kinds.registry import kinds_of
from linacre.session.session import Session


async def make_bundle(
    session: Session, file: Path, *, scratch: Path, report: Callable[[str], None]
) -> Manifest:
    """Write a bundle for the facility, fetching and building what is not here; return what it is.

    `scratch` is an empty folder. Raises `LinacreError` where something cannot be fetched or
    written, `UserError` where this Linacre has no source folder.
    """
    checkout = Checkout.find()
    state = session.state
    state.downloads.mkdir(parents=True, exist_ok=True)
    log = state.downloads / "bundle.log"
    log.write_bytes(b"")
    parts = [
        await host_packages(checkout, state=state, log=log, report=report),
        await python_packages(checkout, state=state, log=log, report=report),
        *await _images(session, report=report),
        *await _mirrors(session, scratch=scratch, report=report),
    ]
    report(f"writing {file}")
    return write_bundle(file, checkout.manifest(session.name), parts, report=report)


async def _images(session: Session, *, report: Callable[[str], None]) -> list[PartFiles]:
    """Return the images of the facility's machines, and archivers'; none for processes.

    An archiver is made on demand, which may be where no archive of packages is reached.
    """
    settings = session.declaration.facility.engine
    if isinstance(settings, models.ProcessEngine):
        return []
    found: list[PartFiles] = []
    try:
        for recipe in possible_images(session.declaration, kinds_of(session)):
            folder = await have_image(session, recipe.digest(), report=report)
            files = [(path.name, path) for path in sorted(folder.iterdir())]
            found.append(PartFiles(image_part(folder.name), f"image {folder.name}", files))
    except UserError as error:
        if isinstance(settings, models.IncusEngine) or os.geteuid() == 0:
            raise
        # `auto`: who cannot build images may still go to where IOCs are processes.
        report(f"no image goes in, so the bundle serves the process engine only: {error}")
        return []
    return found


async def _mirrors(
    session: Session, *, scratch: Path, report: Callable[[str], None]
) -> list[PartFiles]:
    """Return a mirror of each git repository that IOCs and services name, as it is now."""
    named = [
        (f"{section.noun} {name}", getattr(each, "source", None))
        for section, name, each in session.declaration.facility.machines()
    ]
    urls: dict[Path, str] = {}
    for whose, source in named:
        if not isinstance(source, GitSource):
            continue
        mirror = sources.mirror_of(source.git, session.paths)
        if mirror not in urls:
            report(f"fetching {source.git}")
            await _ask_again(mirror, source.git)
        await sources.fetch(
            source, base=session.declaration.folder, paths=session.paths, whose=whose
        )
        urls[mirror] = source.git
    return [await _mirror_part(mirror, url, scratch) for mirror, url in urls.items()]


async def _ask_again(mirror: Path, url: str) -> None:
    """Let a mirror that came from a bundle ask its server, and bring it up to date."""
    if not mirror.exists():
        return
    setting = ("config", "--unset-all", "remote.origin.skipDefaultUpdate")
    with contextlib.suppress(LinacreError):
        await run_tool("git", "-C", str(mirror), *setting)
    # A bundle with old files in it would be found out too late.
    await update_mirror(mirror, whose=url)


async def _mirror_part(mirror: Path, url: str, scratch: Path) -> PartFiles:
    # Its settings are made anew: those of the mirror here may name this machine's credentials.
    copy = scratch / mirror.name
    await run_tool("git", "clone", "--quiet", "--mirror", "--template=", str(mirror), str(copy))
    await run_tool("git", "-C", str(copy), "config", "remote.origin.url", url)
    # One file of names and one of objects, whatever became of the mirror.
    await run_tool("git", "-C", str(copy), "gc", "--quiet")
    files = [
        (str(path.relative_to(copy)), path) for path in sorted(copy.rglob("*")) if path.is_file()
    ]
    return PartFiles(source_part(mirror.stem), f"git repository {url}", files)
