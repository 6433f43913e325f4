"""APT with a state of its own, and archives made of what it fetches."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError
from linacre.images.process import Tool
from linacre.images.sources import AptSource


class NoSuchPackageError(LinacreError):
    """A package was asked for that the archive does not have."""

    def __init__(self, package: str, *, suite: str) -> None:
        self.package = package
        super().__init__(
            f"Debian {suite} has no package {package}; write one that it has, as "
            "`apt-cache search` shows them"
        )


_NO_SUCH = re.compile(
    r"^E: (?:Unable to locate package (\S+)|Package '(\S+)' has no installation candidate"
    r"|Couldn't find any package by (?:glob|regex) '(\S+)')",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Apt:
    """APT with a state of its own: nothing of the machine's own packages is read or changed."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """What tells APT's programs of this state."""
        return {"APT_CONFIG": str(self.root / "apt.conf"), "DEBIAN_FRONTEND": "noninteractive"}

    @property
    def archives(self) -> Path:
        """Where it keeps the .deb files it fetched."""
        return self.root / "archives"

    @property
    def stand_ins(self) -> Path:
        """A small archive of packages of our own, one source among the others."""
        return self.root / "stand-ins"

    def prepare(self, sources: Sequence[AptSource]) -> None:
        """Make its folders and settings; its archives are these sources and the stand-ins."""
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


async def fetch_archive(
    apt: Apt,
    chosen: Sequence[str],
    *,
    archive: Path,
    suite: str,
    log: Path,
    count: Callable[[int], None],
) -> Path:
    """Fetch what an empty system would need to install `chosen`, and lay it out as an archive.

    `apt` is prepared; `count` is told how many packages there are. The folder `archive` is
    replaced at one stroke. Raises `NoSuchPackageError` for the first package that there is not,
    `LinacreError` where a step fails.
    """
    tool = Tool(log=log, environment=apt.environment)
    await tool.run(["apt-get", "update", "-qq"], what="reading the lists of packages")
    install = ["apt-get", "install", "--yes", "-qq"]
    begun = log.stat().st_size
    try:
        planned = await tool.output_of([*install, "--simulate", *chosen], what="choosing packages")
    except LinacreError as error:
        said = log.read_bytes()[begun:].decode(errors="replace")
        if match := _NO_SUCH.search(said):
            raise NoSuchPackageError(next(filter(None, match.groups())), suite=suite) from error
        raise
    names = list(planned_packages(planned))
    count(len(names))
    await tool.run([*install, "--download-only", *chosen], what="fetching packages")
    shown = await tool.output_of(
        ["apt-cache", "show", *(f"{name}={version}" for name, version, _ in names)],
        what="describing packages",
    )
    return _lay_out(apt.archives, archive, names=names, records=index_records(shown), suite=suite)


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
    for name, version, architecture in names:
        file = f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        # A local URI is decoded once more on its way, so a % would not be found.
        plain = file.replace("%3a", "-")
        os.link(archives / file, new / plain)
        record = records[name, version]
        described.append(re.sub(r"(?m)^Filename: .*$", f"Filename: ./{plain}", record))
    _write_index(new, "\n\n".join(described) + "\n", suite=suite)
    shutil.rmtree(archive, ignore_errors=True)
    new.rename(archive)
    for path in archives.glob("*.deb"):
        # One that has no other name is in no archive: that of another image may still want it.
        if path.stat().st_nlink == 1:
            path.unlink()
    return archive


def _write_index(folder: Path, packages: str, *, suite: str) -> None:
    (folder / "Packages").write_text(packages)
    digest = hashlib.sha256(packages.encode()).hexdigest()
    # mmdebstrap takes the essential packages of the suite by this name.
    (folder / "Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nSHA256:\n {digest} {len(packages.encode())} Packages\n"
    )
