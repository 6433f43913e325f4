"""Which facilities of this host start with it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from linacre.base.errors import LinacreError
from linacre.documents.document import parse
from linacre.session.state import FacilityNote

_READ_LIMIT_S = 5.0


async def is_marked(
    note: FacilityNote, *, say: Callable[[str], None], limit_s: float = _READ_LIMIT_S
) -> bool:
    """Tell whether a facility is marked autostart: by its file, else as the last `up` found it.

    A file that is broken, elsewhere, or on a file system that is not there now keeps nothing
    from starting; that it could not be read is said in one line.
    """
    try:
        return _mark(await _read(note.file, limit_s), note.facility)
    except LinacreError as error:
        found = "marked" if note.autostart else "not marked"
        say(f"{note.facility}: {note.file} {error}; at its last up it was {found} autostart")
        return note.autostart


def _mark(text: str, facility: str) -> bool:
    found: object = parse(text).data
    if not isinstance(found, dict):
        raise LinacreError("is no facility file now")
    data = cast("Mapping[str, object]", found)
    if data.get("facility") != facility:
        raise LinacreError(f"is not {facility}'s file now")
    mark = data.get("autostart", False)
    if mark is None:
        return False
    if not isinstance(mark, bool):
        raise LinacreError("says neither true nor false at autostart")
    return mark


async def _read(file: Path, limit_s: float) -> str:
    """Return the text of a file; by another process, since one that hangs would hold us too."""
    child = subprocess.Popen(
        ["/bin/cat", "--", str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"LC_ALL": "C"},
    )
    try:
        out, err = await asyncio.to_thread(child.communicate, timeout=limit_s)
    except subprocess.TimeoutExpired:
        child.kill()
        # Not waited for: the kernel may never let it go.
        child.returncode = -9
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
        raise LinacreError(f"cannot be read: nothing came in {limit_s:g} s") from None
    if child.returncode != 0:
        reason = err.decode(errors="replace").strip().rpartition(": ")[2].lower()
        raise LinacreError(f"cannot be read: {reason or 'no reason given'}")
    return out.decode("utf-8-sig", errors="replace")
