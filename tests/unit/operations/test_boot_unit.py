"""The systemd unit that runs `linacre boot`, and the line for cron where there is no systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from linacre.base.paths import StatePaths
from linacre.operations.systemd_unit import Systemd, arrange_boot, cron_line, unit_name, unit_text
from linacre.session.state import FacilityNote, Standing, write_note

SYSTEMCTL = """\
#!/bin/sh
# Stands in for systemctl: does what enabling and disabling do to the files.
echo "$@" >> {folder}/asked
wants={folder}/units/multi-user.target.wants
case $1 in
enable) mkdir -p $wants && ln -sf {folder}/units/$2 $wants/$2 ;;
disable) rm -f $wants/$2 ;;
esac
"""
NOT_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="units are for root to write")


@pytest.fixture
def state(tmp_path: Path) -> StatePaths:
    return StatePaths(tmp_path / "state")


@pytest.fixture
def systemd(tmp_path: Path) -> Systemd:
    (tmp_path / "running").mkdir()
    (tmp_path / "units").mkdir()
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.format(folder=tmp_path))
    program.chmod(0o755)
    return Systemd(units=tmp_path / "units", running=tmp_path / "running", systemctl=str(program))


def mark(state: StatePaths, name: str, *, autostart: bool) -> None:
    note = FacilityNote(
        facility=name,
        file=Path("/nowhere/facility.yaml"),
        engine="incus",
        standing=Standing.UP,
        autostart=autostart,
    )
    write_note(state.facility(name), note)


def asked(tmp_path: Path) -> list[str]:
    file = tmp_path / "asked"
    lines = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return lines


@NOT_ROOT
async def test_the_unit_comes_is_kept_current_and_goes(
    state: StatePaths, systemd: Systemd, tmp_path: Path
) -> None:
    async def arrange() -> str | None:
        return await arrange_boot(state, was_marked=True, is_marked=True, systemd=systemd)

    name = unit_name(state)
    file = systemd.units / name
    mark(state, "a", autostart=False)
    assert await arrange() is None
    assert asked(tmp_path) == []

    mark(state, "a", autostart=True)
    line = await arrange()
    assert line is not None
    assert line.startswith(f"installed and enabled {file}: ")
    assert asked(tmp_path) == ["daemon-reload", f"enable {name}"]
    assert file.read_text() == unit_text(state)

    assert await arrange() is None
    assert asked(tmp_path) == []

    file.write_text("[Unit]\n# of an older Linacre\n")
    line = await arrange()
    assert line is not None
    assert line.startswith(f"brought up to date {file}: ")
    assert file.read_text() == unit_text(state)

    mark(state, "b", autostart=True)
    mark(state, "a", autostart=False)
    assert await arrange() is None
    shutil.rmtree(state.facility("b").root)
    asked(tmp_path)
    assert await arrange() == f"removed {file}: nothing is marked autostart any more"
    assert asked(tmp_path) == [f"disable {name}", "daemon-reload"]
    assert not file.exists()
    assert await arrange() is None


@NOT_ROOT
async def test_a_masked_unit_is_left_masked(
    state: StatePaths, systemd: Systemd, tmp_path: Path
) -> None:
    mark(state, "a", autostart=True)
    file = systemd.units / unit_name(state)
    file.symlink_to("/dev/null")
    assert await arrange_boot(state, was_marked=False, is_marked=True, systemd=systemd) is None
    assert file.readlink() == Path("/dev/null")
    assert asked(tmp_path) == []


@NOT_ROOT
async def test_a_systemctl_that_fails_is_told_and_is_no_failure_of_up(
    state: StatePaths, systemd: Systemd
) -> None:
    mark(state, "a", autostart=True)
    Path(systemd.systemctl).write_text("#!/bin/sh\necho no bus >&2\nexit 1\n")
    line = await arrange_boot(state, was_marked=False, is_marked=True, systemd=systemd)
    assert line is not None
    assert "\n" not in line
    assert "nothing starts with this host" in line
    assert line.endswith("no bus")


async def test_without_systemd_the_line_to_add_is_told_once(
    state: StatePaths, tmp_path: Path
) -> None:
    systemd = Systemd(units=tmp_path / "units", running=tmp_path / "not there")
    mark(state, "a", autostart=True)
    line = await arrange_boot(state, was_marked=False, is_marked=True, systemd=systemd)
    command = f"{sys.executable} -m linacre.cli.main boot"
    assert line == (
        "to start it with this host, add this line by crontab -e: "
        f"@reboot LINACRE_STATE={state.root} {command}"
    )
    assert await arrange_boot(state, was_marked=True, is_marked=True, systemd=systemd) is None
    mark(state, "a", autostart=False)
    line = await arrange_boot(state, was_marked=True, is_marked=False, systemd=systemd)
    assert line == "nothing is marked autostart any more: take linacre boot out by crontab -e"
    assert not systemd.units.exists()


def test_the_usual_state_folder_needs_no_name() -> None:
    usual = StatePaths.from_environment({})
    assert unit_name(usual) == "linacre-boot.service"
    assert cron_line(usual) == f"@reboot {sys.executable} -m linacre.cli.main boot"


def test_another_state_folder_has_a_unit_of_its_own() -> None:
    names = {unit_name(StatePaths(Path(folder))) for folder in ("/a", "/b")}
    assert len(names) == 2
    assert all(name.startswith("linacre-boot-") and len(name) == 29 for name in names)


@pytest.mark.parametrize("folder", ["/var/lib/linacre", '/srv/two words/50%/$HOME/"q"/\\x'])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, folder: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    state = StatePaths(Path(folder))
    file = tmp_path / unit_name(state)
    file.write_text(unit_text(state))
    done = subprocess.run(
        ["systemd-analyze", "verify", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done
    assert file.name not in done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["/srv/two words", "/srv/50%", "/srv/$HOME's"])
def test_a_shell_reads_the_line_as_it_was_meant(folder: str) -> None:
    line = cron_line(StatePaths(Path(folder))).removeprefix("@reboot ").replace("\\%", "%")
    command = line.replace(f"{sys.executable} -m linacre.cli.main boot", "printenv LINACRE_STATE")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == f"{folder}\n"
