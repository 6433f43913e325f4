"""Files of an IOC by patterns of their names: folders are listed by descriptors."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from linacre.base.enclosed import Kind, NamedFolder, UnsafeNameError

_MOST_NAMES, _MOST_FOUND = 100_000, 10_000


def matching(folder: Path, pattern: str, *, given: Path) -> list[Path]:
    """Return the paths below a folder that a pattern such as `bin/*/*` means, in order.

    Each wildcard stands for what is in one folder. A folder that is not listed has nothing: there
    is none, or it is outside `given`, the folder that is imported, and not everybody may read it.
    Whether there is anything at a last part without a wildcard is not looked at.
    """
    found = [folder]
    for part in pattern.split("/"):
        if "*" in part:
            found = [
                each / n for each in found for n in _names(each, given) if fnmatchcase(n, part)
            ]
        else:
            found = [each / part for each in found]
    return found[:_MOST_FOUND]


def holds(folder: Path, ending: str, *, given: Path) -> bool:
    """Tell whether a file with such a name is in a folder, or in one below it."""
    folders, looked_into = [folder], 0
    while folders and looked_into < _MOST_FOUND:
        looked_into += 1
        try:
            with NamedFolder.opened(folders.pop(), top=given) as here:
                for name in here.names(most=_MOST_NAMES):
                    kind = here.entry(name).kind
                    if kind is Kind.FILE and name.endswith(ending):
                        return True
                    if kind is Kind.FOLDER:
                        folders.append(here.path / name)
        except (OSError, UnsafeNameError):
            continue
    return False


def _names(folder: Path, given: Path) -> list[str]:
    try:
        with NamedFolder.opened(folder, top=given) as here:
            return here.names(most=_MOST_NAMES)
    except (OSError, UnsafeNameError):
        return []
