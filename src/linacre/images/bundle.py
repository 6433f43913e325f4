"""A bundle: all that a facility needs to come up where no archive can be reached, in one file.

It is a tar archive of a manifest and of parts, each part a tar archive itself. The manifest comes
first and is read by `./linacre` with no more than sed, so it has a line for each fact.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from linacre.base.errors import LinacreError
from linacre.base.sizes import readable

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

FORMAT = "linacre-bundle 1"
MANIFEST = "manifest"
PACKAGES, WHEELS = "packages.tar", "wheels.tar"
_IMAGE, _SOURCE, _TAR = "image-", "source-", ".tar"
_MARGIN_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """One part as the manifest has it."""

    name: str
    bytes: int
    sha256: str

    @property
    def image(self) -> str | None:
        """The digest of the image in it, or None where it holds something else."""
        return _between(self.name, _IMAGE)

    @property
    def source(self) -> str | None:
        """The name of the git mirror in it, or None where it holds something else."""
        return _between(self.name, _SOURCE)


def _between(name: str, prefix: str) -> str | None:
    if not (name.startswith(prefix) and name.endswith(_TAR)):
        return None
    return name[len(prefix) : -len(_TAR)]


def image_part(digest: str) -> str:
    """Return the name of the part that holds an image."""
    return f"{_IMAGE}{digest}{_TAR}"


def source_part(mirror: str) -> str:
    """Return the name of the part that holds a git mirror."""
    return f"{_SOURCE}{mirror}{_TAR}"


@dataclass(frozen=True)
class Manifest:
    """What a bundle was made for, and its parts."""

    linacre: str
    """The version of Linacre."""
    checkout: str
    """A digest of its files that decide what must be in a bundle."""
    release: str
    """The code name of the Debian release."""
    architecture: str
    python: str
    facility: str
    parts: tuple[Part, ...] = ()

    def text(self) -> str:
        """Return the text of the manifest, its last line the SHA-256 of those above."""
        facts = ("linacre", "checkout", "release", "architecture", "python", "facility")
        lines = [FORMAT, *(f"{name} {getattr(self, name)}" for name in facts)]
        lines += [f"part {part.name} {part.bytes:015d} {part.sha256}" for part in self.parts]
        text = "\n".join(lines) + "\n"
        return f"{text}end {hashlib.sha256(text.encode()).hexdigest()}\n"

    @classmethod
    def parse(cls, text: str) -> Manifest | None:
        """Read what `text` wrote; None where it is not that, or not all of it."""
        facts: dict[str, str] = {}
        parts: list[Part] = []
        for line in text.splitlines()[1:]:
            name, _, value = line.partition(" ")
            if name == "part":
                part, size, digest = value.split()
                parts.append(Part(part, int(size), digest))
            else:
                facts[name] = value
        facts.pop("end", None)
        try:
            found = cls(**facts, parts=tuple(parts))
        except TypeError:
            return None
        return found if found.text() == text else None


@dataclass(frozen=True)
class PartFiles:
    """What goes into a part: files by their names in it."""

    name: str
    what: str
    """What it is, to people."""
    files: Sequence[tuple[str, Path]]

    @property
    def bytes(self) -> int:
        """The size of the files together."""
        return sum(path.stat().st_size for _, path in self.files)


def write_bundle(
    file: Path, manifest: Manifest, parts: Sequence[PartFiles], *, report: Callable[[str], None]
) -> Manifest:
    """Write a bundle, whole or not at all; return its manifest with the parts.

    Raises `LinacreError` where there is no room, or the file cannot be written.
    """
    _check_room(file, parts)
    new = file.with_name(f"{file.name}.new")
    try:
        with new.open("wb") as out:
            written = _write(out, manifest, parts, report=report)
        new.replace(file)
    except OSError as error:
        raise LinacreError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        new.unlink(missing_ok=True)
    return written


def _check_room(file: Path, parts: Sequence[PartFiles]) -> None:
    try:
        free = shutil.disk_usage(file.absolute().parent).free
    except OSError as error:
        raise LinacreError(f"{file} cannot be written: {error.strerror}") from error
    # A tar archive has a header for each file, and fills up its last block.
    needed = sum(part.bytes + 1024 * len(part.files) for part in parts) + _MARGIN_BYTES
    if free < needed:
        raise LinacreError(
            f"{file} takes {readable(needed)} and its folder has {readable(free)} free: "
            "make room, or name a place with more"
        )


def _write(
    out: IO[bytes],
    manifest: Manifest,
    parts: Sequence[PartFiles],
    *,
    report: Callable[[str], None],
) -> Manifest:
    # The sizes and digests are not known yet, but how long their text will be.
    blank = tuple(Part(part.name, 0, "0" * 64) for part in parts)
    text = replace(manifest, parts=blank).text().encode()
    _add_header(out, MANIFEST, len(text))
    at = out.tell()
    out.write(_padded(text))
    done: list[Part] = []
    for part in parts:
        done.append(_write_part(out, part))
        report(f"  {part.what}: {readable(done[-1].bytes)}")
    end = tarfile.BLOCKSIZE * 2
    out.write(bytes(end))
    whole = replace(manifest, parts=tuple(done))
    out.seek(at)
    out.write(whole.text().encode())
    return whole


def _write_part(out: IO[bytes], part: PartFiles) -> Part:
    header = out.tell()
    _add_header(out, part.name, 0)
    start = out.tell()
    sink = Hashing(out)
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, path in part.files:
            _add(archive, name, path)
    end = out.tell()
    out.write(_padded(b"", end - start))
    after = out.tell()
    out.seek(header)
    _add_header(out, part.name, end - start)
    out.seek(after)
    return Part(part.name, end - start, sink.digest.hexdigest())


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    about = path.stat()
    entry = tarfile.TarInfo(name)
    entry.size = about.st_size
    # Nothing of who made it or when: the same parts give the same bundle.
    entry.mode = 0o755 if about.st_mode & 0o111 else 0o644
    with path.open("rb") as content:
        archive.addfile(entry, content)


def _add_header(out: IO[bytes], name: str, size: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = size
    out.write(entry.tobuf(tarfile.GNU_FORMAT))


def _padded(data: bytes, length: int | None = None) -> bytes:
    return data + bytes(-(len(data) if length is None else length) % tarfile.BLOCKSIZE)


class Hashing(io.BufferedIOBase):
    """Passes on what is read from or written to it, and takes its SHA-256."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        """Return what the file has next."""
        data = self._file.read(-1 if size is None else size)
        self.digest.update(data)
        return data

    def write(self, buffer: ReadableBuffer, /) -> int:
        """Write to the file."""
        self.digest.update(buffer)
        return self._file.write(buffer)
