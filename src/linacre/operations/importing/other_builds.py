"""Programs that a start script is for and that do not run here, and what serves in their place."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from linacre.operations.importing.commands import SOFTIOC_OWN
from linacre.operations.importing.elf import host_machine, read_elf

_WINDOWS = re.compile(r"(windows|win32|win64|cygwin|mingw)", re.IGNORECASE)
_REGISTERS = re.compile(r"^[ \t]*(\w+)_registerRecordDeviceDriver\b", re.MULTILINE)
_OF_THE_PROGRAM = re.compile(r"[ \t]*(dbLoadDatabase\b|\w+_registerRecordDeviceDriver\b)")


def runs_here(file: Path) -> bool:
    """Tell whether a file is a program that this host can run: one built for it, or a script."""
    if not file.is_file():
        return False
    elf = read_elf(file)
    if elf is not None:
        return elf.machine == host_machine()
    with file.open("rb") as opened:
        return opened.read(2) == b"#!"


def is_for_windows(path: PurePosixPath) -> bool:
    """Tell whether a path is that of a program built for Windows."""
    architecture = path.parent
    in_bin = architecture.parent.name == "bin" and bool(_WINDOWS.match(architecture.name))
    return in_bin or path.suffix.lower() == ".exe"


def built_for_here(home: Path, path: PurePosixPath) -> Path | None:
    """Return the program of the same name that an application has for this host, if it has one."""
    name = path.name.removesuffix(".exe")
    return next((each for each in sorted(home.glob(f"bin/*/{name}")) if runs_here(each)), None)


def registers(script: Path) -> tuple[str, ...]:
    """Return the programs whose records a start script registers, softIoc's own left out."""
    found = _REGISTERS.finditer(script.read_text(errors="replace"))
    return tuple(each[1] for each in found if not SOFTIOC_OWN.fullmatch(each[0].strip()))


def for_softioc(script: Path) -> str | None:
    """Return a start script without what only its own program knows; None where it has none.

    That is its database definition and its registration: softIoc has those of EPICS base.
    """
    lines = script.read_text(errors="replace").splitlines()
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
