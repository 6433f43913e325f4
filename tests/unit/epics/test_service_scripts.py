"""The scripts of a service: what each may do, and what its volumes begin with."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from linacre.epics.layout import Layout
from linacre.epics.service import ServiceProgram, make_service_scripts

LAYOUT = Layout(
    tree=PurePosixPath("/srv/service"),
    persist=PurePosixPath("/srv/persist"),
    run=PurePosixPath("/run/ioc"),
    log=PurePosixPath("/var/log/ioc"),
    etc=PurePosixPath("/etc/linacre"),
    bind=None,
    user="ioc",
    softioc="/usr/local/bin/softIoc",
    python="/usr/bin/python3",
)
DATABASE = ServiceProgram(
    name="db",
    command=("mariadbd", "--user=mysql", "it's"),
    volumes=(PurePosixPath("/var/lib/my sql"), PurePosixPath("/srv/service/data")),
    environment={"A": "it's $HOME"},
)


def texts(program: ServiceProgram, layout: Layout = LAYOUT) -> dict[str, str]:
    return {script.path.name: script.text for script in make_service_scripts(program, layout)}


def test_scripts_are_posix_shell() -> None:
    shell = shutil.which("dash") or "/bin/sh"
    for program in (DATABASE, replace(DATABASE, user="www-data", volumes=())):
        for text in texts(program).values():
            subprocess.run([shell, "-n"], input=text.encode(), check=True)


def test_only_the_command_runs_as_the_services_user() -> None:
    made = texts(replace(DATABASE, user="www-data"))
    assert "user=''\n" in made["procserv"]
    assert "exec setpriv --reuid=www-data " in made["run"]
    assert "--reuid" not in texts(DATABASE)["run"]


def test_a_volume_in_the_tree_is_asked_for_as_unpack_looks_for_it() -> None:
    assert "keep /srv/service/data\n" in texts(DATABASE)["start"]


def volumes_of(tmp_path: Path) -> tuple[Path, Path, str]:
    """Return a folder of data, the persistent folder, and the script's part that keeps volumes."""
    data, persist = tmp_path / "data", tmp_path / "persist"
    layout = replace(LAYOUT, persist=PurePosixPath(persist), run=PurePosixPath(tmp_path / "run"))
    layout = replace(layout, log=PurePosixPath(tmp_path / "log"))
    user = "root" if os.geteuid() == 0 else str(os.geteuid())
    program = ServiceProgram(name="x", command=("x",), volumes=(PurePosixPath(data),), user=user)
    return data, persist, texts(program, layout)["start"].partition("\nend() {")[0]


def keep(script: str) -> None:
    subprocess.run(["/bin/sh", "-eu"], input=script.encode(), check=True)


def test_a_volume_begins_with_what_the_image_has_there(tmp_path: Path) -> None:
    data, persist, script = volumes_of(tmp_path)
    data.mkdir(mode=0o750)
    (data / "first").write_text("1")
    for _ in range(2):
        keep(script)
        assert data.is_symlink()
        assert (data / "first").read_text() == "1"
        assert (persist / str(data)[1:]).stat().st_mode & 0o777 == 0o750
    # A rebuild: the image's folder is there again.
    (data / "second").write_text("2")
    data.unlink()
    data.mkdir()
    (data / "first").write_text("of the image")
    keep(script)
    assert (data / "first").read_text() == "1"
    assert (data / "second").read_text() == "2"


def test_a_volume_that_the_image_does_not_have_begins_empty(tmp_path: Path) -> None:
    data, _, script = volumes_of(tmp_path)
    keep(script)
    assert data.is_symlink()
    assert list(data.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="changing owners needs root")
def test_files_follow_a_user_whom_another_image_numbers_otherwise(tmp_path: Path) -> None:
    data, _, script = volumes_of(tmp_path)
    data.mkdir()
    for name, owner, group in (("own", 101, 102), ("roots", 0, 0), ("logs", 101, 4)):
        (data / name).touch()
        os.chown(data / name, owner, group)
    os.chown(data, 101, 102)
    keep(script)
    data.unlink()
    data.mkdir()
    os.chown(data, 107, 108)
    keep(script)
    owners = {p.name: (p.stat().st_uid, p.stat().st_gid) for p in data.iterdir()}
    assert owners == {"own": (107, 108), "roots": (0, 0), "logs": (107, 4)}
    assert (data.stat().st_uid, data.stat().st_gid) == (107, 108)


def test_a_program_that_is_told_to_end_has_time_to(tmp_path: Path) -> None:
    for name in ("tree", "persist", "run", "log", "etc"):
        (tmp_path / name).mkdir()
    places = {n: PurePosixPath(tmp_path / n) for n in ("tree", "persist", "run", "log", "etc")}
    ending = f"trap 'sleep 0.3; echo clean > {tmp_path}/ended; exit 0' TERM"
    body = f"{ending}; : > {tmp_path}/begun; while :; do sleep 0.05; done"
    program = ServiceProgram(name="slow", command=("/bin/sh", "-c", body))
    for script in make_service_scripts(program, replace(LAYOUT, **places)):
        Path(script.path).write_text(script.text)
        Path(script.path).chmod(script.mode)
    # A procServ of ours: it runs the command once, and kills it when it is told to end.
    stand_in = tmp_path / "bin" / "procServ"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nfor last; do :; done\n"$last" & wait\n')
    stand_in.chmod(0o755)
    path = f"{stand_in.parent}:{os.environ['PATH']}"
    start = subprocess.Popen([tmp_path / "etc/start"], env=os.environ | {"PATH": path})
    end = time.monotonic() + 20
    while not (tmp_path / "begun").exists():
        assert time.monotonic() < end, "the program did not start"
        time.sleep(0.02)
    start.terminate()
    start.wait(timeout=20)
    assert (tmp_path / "ended").read_text() == "clean\n"
