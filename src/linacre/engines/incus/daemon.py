"""The embedded daemon: a private `incusd` of one facility, with its own directory."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from linacre.base.alone import alone
from linacre.base.clock import SystemClock
from linacre.base.ending import gone
from linacre.base.errors import EngineError, UnsupportedError
from linacre.base.processes import ProcessId, spawn_detached
from linacre.engines.incus import leftovers
from linacre.engines.incus.client import IncusClient

SYSTEM_SOCKET = Path("/var/lib/incus/unix.socket")
_PROGRAMS = (Path("/usr/libexec/incus/incusd"), Path("/usr/bin/incusd"), Path("/usr/sbin/incusd"))
_FORK = Path(__file__).parent / "bin" / "incus-fork"
# capabilities(7), and the length of the first user namespace's map (user_namespaces(7)).
_CAP_NET_ADMIN, _CAP_SYS_ADMIN = 12, 21
_ALL_IDS = "4294967295"
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 60.0
# sockaddr_un(7) allows 107 bytes.
_SOCKET_LIMIT = 107


def program() -> Path | None:
    """Return the `incusd` of this host, or None where Incus is not installed."""
    if found := shutil.which("incusd"):
        return Path(found)
    return next((path for path in _PROGRAMS if path.exists()), None)


def why_not_here() -> str | None:
    """Say why this host cannot run an embedded daemon, or None where it can try."""
    if os.geteuid() != 0:
        return "containers need root"
    if program() is None:
        return "Incus is not installed"
    if not os.access("/sys/fs/cgroup", os.W_OK) or not Path("/proc/sys/net/ipv4").exists():
        return "this environment has no control groups of its own"
    if not _has_capabilities(_CAP_NET_ADMIN, _CAP_SYS_ADMIN):
        return "this environment gives root no right to make containers"
    return None


def _has_capabilities(*numbers: int) -> bool:
    """Tell whether we have these capabilities over the host, not over a namespace of users."""
    if Path("/proc/self/uid_map").read_text().split()[2] != _ALL_IDS:
        return False
    lines = Path("/proc/self/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    return all(mask >> number & 1 for number in numbers)


class EmbeddedDaemon:
    """A private `incusd`, started when it is needed and left running."""

    def __init__(self, folder: Path, *, log: Path, project: str) -> None:
        self._folder = folder
        self._project = project
        self._log = log

    @property
    def directory(self) -> Path:
        """The daemon's own directory (`INCUS_DIR`)."""
        return self._folder / "daemon"

    @property
    def socket(self) -> Path:
        """The socket on which the daemon serves its REST interface."""
        return self.directory / "unix.socket"

    @property
    def _pid_file(self) -> Path:
        return self._folder / "daemon.pid"

    def process(self) -> ProcessId | None:
        """Return the daemon's process, or None where it does not run."""
        found = ProcessId.noted(self._pid_file)
        # After a restart of the host, another may have the same id and the same start time.
        is_ours = found is not None and found.is_alive and leftovers.serves(found, self.directory)
        return found if is_ours else None

    def _find(self) -> ProcessId | None:
        """Return the daemon's process, also one whose starter was killed before it said so."""
        if (known := self.process()) is not None:
            return known
        if (found := leftovers.daemon_of(self.directory)) is not None:
            found.note(self._pid_file)
        return found

    def _alone(self) -> AbstractAsyncContextManager[None]:
        return alone(self._folder / "daemon.lock")

    async def start(self) -> None:
        """Start the daemon unless it runs, and wait until it answers.

        Raises `EngineError` with the daemon's last word where it does not come up.
        """
        if self.process() is not None and await self._answers():
            return
        if len(os.fsencode(self.socket)) > _SOCKET_LIMIT:
            raise EngineError(
                f"the path {self.socket} is too long for a socket: "
                "set LINACRE_STATE to a shorter folder"
            )
        if (reason := why_not_here()) is not None:
            raise UnsupportedError(
                engine="incus", what=f"a daemon here ({reason})", instead="use engine: process"
            )
        self._check_way()
        async with self._alone():
            running = self._find()
            if running is None:
                await self._clear_after_a_crash()
                running = self._spawn()
            await self._wait_until_ready(running)

    def _check_way(self) -> None:
        """Check that the users of unprivileged containers can come to their file systems."""
        for folder in self._folder.parents:
            if folder.exists() and not folder.stat().st_mode & stat.S_IXOTH:
                raise EngineError(
                    f"containers cannot start below {folder}, which only its owner may enter: "
                    f"chmod o+x {folder}, or set LINACRE_STATE to another folder"
                )

    async def _clear_after_a_crash(self) -> None:
        await leftovers.end_half_dead(self.directory, self._project)
        # Containers that outlived their daemon are taken over by the next one: only when
        # none is left are mounts and loop devices nobody's.
        if not leftovers.anything_runs(self.directory, self._project):
            await leftovers.clear(self.directory)
        leftovers.clear_control_groups(self._project)
        self.socket.unlink(missing_ok=True)

    def _spawn(self) -> ProcessId:
        incusd = program()
        assert incusd is not None
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > 10_000_000:
            self._log.replace(self._log.with_suffix(".log.1"))
        environment = os.environ | {
            "INCUS_DIR": str(self.directory),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }
        environment |= self._forking(incusd)
        pid = spawn_detached(
            [str(incusd)], log=self._log, environment=environment, folder=Path("/")
        )
        identity = ProcessId.of(pid)
        if identity is None:
            raise EngineError(f"incusd ended at once: {self._last_word()}")
        identity.note(self._pid_file)
        return identity

    def _forking(self, incusd: Path) -> dict[str, str]:
        """Return what makes the daemon start machines by our small program (decision 0007).

        The daemon gets a copy of its own: the folder that we are installed in may go.
        """
        if not _FORK.exists():
            return {}
        copy = self._folder / _FORK.name
        temporary = copy.with_suffix(".new")
        shutil.copy2(_FORK, temporary)
        temporary.replace(copy)
        return {"INCUS_EXEC_PATH": str(copy), "LINACRE_INCUSD": str(incusd)}

    async def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        async with IncusClient(self.socket, project="default") as client:
            return await client.answers()

    async def _wait_until_ready(self, process: ProcessId) -> None:
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                while not await self._answers():
                    if not process.is_alive:
                        raise EngineError(f"incusd ended: {self._last_word()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise EngineError(
                f"incusd did not answer within {_START_LIMIT_S:.0f} s; see {self._log}"
            ) from None

    def _last_word(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1] if lines else 'it said nothing'}; see {self._log}"

    async def stop(self) -> None:
        """Stop the daemon and its machines, and let go of its mounts and loop devices."""
        async with self._alone():
            process = self._find()
            if process is not None:
                # SIGPWR is Incus' own signal for a shutdown that stops machines and unmounts.
                process.kill(signal.SIGPWR)
                if not await gone([process], clock=SystemClock(), timeout_s=_STOP_LIMIT_S):
                    process.kill(signal.SIGKILL)
            await leftovers.end_containers(self.directory, self._project)
            await leftovers.clear(self.directory)
            leftovers.clear_control_groups(self._project)
            self._pid_file.unlink(missing_ok=True)

    async def remove(self) -> None:
        """Stop the daemon and remove its directory."""
        await self.stop()
        if mounts := leftovers.mounts_below(self.directory):
            raise EngineError(f"{mounts[0]} is still mounted: not removed")
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=False)
