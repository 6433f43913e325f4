"""The program that runs a start script, and how Linacre is to start it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError
from linacre.base.errors import UserError
from linacre.operations.importing.elf import host_machine, read_elf
from linacre.operations.importing.findings import Where
from linacre.operations.importing.locate import Found
from linacre.operations.importing.matching import matching
from linacre.operations.importing.options import Run
from linacre.operations.importing.other_builds import (
    built_for_here,
    for_softioc,
    is_for_windows,
    registers,
    runs_here,
)
from linacre.operations.importing.places import Places, joined
from linacre.operations.importing.reading import head_of

LAID = "linacre.cmd"
"""A start script that is written where the IOC's own does not say all."""
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "csh", "tcsh"})


@dataclass(frozen=True)
class Program:
    """How an IOC is started."""

    kind: str
    """softioc, binary or python, as in the facility file."""
    path: PurePosixPath
    """The program, as the IOC's own files see it, or its name."""
    said_by: str
    """What names it."""
    start: PurePosixPath
    """The start script in the tree, perhaps one that is to be laid."""
    folder: PurePosixPath
    """Where the IOC starts, as it sees it."""
    file: Path | None = None
    """The program on this host; None for softIoc and Python, which Linacre has itself."""
    machine: str | None = None
    """The architecture that it is built for."""
    laid: str | None = None
    """The text of `start`, where it is to be laid."""
    args: tuple[str, ...] = ()
    """Arguments of a Python program."""
    stands_in: bool = False
    """Whether it runs in the place of a program for Windows, which `path` is."""
    notes: list[str] = field(default_factory=list[str])


def program_of(found: Found, places: Places, run: Run) -> Program:
    """Return the program of an IOC.

    That is what the server's command line names, else the first line of the start script, else
    the only program in bin. Raises `UserError` where there is none, or it cannot run here.
    """
    script = found.tree / found.start
    home = places.seen(script.parent)
    folder = _start_folder(run, places, home)
    words, said_by = _words(run, script, found, places)
    name = PurePosixPath(words[0]).name if words else ""
    if re.match(r"python[\d.]*$", name) or (script.suffix == ".py" and not words):
        return Program(
            "python",
            PurePosixPath("python"),
            said_by,
            found.start,
            home,
            args=_after(words, script),
        )
    if not words or name.lower().startswith("softioc"):
        return _softioc(found, places, words, said_by, folder)
    by_command = said_by == run.origin
    return _binary(found, places, words[0], said_by, folder=folder, by_command=by_command)


def _start_folder(run: Run, places: Places, home: PurePosixPath) -> PurePosixPath:
    """Return where the IOC was started, if that is among its own files; else the script's."""
    if run.folder and run.folder.startswith("/"):
        folder = PurePosixPath(os.path.normpath(run.folder))
        if places.relative(folder) is not None and places.present(folder).is_dir():
            return places.built / (places.relative(folder) or "")
    return home


def _words(run: Run, script: Path, found: Found, places: Places) -> tuple[list[str], str]:
    """Return the words of the command that runs the script, without the script, and whose they are.

    No words: nothing names a program.
    """
    if run.command and PurePosixPath(run.command[0]).name != script.name:
        return [*run.command], run.origin
    first = _first_line(script, places.given)
    words = first.removeprefix("#!").replace("\\", "/").split()
    if first.startswith("#!") and words:
        if PurePosixPath(words[0]).name == "env":
            words = words[1:]
        return words, f"the first line of {found.start}"
    files = matching(found.home, "bin/*/*", given=places.given)
    programs = [path for path in files if read_elf(path, given=places.given)]
    programs = [path for path in programs if runs_here(path, given=places.given)] or programs
    registered = registers(script, given=places.given)
    programs = [path for path in programs if path.name in registered] or programs
    if len(programs) > 1:
        names = ", ".join(str(path.relative_to(found.tree)) for path in programs[:6])
        raise UserError(
            f"{script} names no program in its first line, and there are several: {names}; "
            f"let it begin with one, such as #!{os.path.relpath(programs[0], script.parent)}"
        )
    if programs:
        here = places_path(programs[0], found.tree)
        return [os.path.relpath(programs[0], script.parent)], f"{here}, the only one there"
    if registered:
        return [], f"nothing names one, and {registered[0]} is not in {found.home / 'bin'}"
    return [], "nothing: it needs no program of its own"


def places_path(path: Path, tree: Path) -> str:
    """Return a path as people are shown it: relative to the tree where it is in it."""
    return str(path.relative_to(tree)) if path.is_relative_to(tree) else str(path)


def _first_line(script: Path, given: Path) -> str:
    try:
        return head_of(script, 512, given=given).decode(errors="replace").partition("\n")[0].strip()
    except UnsafeNameError as error:
        raise UserError(f"{error}; name the IOC's own start script by --start") from error


def _after(words: list[str], script: Path) -> tuple[str, ...]:
    """Return the arguments of a Python script on a command line."""
    names = [PurePosixPath(word).name for word in words]
    return tuple(words[names.index(script.name) + 1 :]) if script.name in names else ()


def _softioc(
    found: Found,
    places: Places,
    words: list[str],
    said_by: str,
    folder: PurePosixPath,
) -> Program:
    path = PurePosixPath(words[0] if words else "softIoc")
    home = places.seen((found.tree / found.start).parent)
    lines = _softioc_lines(words[1:])
    if not lines and folder == home:
        return Program("softioc", path, said_by, found.start, home)
    start = (places.relative(folder) or PurePosixPath()) / LAID
    script = os.path.relpath(places.seen(found.tree / found.start), folder)
    initialises = any(line.startswith("dbLoadRecords") for line in lines)
    text = "\n".join(
        [
            "#- Written by linacre ioc import: what stood on the command line of softIoc.",
            *lines,
            *(["iocInit()"] if initialises else []),
            f'< "{script}"',
            "",
        ]
    )
    return Program("softioc", path, said_by, start, folder, laid=text)


def _softioc_lines(options: list[str]) -> list[str]:
    """Return softIoc's options -m, -a and -d as lines of a start script."""
    lines: list[str] = []
    macros, words = "", [*options]
    while words:
        word = words.pop(0)
        if word in ("-m", "-a", "-d", "-D", "-x") and words:
            value = words.pop(0).replace('"', '\\"')
            if word == "-m":
                macros = value
            elif word == "-a":
                lines.append(f'asSetFilename("{value}")')
            elif word == "-d":
                lines.append(f'dbLoadRecords("{value}","{macros}")')
    return lines


def _binary(
    found: Found,
    places: Places,
    word: str,
    said_by: str,
    *,
    folder: PurePosixPath,
    by_command: bool,
) -> Program:
    script = found.tree / found.start
    home = places.seen(script.parent)
    # A relative name in a first line is taken from where the IOC is started, mostly the same.
    known = [joined(base, word) for base in (folder, home)]
    path = next((each for each in known if places.present(each).is_file()), known[-1])
    notes: list[str] = []
    if path.name in _SHELLS:
        notes.append(
            f"{found.start} is run by {path.name}, which is not looked into: name the IOC's own "
            "start script by --start if there is one"
        )
        return Program("binary", path, said_by, found.start, home, notes=notes)
    if not runs_here(places.present(path), given=places.given):
        other = built_for_here(found.home, path, given=places.given)
        if other is None and is_for_windows(path):
            return _for_windows(found, places, path, said_by, folder)
        if other is not None:
            taken = places.seen(other)
            notes.append(f"{path} ({said_by}) does not run here: {taken} is taken, its like")
            path, by_command = taken, True
        elif "/" not in word:
            raise UserError(
                f"{found.start} is run by {word} ({said_by}), which the server had on its PATH: "
                "name the IOC's own program by its path in the first line"
            )
    file = places.present(path)
    machine = _check(file, path, said_by, places.given)
    outside = places.where(path) is Where.OUTSIDE
    # What the script itself says is good where it leads to the program in the machine too.
    own_line = not by_command and said_by.startswith("the first line")
    fits = own_line and folder == home and (word.startswith("/") or not outside)
    if not fits and by_command and folder == home:
        fits = _first_line_leads_to(script, home, places.given) == path
    start, laid = found.start, None
    if not fits:
        inside = places.relative(path)
        start = (places.relative(folder) or PurePosixPath()) / LAID
        line = str(path) if inside is None else os.path.relpath(path, folder)
        own = os.path.relpath(places.seen(script), folder)
        laid = (
            f'#!{line}\n#- Written by linacre ioc import: how the server started it.\n< "{own}"\n'
        )
    return Program("binary", path, said_by, start, folder, file, machine, laid=laid, notes=notes)


def _for_windows(
    found: Found, places: Places, path: PurePosixPath, said_by: str, folder: PurePosixPath
) -> Program:
    laid = for_softioc(found.tree / found.start, given=places.given)
    start = found.start
    said = f"{path} ({said_by}) is a program for Windows: softIoc runs in its place"
    if laid is not None:
        start = (places.relative(folder) or PurePosixPath()) / LAID
        said += f", with {LAID}, which is {found.start.name} without what softIoc has itself"
    return Program("softioc", path, said_by, start, folder, laid=laid, notes=[said], stands_in=True)


def _first_line_leads_to(script: Path, home: PurePosixPath, given: Path) -> PurePosixPath | None:
    first = _first_line(script, given)
    words = first.removeprefix("#!").split()
    return joined(home, words[0]) if first.startswith("#!") and words else None


def _check(file: Path, path: PurePosixPath, said_by: str, given: Path) -> str | None:
    """Return the architecture of a program; `UserError` where it is none that can run."""
    if not file.is_file():
        raise UserError(
            f"the program {path} ({said_by}) is not there; build the application, or write the "
            "folder of a built one"
        )
    try:
        begins = head_of(file, 2, given=given)
    except UnsafeNameError as error:
        raise UserError(f"the program {path} ({said_by}) is not taken: {error}") from error
    elf = read_elf(file, given=given)
    if elf is None:
        if begins == b"#!":
            return None
        raise UserError(f"{file} ({said_by}) is no program for Linux; write the built IOC's folder")
    if elf.machine != host_machine():
        raise UserError(
            f"{file} is built for {elf.machine}, and this host is {host_machine()}; take it over "
            f"on a host that is {elf.machine}, or build it for {host_machine()}"
        )
    return elf.machine
