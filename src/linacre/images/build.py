"""Building an image: packages and wheels fetched first, then one root file system made of them.

Images are kept by the digest of their recipe. `python -m linacre.images.build` builds the image
of IOC machines by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.images.confined import confined
from linacre.images.packages import fetch_packages
from linacre.images.process import Tool
from linacre.images.recipe import Recipe
from linacre.images.sources import host_codename, read_sources, sources_for
from linacre.images.wheel import pack_wheel
from linacre.images.wheels import fetch_wheels

_BUILDING = ".building"


@dataclass(frozen=True)
class BuiltImage:
    """An image on this machine, in the two files that Incus takes."""

    digest: str
    path: Path
    """The folder of the image; the same as `BuiltImage.folder_of(images, digest)`."""
    seconds_download: float = 0.0
    seconds_build: float = 0.0
    """Both are 0 where the image was there already."""

    @property
    def metadata(self) -> Path:
        """The metadata tarball."""
        return self.path / "metadata.tar"

    @property
    def rootfs(self) -> Path:
        """The root file system, a squashfs."""
        return self.path / "rootfs.squashfs"


async def build_image(
    recipe: Recipe, *, images: Path, downloads: Path, report: Callable[[str], None]
) -> BuiltImage:
    """Return the recipe's image, building it where it is not there yet.

    One build at a time on a machine: a second caller waits and then finds the image. What an
    interrupted build left is cleared first. Raises `LinacreError` in one line with the log's place.
    """
    digest = recipe.digest()
    built = BuiltImage(digest=digest, path=images / digest)
    if built.path.is_dir():
        return built
    if os.geteuid() != 0:
        raise UserError(
            f"building the image {recipe.name} needs root; run this as root once, "
            "or use the process engine (`engine: process`)"
        )
    images.mkdir(parents=True, exist_ok=True)
    downloads.mkdir(parents=True, exist_ok=True)
    async with _one_at_a_time(images / ".lock", report=report):
        if built.path.is_dir():
            return built
        return await _build(recipe, built, images=images, downloads=downloads, report=report)


async def _build(
    recipe: Recipe,
    built: BuiltImage,
    *,
    images: Path,
    downloads: Path,
    report: Callable[[str], None],
) -> BuiltImage:
    work = images / _BUILDING
    clear(work)
    work.mkdir(mode=0o700)
    log = images / f"build-{built.digest}.log"
    log.write_bytes(b"")
    _require_programs(recipe)

    started = time.monotonic()
    sources = sources_for(recipe.suite, read_sources(), codename=host_codename())
    archive = await fetch_packages(
        recipe, sources=sources, downloads=downloads, log=log, report=report
    )
    wheels = await fetch_wheels(recipe, downloads=downloads, log=log, report=report)
    fetched = time.monotonic()
    report(f"image {recipe.name}: packages are here ({fetched - started:.0f} s of downloading)")

    result = work / "result"
    result.mkdir()
    await _make_root(recipe, archive=archive, wheels=wheels, work=work, log=log)
    report(f"image {recipe.name}: packing the file system")
    await _pack(recipe, built.digest, work=work, result=result, log=log)
    result.rename(built.path)
    clear(work)
    seconds = time.monotonic() - fetched
    size = built.rootfs.stat().st_size / 1e6
    report(f"image {recipe.name}: built in {seconds:.0f} s, {size:.0f} MB ({built.digest})")
    return BuiltImage(
        digest=built.digest,
        path=built.path,
        seconds_download=fetched - started,
        seconds_build=seconds,
    )


def _require_programs(recipe: Recipe) -> None:
    """Check that what machines run is compiled: an image without it would start no IOC."""
    there = {(path.parents[1].name, path.parent.name) for path in recipe.package_files()}
    for module, program in (("epics", "softIoc"), ("archiver", "what it takes samples with")):
        if module in recipe.modules and (module, "bin") not in there:
            raise LinacreError(
                f"linacre/{module}/bin ({program}) is not compiled, so the image cannot be built; "
                "install g++ and then Linacre again (a checkout: remove .venv and run ./linacre)"
            )


async def _make_root(recipe: Recipe, *, archive: Path, wheels: Path, work: Path, log: Path) -> None:
    together = work / "wheels"
    together.mkdir()
    for wheel in wheels.glob("*.whl"):
        os.link(wheel, together / wheel.name)
    pack_wheel(together, recipe, machine=platform.machine())
    rules = [f"--dpkgopt=path-exclude={path}" for path in recipe.exclude]
    rules += [f"--dpkgopt=path-include={path}" for path in recipe.include_again]
    stand_ins = ["linacre-stand-ins"] if recipe.stand_ins else []
    command = confined(
        *("mmdebstrap", "--mode=root", "--variant=essential", "--format=directory"),
        *("--skip=check/empty", "--dpkgopt=force-unsafe-io", *rules),
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=APT::Sandbox::User "root"',
        f"--include={','.join([*recipe.packages, *recipe.added, *stand_ins])}",
        *(f'--customize-hook=sh -e "{script}" "$1"' for script in recipe.customize),
        *(recipe.suite, str(work / "root")),
        f"deb [trusted=yes] copy:{archive} ./",
        work=work,
    )
    environment = {
        "FILES": str(recipe.files),
        "WHEELS": str(together),
        "PYTHON": recipe.python,
        "TMPDIR": str(work),
    }
    await Tool(log=log, environment=environment).run(
        command, what=f"building the image {recipe.name}"
    )


async def _pack(recipe: Recipe, digest: str, *, work: Path, result: Path, log: Path) -> None:
    squash = confined(
        *("mksquashfs", work / "root", result / "rootfs.squashfs", "-comp", "zstd"),
        *("-Xcompression-level", "6", "-noappend", "-no-progress", "-no-xattrs", "-quiet"),
        work=work,
    )
    await Tool(log=log).run(squash, what=f"packing the image {recipe.name}")
    metadata = (
        f"architecture: {platform.machine()}\ncreation_date: {int(time.time())}\n"
        f"properties:\n  description: Linacre {recipe.name} on Debian {recipe.suite}\n"
        f"  os: debian\n  release: {recipe.suite}\n  linacre.digest: {digest}\n"
    ).encode()
    with tarfile.open(result / "metadata.tar", "w") as archive:
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(metadata)
        entry.mtime = int(time.time())
        archive.addfile(entry, io.BytesIO(metadata))


def clear(work: Path) -> None:
    """Remove a build folder with whatever is still mounted in it."""
    for mount in sorted(_mounts_below(work), reverse=True):
        # Lazily: a mount held by a process that is about to end is no obstacle.
        subprocess.run(["umount", "-l", mount], check=False)
    if work.exists():
        shutil.rmtree(work)


def _mounts_below(folder: Path) -> Iterator[str]:
    prefix = f"{folder.resolve()}/"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point.startswith(prefix):
            yield point


@contextlib.asynccontextmanager
async def _one_at_a_time(path: Path, *, report: Callable[[str], None]) -> AsyncGenerator[None]:
    with path.open("w") as lock:
        waiting = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    report("image: another build is under way; waiting for it")
                waiting = True
                await asyncio.sleep(0.2)
        yield


def main() -> int:
    """Build the image of IOC machines into the state folder."""
    state = StatePaths.from_environment()
    try:
        built = asyncio.run(
            build_image(Recipe.load(), images=state.images, downloads=state.downloads, report=print)
        )
    except LinacreError as error:
        print(f"linacre: {error}", file=sys.stderr)
        return error.exit_status
    print(built.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
