"""What a running archiver says of the truth suite's PVs, and waiting until it has them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from common.archiver import Archiver
from common.truth_plan import TruthPv
from linacre.base.errors import LinacreError

CONNECT_S = 60.0
STORE_S = 20.0
_POLL_S = 0.05
_STILL_S = 0.3


class Watch:
    """Looks at an archiver over HTTP."""

    def __init__(self, archiver: Archiver, protocol: str, pvs: Sequence[TruthPv]) -> None:
        self._archiver, self._protocol, self._pvs = archiver, protocol, pvs
        self.url = archiver.url

    def add(self) -> None:
        """Let it archive the PVs."""
        self._archiver.add([f"{self._protocol}://{pv.name}" for pv in self._pvs])

    def status(self) -> Mapping[str, Mapping[str, Any]]:
        """Return how it stands with each PV."""
        answer = json.loads(self._archiver.get("/api/v1/pvs", limit=10_000))
        return {one["pv"]: one for one in answer["pvs"]}

    def standing_still(self) -> AbstractContextManager[None]:
        """Let the archiver take nothing in the block, as one that the host gives no time."""
        return _stopped(self._archiver.pid)

    def until_connected(self, times: int) -> None:
        """Wait until each PV has been connected so many times since the archiver's start."""

        def lacking() -> list[str]:
            return [
                f"{pv} ({one['state']} {one['why']})"
                for pv, one in self.status().items()
                if one["connections"] < times or one["state"] != "connected"
            ]

        if late := _until_none(lacking, CONNECT_S):
            raise LinacreError(
                f"{len(late)} PVs are not connected after {CONNECT_S:g} s: {late[0]}"
            )

    def until_stored(self, last_ns: Sequence[int], *, merged: Callable[[int], bool]) -> list[str]:
        """Wait until the newest update of each PV is stored; return those of which it is not.

        Of PVs whose last may have come with an earlier stamp, `merged`, it is enough that nothing
        more comes.
        """
        still = _Still()

        def lacking() -> list[str]:
            found = self.status()
            ages = [found[pv.name]["last_ns"] for pv in self._pvs]
            late = [k for k, last in enumerate(last_ns) if last and ages[k] < last]
            if late and all(map(merged, late)) and still.is_still(sum(ages)):
                return []
            return [self._pvs[k].name for k in late]

        return _until_none(lacking, STORE_S)


@contextmanager
def _stopped(pid: int) -> Generator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class _Still:
    """Whether something has not changed for a while."""

    def __init__(self) -> None:
        self._last: object = None
        self._since_s = time.monotonic()

    def is_still(self, what: object) -> bool:
        now_s = time.monotonic()
        if what != self._last:
            self._last, self._since_s = what, now_s
        return now_s - self._since_s >= _STILL_S


def _until_none(lacking: Callable[[], list[str]], limit_s: float) -> list[str]:
    """Wait until nothing lacks; return what lacks still at the end."""
    end = time.monotonic() + limit_s
    while found := lacking():
        if time.monotonic() > end:
            return found
        time.sleep(_POLL_S)
    return []
