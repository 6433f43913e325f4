"""Fetching Debian packages once, into a small archive of their own that images are built from."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError
from linacre.images.process import Tool
from linacre.images.recipe import Recipe
from linacre.images.sources import AptSource

_MAX_AGE_S = 7 * 24 * 3600
_STAND_INS = "linacre-stand-ins"


@dataclass(frozen=True)
class _Apt:
    """APT with a state of its own: nothing of the machine's own packages is read or changed."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        return {"APT_CONFIG": str(self.root / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}

    @property
    def archives(self) -> Path:
        return self.root / "archives"

    @property
    def stand_ins(self) -> Path:
        return self.root / "stand-ins"

    def prepare(self, sources: Sequence[AptSource]) -> None:
        for folder in ("lists/partial", "archives/partial", "stand-ins"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        local = f"deb [trusted=yes] copy:{self.stand_ins} ./"
        lines = [source.line() for source in sources]
        (self.root / "sources.list").write_text("\n".join([*lines, local, ""]))
        (self.root / "status").touch()
        settings = {
            "Dir::State": self.root,
            "Dir::State::lists": self.root / "lists",
            "Dir::State::status": self.root / "status",
            "Dir::Cache": self.root,
            "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": self.root / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # A machine's own hooks may empty the archives after a download.
            "Binary::apt::APT::Keep-Downloaded-Packages": "true",
        }
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        clear = "#clear APT::Update::Post-Invoke;\n#clear DPkg::Post-Invoke;\n"
        (self.root / "apt.conf").write_text(text + clear)


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
    archive cannot be reached. Raises `LinacreError` where nothing serves.
    """
    wanted = [*recipe.packages, *recipe.stand_ins, *(source.line() for source in sources)]
    key = hashlib.sha256("\n".join([recipe.suite, *wanted]).encode()).hexdigest()[:12]
    archive = downloads / f"{recipe.suite}-{key}"
    if archive.is_dir() and time.time() - archive.stat().st_mtime < _MAX_AGE_S:
        return archive
    try:
        return await _fetch(recipe, sources=sources, archive=archive, log=log, report=report)
    except LinacreError as error:
        if not archive.is_dir():
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
    apt = _Apt(archive.parent / f"apt-{recipe.suite}")
    apt.prepare(sources)
    await _make_stand_ins(apt, recipe.stand_ins, log=log)
    tool = Tool(log=log, environment=apt.environment)
    await tool.run(["apt-get", "update", "-qq"], what="reading the lists of packages")
    extra = [_STAND_INS] if recipe.stand_ins else []
    # APT calls itself essential; an image without it is a good deal smaller.
    chosen = ["?and(?essential,?not(?exact-name(apt)))", *recipe.packages, *extra]
    install = ["apt-get", "install", "--yes", "-qq"]
    planned = await tool.output_of([*install, "--simulate", *chosen], what="choosing packages")
    names = list(planned_packages(planned))
    report(f"image {recipe.name}: fetching {len(names)} Debian packages")
    await tool.run([*install, "--download-only", *chosen], what="fetching packages")
    shown = await tool.output_of(
        ["apt-cache", "show", *(f"{name}={version}" for name, version, _ in names)],
        what="describing packages",
    )
    return _lay_out(
        apt.archives, archive, names=names, records=index_records(shown), suite=recipe.suite
    )


def planned_packages(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (name, version, architecture) from what `apt-get --simulate install` prints."""
    for match in re.finditer(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", text, re.MULTILINE):
        yield match[1], match[2], match[3]


def index_records(text: str) -> dict[tuple[str, str], str]:
    """Return APT's records by (name, version)."""
    found: dict[tuple[str, str], str] = {}
    for record in text.strip().split("\n\n"):
        name = re.search(r"^Package: (\S+)", record, re.MULTILINE)
        version = re.search(r"^Version: (\S+)", record, re.MULTILINE)
        if name and version:
            found.setdefault((name[1], version[1]), record)
    return found


def _lay_out(
    archives: Path,
    archive: Path,
    *,
    names: Sequence[tuple[str, str, str]],
    records: dict[tuple[str, str], str],
    suite: str,
) -> Path:
    """Make the finished folder at one stroke, sharing the files' blocks with APT's cache."""
    new = archive.with_name(archive.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    described: list[str] = []
    keep: set[str] = set()
    for name, version, architecture in names:
        file = f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        # A local URI is decoded once more on its way, so a % would not be found.
        plain = file.replace("%3a", "-")
        os.link(archives / file, new / plain)
        keep.add(file)
        record = records[name, version]
        described.append(re.sub(r"(?m)^Filename: .*$", f"Filename: ./{plain}", record))
    _write_index(new, "\n\n".join(described) + "\n", suite=suite)
    for path in archives.glob("*.deb"):
        if path.name not in keep:
            path.unlink()
    shutil.rmtree(archive, ignore_errors=True)
    new.rename(archive)
    return archive


def _write_index(folder: Path, packages: str, *, suite: str) -> None:
    (folder / "Packages").write_text(packages)
    digest = hashlib.sha256(packages.encode()).hexdigest()
    # mmdebstrap takes the essential packages of the suite by this name.
    (folder / "Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nSHA256:\n {digest} {len(packages.encode())} Packages\n"
    )


async def _make_stand_ins(apt: _Apt, names: Sequence[str], *, log: Path) -> None:
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
