"""The IOC of one machine and its procServ: started so that they outlive us, ended whole."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from ipaddress import IPv4Address

from linacre.base.clock import Clock
from linacre.base.ending import end, gone
from linacre.base.errors import EngineError
from linacre.base.processes import ProcessId
from linacre.engines.process import ports, processes
from linacre.engines.process.files import read_tail
from linacre.engines.process.folder import MachineFolder
from linacre.epics.launch import LOG_NAME

MARK = "LINACRE_MACHINE"
"""The environment variable by which a machine's processes are found: its folder's path."""

GUEST = "LINACRE_DESK"
"""The same for what a person runs at a desk or beside an IOC: ended only with the machine."""

_READY_S = 10.0
_GIVE_WAY_S = 1.0
_POLL_S = 0.01

# The stamp is written by the very process that becomes procServ, so that no moment exists in
# which it runs and its id is nowhere: whoever started it may be killed at any time.
_BECOME = """
cat "/proc/$$/stat" /proc/sys/kernel/random/boot_id > "$1.new" && mv -f "$1.new" "$1" || exit 1
exec "$2"
"""
# The parent ends at once: procServ is nobody's child, and never a zombie of a long-lived engine.
_LAUNCH = 'sh -c "$1" linacre "$2" "$3" &'


class Program:
    """What runs in one machine's folder. `start` and `stop` may be repeated."""

    def __init__(self, folder: MachineFolder, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def leader(self) -> ProcessId | None:
        """Return the process that was started, if it runs: procServ."""
        found = ProcessId.noted(self._folder.stamp)
        return found if found is not None and found.is_alive else None

    async def start(self, *, address: IPv4Address, environment: Mapping[str, str]) -> None:
        """Start procServ with its IOC and wait until its console is there.

        `EngineError` where a port is taken, or the start script ends at once.
        """
        if self.leader() is not None:
            return
        folder = self._folder
        if not (folder.etc / "start").is_file():
            raise EngineError(f"{folder.name}: {folder.etc / 'start'} is missing; linacre up")
        # An IOC whose procServ was killed may live on and hold the ports.
        await self._end_all(timeout_s=_GIVE_WAY_S)
        folder.empty_run()
        await asyncio.to_thread(ports.check_free, folder.name, address)
        folder.stamp.unlink(missing_ok=True)
        await asyncio.to_thread(self._spawn, environment)
        if not await self._ready():
            await self._end_all(timeout_s=_GIVE_WAY_S)
            # Another program may have taken a port since the check.
            await asyncio.to_thread(ports.check_free, folder.name, address)
            raise EngineError(f"{folder.name}: procServ ended at once: {self._words()}")

    def _spawn(self, environment: Mapping[str, str]) -> None:
        folder = self._folder
        start = str(folder.etc / "start")
        with folder.start_log.open("wb") as log:
            subprocess.run(
                ["/bin/sh", "-c", _LAUNCH, "linacre", _BECOME, str(folder.stamp), start],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder.home,
                env={**environment, MARK: str(folder.home)},
                start_new_session=True,
                check=True,
            )

    async def _ready(self) -> bool:
        """Wait for the console; a program that is only slow is left to go on."""
        limit = self._clock.monotonic() + _READY_S
        while self._clock.monotonic() < limit and not self._folder.console.exists():
            if self._folder.stamp.exists() and self.leader() is None:
                break
            await self._clock.sleep(_POLL_S)
        return self.leader() is not None

    def _words(self) -> str:
        """Return the last line that the start script or procServ said, and where it stands."""
        for path in (self._folder.start_log, self._folder.log / LOG_NAME):
            text = read_tail(path, 4096, tops=(self._folder.home,)) or b""
            lines = text.decode(errors="replace").split("\n")
            if said := [line.strip() for line in lines if line.strip()]:
                return f"{said[-1]} (in {path})"
        return f"it said nothing; see {self._folder.log}"

    async def stop(self, *, timeout_s: float) -> None:
        """End procServ, its IOC and whatever they started; `EngineError` if one cannot be ended."""
        if (leader := self.leader()) is not None:
            leader.kill(signal.SIGTERM)
            await gone([leader], clock=self._clock, timeout_s=timeout_s)
        await self._end_all(timeout_s=_GIVE_WAY_S)
        self._folder.stamp.unlink(missing_ok=True)
        if self._folder.home.is_dir():
            self._folder.empty_run()

    async def _end_all(self, *, timeout_s: float) -> None:
        """End the machine's processes, those included that appear while others are ended."""
        home = str(self._folder.home)
        left = frozenset[ProcessId]()
        for _ in range(10):
            left = await processes.in_thread(MARK, lambda value: value == home)
            if (leader := self.leader()) is not None:
                left |= {leader}
            if not left:
                return
            await end(left, clock=self._clock, timeout_s=timeout_s)
        raise EngineError(
            f"{self._folder.name}: processes of this machine appear as fast as they are ended: "
            f"{', '.join(str(p.pid) for p in left)}"
        )


def ioc_environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what an IOC inherits of its starter's environment.

    Little, so that an IOC is the same whoever starts it: no EPICS variable of somebody's shell.
    """
    names = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: given[name] for name in names if name in given}
