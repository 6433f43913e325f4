"""Taking images and git mirrors from a bundle into the state folder; `./linacre --bundle` runs it.

Debian packages and wheels are taken by `./linacre` itself, before there is a Python to run this.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from linacre.base.errors import LinacreError
from linacre.base.paths import StatePaths
from linacre.base.sizes import readable
from linacre.images.bundle import MANIFEST, Hashing, Manifest, Part

_STAMP = "linacre-bundle"


def unpack(file: Path, state: StatePaths) -> list[str]:
    """Bring what the bundle has and the state folder has not; return a line for each thing done.

    What is there stays: an image by its digest; a mirror is given what it lacks. Raises
    `LinacreError` where the bundle cannot be read, or is cut or damaged.
    """
    done: list[str] = []
    with _opened(file) as archive:
        manifest = _manifest(archive, file)
        sources = state.facility(manifest.facility).sources
        for part in manifest.parts:
            if part.image is not None:
                target = state.images / part.image
                if not target.exists():
                    _take(archive, part, target, file=file)
                    done.append(f"image {part.image} ({readable(part.bytes)})")
            elif part.source is not None:
                target = sources / f"{part.source}.git"
                if not _is_taken(target, part):
                    _take_mirror(archive, part, target, file=file)
                    done.append(f"git repository {part.source} ({readable(part.bytes)})")
    return done


def _opened(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file, "r:")
    except (OSError, tarfile.TarError) as error:
        raise LinacreError(f"{file} is no bundle of Linacre: {error}") from error


def _manifest(archive: tarfile.TarFile, file: Path) -> Manifest:
    text = _member(archive, MANIFEST, file).read().decode(errors="replace")
    manifest = Manifest.parse(text)
    if manifest is None:
        raise LinacreError(f"{file}: its manifest is damaged; copy the bundle here again")
    return manifest


def _member(archive: tarfile.TarFile, name: str, file: Path) -> IO[bytes]:
    try:
        # Not by `getmember`, which reads on to the end: that may be missing.
        entry = next(each for each in archive if each.name == name)
        found = archive.extractfile(entry)
    except (StopIteration, tarfile.TarError, OSError):
        found = None
    if found is None:
        raise _damaged(file, name)
    return found


def _damaged(file: Path, part: str) -> LinacreError:
    return LinacreError(f"{file}: its part {part} is cut or damaged; copy the bundle here again")


def _take(archive: tarfile.TarFile, part: Part, target: Path, *, file: Path) -> None:
    """Unpack a part into a folder that appears when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < part.bytes:
        raise LinacreError(
            f"{target.parent} has {readable(free)} free and {part.name} takes "
            f"{readable(part.bytes)}: make room there"
        )
    new = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _extract(archive, part, new, file=file)
        new.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise LinacreError(f"{target} cannot be written: {error.strerror}") from error
        # Another did the same meanwhile.
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _extract(archive: tarfile.TarFile, part: Part, folder: Path, *, file: Path) -> None:
    content = Hashing(_member(archive, part.name, file))
    try:
        with tarfile.open(fileobj=content, mode="r|") as inner:
            for entry in inner:
                _write(inner, entry, folder)
        while content.read(1 << 20):
            pass
    except (tarfile.TarError, ValueError) as error:
        raise _damaged(file, part.name) from error
    if content.digest.hexdigest() != part.sha256:
        raise _damaged(file, part.name)


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(entry.name)
    opened = archive.extractfile(entry) if entry.isreg() else None
    if opened is None or path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{entry.name} is no plain file")
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        shutil.copyfileobj(opened, out, 1 << 20)
    target.chmod(entry.mode & 0o755)


# -- git mirrors


def _is_taken(mirror: Path, part: Part) -> bool:
    try:
        return (mirror / _STAMP).read_text().strip() == part.sha256
    except OSError:
        return False


def _take_mirror(archive: tarfile.TarFile, part: Part, target: Path, *, file: Path) -> None:
    if not target.exists():
        _take(archive, part, target, file=file)
        _complete(target)
    else:
        new = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            _take(archive, part, new, file=file)
            _complete(new)
            # What was checked out from the old one refers to its objects, so they stay.
            _git(target, "fetch", "--quiet", "--prune", str(new.absolute()), "+refs/*:refs/*")
        finally:
            shutil.rmtree(new, ignore_errors=True)
    # `git remote update` then asks nobody: a server that cannot be reached would hold up every
    # command for minutes. `linacre bundle` takes it back.
    _git(target, "config", "remote.origin.skipDefaultUpdate", "true")
    (target / _STAMP).write_text(f"{part.sha256}\n")


def _complete(mirror: Path) -> None:
    # Git knows a repository by this folder, which is empty where all names are in one file.
    (mirror / "refs").mkdir(exist_ok=True)


def _git(mirror: Path, *argv: str) -> None:
    command = ["git", "-C", str(mirror), *argv]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LinacreError("git is not installed on this host") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise LinacreError(f"git {argv[0]} in {mirror} failed: {said[0]}")


def main() -> int:
    """Unpack the bundle named on the command line."""
    try:
        for line in unpack(Path(sys.argv[1]), StatePaths.from_environment()):
            print(f"linacre: from the bundle: {line}", file=sys.stderr)
    except LinacreError as error:
        print(f"linacre: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
