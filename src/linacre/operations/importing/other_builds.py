"""Programs that a start script is for and that do not run here, and what serves in their place."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError
from linacre.operations.importing.commands import SOFTIOC_OWN
from linacre.operations.importing.elf import host_machine, read_elf
from linacre.operations.importing.matching import matching
from linacre.operations.importing.reading import head_of, text_of

_WINDOWS = re.compile(r"(windows|win32|win64|cygwin|mingw)", re.IGNORECASE)
_REGISTERS = re.compile(r"^[ \t]*(\w+)_registerRecordDeviceDriver\b", re.MULTILINE)
_OF_THE_PROGRAM = re.compile(r"[ \t]*(dbLoadDatabase\b|\w+_registerRecordDeviceDriver\b)")


def runs_here(file: Path, *, given: Path) -> bool:
    """Tell whether a file is a program that this host can run: one built for it, or a script."""
    if not file.is_file():
        return False
    elf = read_elf(file, given=given)
    if elf is not None:
        return elf.machine == host_machine()
    try:
        return head_of(file, 2, given=given) == b"#!"
    except UnsafeNameError:
        return False


def is_for_windows(path: PurePosixPath) -> bool:
    """Tell whether a path is that of a program built for Windows."""
    architecture = path.parent
    in_bin = architecture.parent.name == "bin" and bool(_WINDOWS.match(architecture.name))
    return in_bin or path.suffix.lower() == ".exe"


def built_for_here(home: Path, path: PurePosixPath, *, given: Path) -> Path | None:
    """Return the program of the same name that an application has for this host, if it has one."""
    name = path.name.removesuffix(".exe")
    builds = matching(home, f"bin/*/{name}", given=given)
    return next((each for each in builds if runs_here(each, given=given)), None)


def registers(script: Path, *, given: Path) -> tuple[str, ...]:
    """Return the programs whose records a start script registers, softIoc's own left out."""
    found = _REGISTERS.finditer(text_of(script, given=given))
    return tuple(each[1] for each in found if not SOFTIOC_OWN.fullmatch(each[0].strip()))


def for_softioc(script: Path, *, given: Path) -> str | None:
    """Return a start script without what only its own program knows; None where it has none.

    That is its database definition and its registration: softIoc has those of EPICS base.
    """
    lines = text_of(script, given=given).splitlines()
    own = [bool(_OF_THE_PROGRAM.match(line)) for line in lines]
    if not any(own):
        return None
    kept = [
        f"#- softIoc has its own: {line}" if is_own else line
        for line, is_own in zip(lines, own, strict=True)
    ]
    head = f"#- Written by linacre ioc import: {script.name} as softIoc can run it."
    # Its lines keep their numbers where its first one names the program.
    return "\n".join([head, *kept[lines[0].startswith("#!") :], ""])
