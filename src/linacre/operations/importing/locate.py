"""Finding the files of an IOC: their top, the start script, the place where they were built."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from linacre.base.enclosed import UnsafeNameError
from linacre.base.errors import UserError
from linacre.operations.importing.matching import matching
from linacre.operations.importing.options import Run
from linacre.operations.importing.reading import head_of, text_of

_APPLICATION = ("bin", "dbd", "configure")
_MOST_SHOWN = 8
_TOP = PurePosixPath()


@dataclass(frozen=True)
class Found:
    """An IOC's files on this host."""

    tree: Path
    """Their top: that of a makeBaseApp application, or the folder itself; absolute."""
    start: PurePosixPath
    """The start script, relative to the top."""
    built: PurePosixPath | None
    """The path at which they were built, as envPaths says."""
    own: PurePosixPath = _TOP
    """The IOC's own folder, relative to the top; beside it only what it reads is wanted."""

    @property
    def home(self) -> Path:
        """The IOC's own folder."""
        return self.tree / self.own


def locate(folder: Path, *, start: str | None, run: Run) -> Found:
    """Return where the files of the IOC in `folder` are.

    The folder is the top of an application, one of its iocBoot folders, or any folder with a
    start script. Raises `UserError` where there is no such thing, or several start scripts and
    neither `start` nor the server's own command line names one.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # resolve() would follow links
    _check(folder)
    tree = _top(folder)
    if start is not None:
        script = _given(start, folder, tree)
    else:
        script = _by_command(run, folder, tree) or _only(folder, tree)
    relative = PurePosixPath(script.relative_to(tree))
    return Found(tree, relative, _built(script.parent, folder))


def _check(folder: Path) -> None:
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; write the folder of an IOC")
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder; write {folder.parent}, the one that it is in")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{folder} cannot be read: run this as one who may")


def _top(folder: Path) -> Path:
    if folder.name == "iocBoot":
        return folder.parent
    if any((folder / each).is_dir() for each in ("iocBoot", *_APPLICATION)):
        return folder
    built = _built(folder, folder)
    if built is not None and folder.is_relative_to(built) and _is_application(Path(built)):
        return Path(built)
    above = folder.parent.parent
    if folder.parent.name == "iocBoot":
        return above
    return above if (folder / "envPaths").is_file() and _is_application(above) else folder


def _is_application(folder: Path) -> bool:
    # The root of a host has a bin too.
    return folder.parent != folder and any((folder / each).is_dir() for each in _APPLICATION)


def _given(start: str, folder: Path, tree: Path) -> Path:
    for base in (folder, tree):
        path = Path(os.path.normpath(base / start))
        if path.is_file() and path.is_relative_to(tree):
            return path
    there = _shown(_candidates(folder, tree), tree)
    advice = f"write one of {there}" if there else "write the path of one that is there"
    raise UserError(f"--start {start}: not in {tree}; {advice}")


def _by_command(run: Run, folder: Path, tree: Path) -> Path | None:
    """Return the script that the server's own command line names, if it is among the files."""
    base = Path(run.folder) if run.folder else folder
    for word in reversed(run.command):
        for path in (base / word, folder / word, tree / word):
            path = Path(os.path.normpath(path))
            if path.is_file() and path.is_relative_to(tree) and not _is_program(path, folder):
                return path
    return None


def _is_program(path: Path, given: Path) -> bool:
    try:
        return head_of(path, 4, given=given) == b"\x7fELF"
    except UnsafeNameError:
        return False


def _only(folder: Path, tree: Path) -> Path:
    found = _candidates(folder, tree)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(
            f"{folder} has no start script (st.cmd, or iocBoot/*/st.cmd); write the folder that "
            "has one, or name the script by --start"
        )
    raise UserError(
        f"{folder} has {len(found)} start scripts; name one by --start: {_shown(found, tree)}"
    )


def _candidates(folder: Path, tree: Path) -> list[Path]:
    patterns = ("st.cmd", "*.cmd", "ioc.py", "*.py")
    if folder == tree and (tree / "iocBoot").is_dir():
        patterns = ("iocBoot/*/st.cmd", "iocBoot/*/*.cmd", "st.cmd")
    elif folder.name == "iocBoot":
        patterns = ("*/st.cmd", "*/*.cmd")
    for pattern in (*patterns, "*/st.cmd"):
        there = matching(folder, pattern, given=folder)
        if found := [path for path in there if path.is_file()]:
            return found
    return []


def _shown(paths: Iterable[Path], tree: Path) -> str:
    names = [str(path.relative_to(tree)) for path in paths]
    more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
    return ", ".join(names[:_MOST_SHOWN]) + more


def _built(boot: Path, given: Path) -> PurePosixPath | None:
    """Return the top of the application that envPaths in a folder names."""
    for file in matching(boot, "envPaths*", given=given):
        match = re.search(
            r'^\s*epicsEnvSet\(?\s*"?TOP"?\s*,?\s*"?([^"\s)]+)',
            text_of(file, given=given),
            re.MULTILINE,
        )
        if match and (top := posix_path(match[1])).startswith("/"):
            return PurePosixPath(top)
    return None


def posix_path(path: str) -> str:
    r"""Return a path of Windows as one of Linux, `C:\EPICS\lab` as `/c/EPICS/lab`."""
    if re.match(r"[A-Za-z]:[\\/]", path):
        return f"/{path[0].lower()}{path[2:]}".replace("\\", "/").replace("//", "/")
    return path
