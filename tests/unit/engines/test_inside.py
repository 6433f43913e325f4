"""Files inside a machine, read from this host: here the machine is this process's own root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePosixPath

from linacre.base.processes import ProcessId
from linacre.engines.incus.inside import read_inside

OWN = ProcessId.own()


def one(path: Path | str, *, init: ProcessId = OWN, limit: int = 100) -> bytes | None:
    where = PurePosixPath(path)
    return read_inside(init, [where], limit=limit)[where]


def test_files_are_read_together_and_each_up_to_the_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    paths = [PurePosixPath(tmp_path, name) for name in ("a", "b", "c", "folder", "folder/d")]
    found = read_inside(OWN, paths, limit=4)
    assert [found[path] for path in paths] == [b"6789", b"", None, None, None]


def test_what_the_kernel_makes_up_is_read_whole() -> None:
    told = one(f"/proc/{OWN.pid}/stat", limit=4096)
    assert told is not None
    assert told.split()[0] == str(OWN.pid).encode()


def test_no_link_and_no_way_out_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_bytes(b"x")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "real/link").symlink_to("file")
    os.mkfifo(tmp_path / "real/pipe")
    assert one(tmp_path / "real/file") == b"x"
    for path in ("folder/file", "real/link", "real/pipe", "real/../real/file"):
        assert one(f"{tmp_path}/{path}") is None, path


def test_nothing_is_read_of_a_machine_that_has_ended(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        init = ProcessId.of(child.pid)
        assert init is not None
        assert one(tmp_path / "file", init=init) == b"x"
        child.communicate()
    assert one(tmp_path / "file", init=init) is None
    # Another process has its number now.
    assert one(tmp_path / "file", init=ProcessId(os.getpid(), init.started)) is None
