"""What a program says of itself: its architecture and libraries, read without running it."""

from __future__ import annotations

import os
import platform
import re
import struct
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError
from linacre.operations.importing.reading import mapped

_MACHINES = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "armv7l", 243: "riscv64", 21: "ppc64le"}
"""e_machine by uname's names (elf.h)."""
_DYNAMIC, _LOAD = 2, 1
_MOST_ENTRIES, _LONGEST_TEXT = 10_000, 4096
_NULL, _NEEDED, _STRTAB, _RPATH, _RUNPATH, _STRSZ = 0, 1, 5, 15, 29, 10


@dataclass(frozen=True)
class Elf:
    """A program or a shared library."""

    machine: str
    """As uname has it, such as x86_64."""
    needed: tuple[str, ...]
    """Names of the shared libraries that it needs."""
    rpath: tuple[str, ...]
    """Folders where they are looked for, before LD_LIBRARY_PATH if it is no RUNPATH."""
    glibc: tuple[int, ...]
    """The newest glibc that its symbols are of, such as (2, 38); () for none."""
    epics: str | None
    """The EPICS version, where it holds it."""


def host_machine() -> str:
    """Return the architecture of this host."""
    return platform.machine()


def read_elf(path: Path, *, given: Path | None = None) -> Elf | None:
    """Return what an ELF file says of itself; None for any other file.

    `given` is the folder that is imported, by default that of the file.
    """
    try:
        with mapped(path, given=given or path.parent) as data:
            return _read(data) if data[:4] == b"\x7fELF" else None
    except (OSError, UnsafeNameError, struct.error, ValueError, IndexError, OverflowError):
        return None


def _read(data: mmap) -> Elf:
    wide = data[4] == 2
    order = "<" if data[5] == 1 else ">"
    machine = struct.unpack_from(f"{order}H", data, 18)[0]
    name = _MACHINES.get(machine, f"machine {machine}")
    headers = _program_headers(data, order, wide=wide)
    needed: list[str] = []
    paths: list[str] = []
    for kind, offset, _, size in headers:
        if kind == _DYNAMIC:
            needed, paths = _dynamic(data, order, headers, offset, size, wide=wide)
    return Elf(name, tuple(needed), tuple(paths), _glibc(data), _epics(data))


def _program_headers(data: mmap, order: str, *, wide: bool) -> list[tuple[int, int, int, int]]:
    """Return type, offset in the file, address and size of each segment."""
    start = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", data, 32 if wide else 28)[0]
    size, count = struct.unpack_from(f"{order}HH", data, 54 if wide else 42)
    found: list[tuple[int, int, int, int]] = []
    for at in range(start, start + size * count, size):
        if wide:
            kind, _, offset, address, _, length = struct.unpack_from(f"{order}IIQQQQ", data, at)
        else:
            kind, offset, address, _, length = struct.unpack_from(f"{order}IIIII", data, at)
        found.append((kind, offset, address, length))
    return found


def _dynamic(
    data: mmap,
    order: str,
    headers: list[tuple[int, int, int, int]],
    offset: int,
    size: int,
    *,
    wide: bool,
) -> tuple[list[str], list[str]]:
    pair = f"{order}{'QQ' if wide else 'II'}"
    step = struct.calcsize(pair)
    entries: list[tuple[int, int]] = []
    for at in range(offset, offset + min(size, _MOST_ENTRIES * step), step):
        tag, value = struct.unpack_from(pair, data, at)
        if tag == _NULL:
            break
        entries.append((tag, value))
    table = next((value for tag, value in entries if tag == _STRTAB), 0)
    strings = next(
        (table - a + o for k, o, a, n in headers if k == _LOAD and a <= table < a + n), 0
    )

    def text(place: int) -> str:
        start = strings + place
        return os.fsdecode(data[start : start + _LONGEST_TEXT].partition(b"\0")[0])

    needed = [text(value) for tag, value in entries if tag == _NEEDED]
    paths = [text(value) for tag, value in entries if tag in (_RPATH, _RUNPATH)]
    return needed, [folder for each in paths for folder in each.split(":") if folder]


def _glibc(data: mmap) -> tuple[int, ...]:
    found = {match[1] for match in re.finditer(rb"\0GLIBC_(2(?:\.\d+)+)\0", data)}
    versions = [tuple(int(n) for n in each.split(b".")) for each in found]
    return max(versions, default=())


def _epics(data: mmap) -> str | None:
    match = re.search(rb"EPICS R?(\d+\.\d+\.\d+(?:\.\d+)?[\w.-]*)", data)
    return match[1].decode() if match else None
