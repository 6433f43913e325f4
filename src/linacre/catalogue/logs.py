"""The logs of tasks: one file a task, the newest kept."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import cast

from linacre.base.log import human_line

LOGS_KEPT = 200

_NAME = re.compile(r"task-(\d+)\.log")


def log_name(task_id: int) -> str:
    """Return the name of a task's log in the folder of logs."""
    return f"task-{task_id:06d}.log"


def remove_old(folder: Path, *, keep: Collection[int] = (), count: int = LOGS_KEPT) -> None:
    """Remove the logs of all but the `count` newest tasks, and of none whose id is in `keep`."""
    with suppress(OSError):
        found = {int(m[1]): path for path in folder.iterdir() if (m := _NAME.fullmatch(path.name))}
        for number in sorted(found)[:-count]:
            if number not in keep:
                found[number].unlink(missing_ok=True)


def human(line: str) -> str:
    """Return a line of a log for a person, with the local time; other text is left as it is."""
    try:
        record: object = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict) or "at" not in record:
        return line
    fields = cast("dict[str, object]", record)
    try:
        at = datetime.fromisoformat(str(fields.pop("at"))).astimezone()
    except ValueError:
        return line
    return human_line(f"{at:%Y-%m-%d %H:%M:%S}", fields)


class Tail:
    """Reads a log that may still grow, whole lines at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def exists(self) -> bool:
        """Say whether there is a log."""
        return self.path.exists()

    def lines(self) -> Iterator[str]:
        """Yield the lines that are new since the last call; none where there is no file."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield line.decode(errors="replace").rstrip("\n")
