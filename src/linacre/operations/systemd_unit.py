"""How `linacre boot` comes to run when the host starts: a systemd unit, or a line for cron."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.base.paths import StatePaths
from linacre.base.processes import run_tool
from linacre.session.state import facility_folders, read_note

_TARGET = "multi-user.target"
_UNIT = """\
# Kept current by linacre up while a facility is marked autostart; changes belong in a drop-in.
[Unit]
Description=Linacre facilities marked autostart
Wants=network-online.target
After=network-online.target local-fs.target incus.socket incus.service incus-startup.service
RequiresMountsFor={state}

[Service]
Type=oneshot
RemainAfterExit=yes
Environment={environment}
ExecStart={command}
TimeoutStartSec=1h
# The daemon and the machines that it starts outlive the command, and are not the unit's to end.
KillMode=process
Delegate=yes
TasksMax=infinity
LimitNOFILE=1048576
LimitMEMLOCK=infinity
LimitNPROC=infinity

[Install]
WantedBy={target}
"""


@dataclass(frozen=True)
class Systemd:
    """The systemd of this host."""

    units: Path = Path("/etc/systemd/system")
    running: Path = Path("/run/systemd/system")
    """There where systemd is process 1 (sd_booted(3))."""
    systemctl: str = "systemctl"

    @property
    def is_ours(self) -> bool:
        """Whether systemd runs here and we may give it units."""
        return self.running.is_dir() and os.geteuid() == 0

    async def enable(self, name: str, text: str) -> None:
        """Write and enable a unit; it is not started."""
        file = self.units / name
        self.units.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(file)
        await run_tool(self.systemctl, "daemon-reload")
        await run_tool(self.systemctl, "enable", name)

    async def remove(self, name: str) -> None:
        """Disable and remove a unit; what it started goes on."""
        await run_tool(self.systemctl, "disable", name)
        (self.units / name).unlink(missing_ok=True)
        await run_tool(self.systemctl, "daemon-reload")

    def is_current(self, name: str, text: str) -> bool:
        """Tell whether a unit stands there so, enabled, or is masked by the administrator."""
        file = self.units / name
        if file.is_symlink():
            return True
        enabled = (self.units / f"{_TARGET}.wants" / name).is_symlink()
        return enabled and file.is_file() and file.read_text() == text


async def arrange_boot(
    state: StatePaths, *, was_marked: bool, is_marked: bool, systemd: Systemd | None = None
) -> str | None:
    """Have the facilities of this host that are marked started with it; return what to say.

    `was_marked` and `is_marked` are of the facility at hand, before and after the command.
    """
    systemd = systemd or Systemd()
    wanted = _any_marked(state)
    if not systemd.is_ours:
        if is_marked and not was_marked:
            return f"to start it with this host, add this line by crontab -e: {cron_line(state)}"
        if was_marked and not wanted:
            return "nothing is marked autostart any more: take linacre boot out by crontab -e"
        return None
    name = unit_name(state)
    try:
        return await _keep(systemd, name, unit_text(state) if wanted else None)
    except (LinacreError, OSError) as error:
        return f"{name} is not as it should be, and nothing starts with this host: {error}"


async def _keep(systemd: Systemd, name: str, text: str | None) -> str | None:
    file = systemd.units / name
    if text is None:
        if not file.is_file():
            return None
        await systemd.remove(name)
        return f"removed {file}: nothing is marked autostart any more"
    if systemd.is_current(name, text):
        return None
    what = "brought up to date" if file.exists() else "installed and enabled"
    await systemd.enable(name, text)
    return f"{what} {file}: what is marked autostart starts with this host"


def _any_marked(state: StatePaths) -> bool:
    for name in facility_folders(state):
        try:
            note = read_note(state.facility(name))
        except LinacreError:
            # Damaged: `boot` is to say so.
            return True
        if note is not None and note.autostart:
            return True
    return False


def _is_usual(state: StatePaths) -> bool:
    with contextlib.suppress(UserError):
        return state == StatePaths.from_environment({})
    return False


def unit_name(state: StatePaths) -> str:
    """Return the name of the unit for a state folder; the usual folder's has no digest."""
    digest = hashlib.sha256(os.fsencode(state.root)).hexdigest()[:8]
    return "linacre-boot.service" if _is_usual(state) else f"linacre-boot-{digest}.service"


def _command() -> list[str]:
    return [sys.executable, "-m", "linacre.cli.main", "boot"]


def unit_text(state: StatePaths) -> str:
    """Return the unit that runs `linacre boot` for a state folder (systemd.service(5))."""
    return _UNIT.format(
        state=_quoted(str(state.root)),
        environment=_quoted(f"LINACRE_STATE={state.root}"),
        # In a command alone, systemd puts variables in for what stands after a dollar.
        command=" ".join(_quoted(word).replace("$", "$$") for word in _command()),
        target=_TARGET,
    )


def _quoted(word: str) -> str:
    """Return a word as systemd reads it back (systemd.syntax(7))."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    plain = all(c.isalnum() or c in "/._-=%" for c in word)
    return escaped if plain else f'"{escaped}"'


def cron_line(state: StatePaths) -> str:
    """Return the line for crontab(5) that runs `linacre boot` when the host starts."""
    line = shlex.join(_command())
    if not _is_usual(state):
        line = f"LINACRE_STATE={shlex.quote(str(state.root))} {line}"
    # Cron takes a percent sign for the end of the line.
    return "@reboot " + line.replace("%", "\\%")
