"""Fetching Debian packages once, into a small archive of their own that images are built from."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from linacre.base.errors import LinacreError
from linacre.images.apt import Apt, NoSuchPackageError, fetch_archive
from linacre.images.process import Tool
from linacre.images.recipe import Recipe
from linacre.images.sources import AptSource

_MAX_AGE_S = 7 * 24 * 3600
_STAND_INS = "linacre-stand-ins"


async def fetch_packages(
    recipe: Recipe,
    *,
    sources: Sequence[AptSource],
    downloads: Path,
    log: Path,
    report: Callable[[str], None],
) -> Path:
    """Return a folder with `Packages` and all .deb files of the recipe, fetching what is missing.

    A complete folder younger than a week is used as it is; an older one is used only when the
    archive cannot be reached. Raises `NoSuchPackageError` for a package that there is not,
    `LinacreError` where nothing serves.
    """
    wanted = [
        *recipe.packages,
        *recipe.added,
        *recipe.stand_ins,
        *(source.line() for source in sources),
    ]
    key = hashlib.sha256("\n".join([recipe.suite, *wanted]).encode()).hexdigest()[:12]
    archive = downloads / f"{recipe.suite}-{key}"
    if archive.is_dir() and time.time() - archive.stat().st_mtime < _MAX_AGE_S:
        return archive
    try:
        return await _fetch(recipe, sources=sources, archive=archive, log=log, report=report)
    except LinacreError as error:
        if not archive.is_dir() or isinstance(error, NoSuchPackageError):
            raise
        report(f"image {recipe.name}: using the packages fetched before ({error})")
        return archive


async def _fetch(
    recipe: Recipe,
    *,
    sources: Sequence[AptSource],
    archive: Path,
    log: Path,
    report: Callable[[str], None],
) -> Path:
    apt = Apt(archive.parent / f"apt-{recipe.suite}")
    apt.prepare(sources)
    await _make_stand_ins(apt, recipe.stand_ins, log=log)
    extra = [_STAND_INS] if recipe.stand_ins else []
    # APT calls itself essential; an image without it is a good deal smaller.
    chosen = ["?and(?essential,?not(?exact-name(apt)))", *recipe.packages, *recipe.added, *extra]
    return await fetch_archive(
        apt,
        chosen,
        archive=archive,
        suite=recipe.suite,
        log=log,
        count=lambda n: report(f"image {recipe.name}: fetching {n} Debian packages"),
    )


async def _make_stand_ins(apt: Apt, names: Sequence[str], *, log: Path) -> None:
    """Make a local archive with one empty package that provides the given names."""
    tree = apt.root / "stand-in"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {_STAND_INS}\nVersion: 1\nArchitecture: all\n"
        f"Maintainer: Linacre <linacre@localhost>\nProvides: {', '.join(names)}\n"
        "Description: stands in for daemons that a light machine does without\n"
    )
    (tree / "DEBIAN" / "control").write_text(control)
    deb = apt.stand_ins / f"{_STAND_INS}_1_all.deb"
    build = ["dpkg-deb", "--root-owner-group", "--build", tree, deb]
    await Tool(log=log).run(build, what="making the stand-in package")
    data = deb.read_bytes()
    (apt.stand_ins / "Packages").write_text(
        f"{control.strip()}\nFilename: ./{deb.name}\nSize: {len(data)}\n"
        f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
    )
    # The package differs by its time stamp each time it is made.
    (apt.archives / deb.name).unlink(missing_ok=True)
