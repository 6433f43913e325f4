"""What goes into a bundle beside the facility's own: Debian packages for the host, and wheels.

What they are is asked of `./linacre`, which installs them: its lists are the only ones.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import linacre
from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.images.apt import Apt, fetch_archive
from linacre.images.bundle import PACKAGES, WHEELS, Manifest, PartFiles
from linacre.images.process import Tool
from linacre.images.sources import AptSource, host_codename, read_sources, sources_for

_MAX_AGE_S = 7 * 24 * 3600
_ASK = 'LINACRE_BOOTSTRAP_FUNCTIONS=1; . "$1/linacre"; root=$1; bundle_facts'
# APT names a suite after a package for what is to come from there, with what it needs.
_BACKPORTS = "-backports"


@dataclass(frozen=True)
class Checkout:
    """Linacre's source folder, and what its launcher installs."""

    root: Path
    packages: tuple[str, ...]
    late: frozenset[str]
    """Those that come from the backports where the release is Debian 12."""
    wheels: Path
    """Where the launcher keeps the wheels; it may not be there."""
    checkout: str
    linacre: str

    @property
    def pins(self) -> Path:
        """The pinned Python packages."""
        return self.root / "constraints.txt"

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Checkout:
        """Return the checkout that this Linacre was started from.

        Raises `UserError` where there is none, or its Python is not the machine's.
        """
        given = environment.get("LINACRE_CHECKOUT")
        root = Path(given) if given else Path(linacre.__file__).resolve().parents[2]
        if not (root / "linacre").is_file() or not (root / "constraints.txt").is_file():
            raise UserError(
                "this is an installed linacre: run ./linacre bundle in its source folder, "
                "which is what unpacks a bundle"
            )
        if Path(sys.executable).resolve() != Path("/usr/bin/python3").resolve():
            raise UserError("a bundle is for /usr/bin/python3: make it with ./linacre bundle")
        done = subprocess.run(
            ["sh", "-c", _ASK, "sh", str(root)], capture_output=True, text=True, check=False
        )
        facts = {name: value for name, _, value in map(_at_space, done.stdout.splitlines())}
        try:
            return cls(
                root=root,
                packages=tuple(facts["packages"].split()),
                late=frozenset(facts["late"].split()),
                wheels=Path(facts["wheels"]),
                checkout=facts["checkout"],
                linacre=facts["linacre"],
            )
        except KeyError as error:
            said = done.stderr.strip().splitlines()[-1:] or ["no reason"]
            raise LinacreError(f"{root}/linacre tells nothing of {error}: {said[0]}") from error

    def manifest(self, facility: str) -> Manifest:
        """Return the manifest of a bundle made here, with no parts yet."""
        return Manifest(
            linacre=self.linacre,
            checkout=self.checkout,
            release=host_codename(),
            architecture=_architecture(),
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            facility=facility,
        )


def _at_space(line: str) -> tuple[str, str, str]:
    return line.partition(" ")


def _architecture() -> str:
    try:
        shown = ["dpkg", "--print-architecture"]
        return subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise UserError(
            f"this is no Debian ({platform.platform()}): make the bundle on a Debian 12 or 13"
        ) from None


async def host_packages(
    checkout: Checkout, *, state: StatePaths, log: Path, report: Callable[[str], None]
) -> PartFiles:
    """Return the Debian packages, with all that an empty system of this release would lack.

    Those fetched less than a week ago are taken again. Raises `LinacreError` where they cannot
    be fetched.
    """
    release = host_codename()
    sources = sources_for(release, read_sources(), codename=release)
    chosen = ["?essential", *checkout.packages]
    if release == "bookworm":
        sources.append(_backports(sources[0], release))
        late = f"/{release}{_BACKPORTS}"
        chosen = [f"{name}{late}" if name in checkout.late else name for name in chosen]
    said = "\n".join([*chosen, *(source.line() for source in sources)])
    key = hashlib.sha256(said.encode()).hexdigest()[:12]
    archive = state.downloads / f"host-{release}-{key}"
    if not archive.is_dir() or time.time() - archive.stat().st_mtime > _MAX_AGE_S:
        apt = Apt(state.downloads / f"apt-host-{release}")
        apt.prepare(sources)
        (apt.stand_ins / "Packages").touch()
        await fetch_archive(
            apt,
            chosen,
            archive=archive,
            suite=release,
            log=log,
            count=lambda n: report(f"fetching {n} Debian packages"),
        )
    files = _files(archive)
    debs = sum(1 for name, _ in files if name.endswith(".deb"))
    return PartFiles(PACKAGES, f"{debs} Debian packages of {release}", files)


def _backports(main: AptSource, release: str) -> AptSource:
    return AptSource(main.uri, release + _BACKPORTS, ("main",), main.signed_by)


async def python_packages(
    checkout: Checkout, *, state: StatePaths, log: Path, report: Callable[[str], None]
) -> PartFiles:
    """Return the pinned Python packages, those of the launcher or fetched anew."""
    folder = checkout.wheels
    if not folder.is_dir():
        folder = state.downloads / checkout.wheels.name
    if not folder.is_dir():
        report("fetching Python packages")
        new = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        await Tool(log=log).run(
            [*pip, "--no-deps", "--dest", new, "--requirement", checkout.pins],
            what="fetching Python packages",
        )
        new.rename(folder)
    files = _files(folder)
    return PartFiles(WHEELS, f"{len(files)} Python packages", files)


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(path.name, path) for path in sorted(folder.iterdir()) if path.is_file()]
