"""envPaths: one that says where an application is here, where its own does not or is not there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from linacre.operations.importing.locate import Found, posix_path
from linacre.operations.importing.matching import matching
from linacre.operations.importing.reading import text_of

_SETS = re.compile(
    r"""^(?P<head>[ \t]*epicsEnvSet\(?\s*"?\w+"?\s*,?\s*"?)(?P<path>[A-Za-z]:[\\/][^"\n)]*)""",
    re.MULTILINE,
)
_READS = re.compile(r"""^[ \t]*<[ \t]*"?envPaths"?[ \t\r]*$""", re.MULTILINE)
_MADE = "#- Written by linacre ioc import: "


def laid_env_paths(found: Found, *, given: Path) -> tuple[Mapping[PurePosixPath, str], list[str]]:
    """Return the envPaths files to be written, by their paths in the tree, and what to say of them.

    Those of a build for Windows are written with paths as Linux has them. One that the start
    script reads and that is not there tells where the application is, and no more: of its support
    modules nothing is known.
    """
    boot = found.start.parent
    laid: dict[PurePosixPath, str] = {}
    notes: list[str] = []
    there = matching(found.tree / boot, "envPaths*", given=given)
    for file in there:
        text = text_of(file, given=given)
        mended = _SETS.sub(lambda each: each["head"] + posix_path(each["path"]), text)
        if mended != text:
            laid[boot / file.name] = f"{_MADE}with paths of Linux.\n{mended}"
            notes.append(
                f"{boot / file.name} has paths of Windows: it is written anew, with /c/... for "
                "C:\\..."
            )
    if not there and boot.parent.name == "iocBoot" and _reads_it(found.tree / found.start, given):
        laid[boot / "envPaths"] = (
            f'{_MADE}where the application is.\nepicsEnvSet("IOC","{boot.name}")\n'
            f'epicsEnvSet("TOP","{found.tree / boot.parent.parent}")\n'
        )
        notes.append(
            f"{boot}/envPaths, which a build makes, is not there: one with IOC and TOP is written"
        )
    return laid, notes


def _reads_it(script: Path, given: Path) -> bool:
    return bool(_READS.search(text_of(script, given=given)))
