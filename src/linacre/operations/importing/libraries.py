"""Shared libraries of a program: which the image of IOC machines has, and where the others are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.operations.importing.elf import Elf, read_elf
from linacre.operations.importing.matching import matching
from linacre.operations.importing.reading import text_or_none

IMAGE_GLIBC = (2, 41)
"""The glibc of Debian 13, of which the image is made."""
_BASIC = re.compile(
    r"""ld-linux.*|linux-vdso.*|lib(c|m|dl|rt|pthread|util|resolv|nsl|anl|mvec|nss_\w+)\.so\.\d
    |lib(stdc\+\+|gcc_s|atomic|gomp)\.so\.\d+
    |lib(z\.so\.1|tinfo\.so\.6|crypt\.so\.1|selinux\.so\.1)""",
    re.VERBOSE,
)
"""Names of libraries that every Debian has."""
_IN_IMAGE = re.compile(
    r"""lib(ncursesw\.so\.6|expat\.so\.1)|lib(Com|dbCore|dbRecStd)\.so\.3\.23\.1|libca\.so\.4\.14\.4
    |libpv(Access|AccessCA)\.so\.7\.1\.7|libpvData\.so\.8\.0\.6""",
    re.VERBOSE,
)
"""Names of libraries that Debian 13's packages in the image have (images/recipes/ioc)."""
_SYSTEM = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


@dataclass(frozen=True)
class Libraries:
    """The shared libraries of a program that its machine must be given."""

    own: tuple[Path, ...] = ()
    """In the IOC's own files, where the program finds them."""
    elsewhere: tuple[Path, ...] = ()
    """To be copied: they are outside the IOC's own files."""
    unreached: tuple[Path, ...] = ()
    """Folders of `own` that the program does not look into by itself."""
    missing: tuple[str, ...] = ()
    """Not found on this host."""
    glibc: tuple[int, ...] = ()
    """The newest glibc that the program or one of these needs."""
    epics: str | None = None
    """The EPICS version, where the program or a library tells it."""


def libraries_of(
    program: Path,
    *,
    tree: Path,
    present: Callable[[str], Path],
    more: tuple[str, ...] = (),
    on_host: bool = False,
    given: Path | None = None,
) -> Libraries:
    """Return the libraries of a program in `tree`, those of its libraries too.

    `present` turns a path that a program names into where it is on this host; `more` are folders
    of LD_LIBRARY_PATH. Where it is to run on this host itself (`on_host`), what the host has need
    not be copied, and what the image has does not help. `given` is the folder that is imported,
    by default `tree`.
    """
    given = given or tree
    first = read_elf(program, given=given)
    if first is None:
        return Libraries()
    own: dict[str, Path] = {}
    elsewhere: dict[str, Path] = {}
    unreached: dict[Path, None] = {}
    missing: list[str] = []
    glibc, epics = first.glibc, first.epics
    todo = [(program, first, first.rpath)]
    seen: set[str] = set()
    while todo:
        file, elf, inherited = todo.pop()
        reached = [*_folders(file, elf, present)]
        reached += [_origin(each, program, present) for each in inherited]
        folders = [*reached, *(present(each) for each in more if each.startswith("/"))]
        libraries = (tree / "lib", *matching(tree, "lib/*", given=given))
        folders += [each for each in libraries if each.is_dir()]
        for name in elf.needed:
            in_image = not on_host and _IN_IMAGE.fullmatch(name)
            if name in seen or _BASIC.fullmatch(name) or in_image:
                continue
            seen.add(name)
            found = _find(name, folders, elf.machine, given)
            if found is None:
                missing.append(name)
                continue
            path, read = found
            if _inside(path, tree) and path.parent not in reached:
                unreached[path.parent] = None
            (own if _inside(path, tree) else elsewhere)[name] = path
            glibc, epics = max(glibc, read.glibc), epics or read.epics
            todo.append((path, read, inherited))
    if epics is None:
        epics = _epics_of_base(program, first, present, given)
    return Libraries(
        own=tuple(own.values()),
        elsewhere=() if on_host else tuple(elsewhere.values()),
        unreached=tuple(unreached),
        missing=tuple(sorted(missing)),
        glibc=glibc,
        epics=epics,
    )


def _folders(file: Path, elf: Elf, present: Callable[[str], Path]) -> list[Path]:
    return [_origin(each, file, present) for each in elf.rpath]


def _origin(folder: str, file: Path, present: Callable[[str], Path]) -> Path:
    for word in ("$ORIGIN", "${ORIGIN}"):
        if folder.startswith(word):
            return (file.parent / folder.removeprefix(word).lstrip("/")).resolve()
    return present(folder)


def _find(name: str, folders: list[Path], machine: str, given: Path) -> tuple[Path, Elf] | None:
    for folder in (*folders, *_system_folders()):
        path = folder / name
        elf = read_elf(path, given=given) if path.is_file() else None
        if elf is not None and elf.machine == machine:
            return path, elf
    return None


def _system_folders() -> Iterator[Path]:
    """Yield the folders of this host's linker."""
    for each in _SYSTEM:
        yield Path(each)
        yield from (found for found in sorted(Path(each).glob("*-linux-gnu*")) if found.is_dir())
    for conf in sorted(Path("/etc/ld.so.conf.d").glob("*.conf")):
        for line in conf.read_text(errors="replace").splitlines():
            if line.startswith("/"):
                yield Path(line.strip())


def _inside(path: Path, tree: Path) -> bool:
    return path.resolve().is_relative_to(tree.resolve())


def _epics_of_base(
    program: Path, elf: Elf, present: Callable[[str], Path], given: Path
) -> str | None:
    """Return the EPICS version that its base says, in the name of a library or in a file."""
    for folder in _folders(program, elf, present):
        version = folder.parent.parent / "configure/CONFIG_BASE_VERSION"
        if (text := text_or_none(version, given=given)) is not None:
            numbers = [
                re.search(rf"^EPICS_{part}\s*=\s*(\d+)", text, re.MULTILINE)
                for part in ("VERSION", "REVISION", "MODIFICATION")
            ]
            if all(numbers):
                return ".".join(match[1] for match in numbers if match)
    # libCom 3.n came with EPICS 7.0.n' (its CONFIG_LIBCOM_VERSION); only what is in Debian 13.
    return "7.0.8" if "libCom.so.3.23.1" in elf.needed else None
