"""Folders of an IOC in which somebody has laid what is to reach the host, or to hold it up."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECRET = 'root:$6$of-the-host:alone\nrecord(ai, "SECRET") {}\n'
SCRIPT = 'dbLoadRecords("own.db")\niocInit\n'
DEEP = 300
MANY = 200_000


@dataclass(frozen=True)
class Trap:
    """One thing that is wrong in an IOC's folder."""

    name: str
    lay: Callable[[Path, Path], None]
    """Lays it into the folder, given the host's folder that it is to reach."""
    path: str = "trap"
    """Where."""


def plain(folder: Path) -> Path:
    """Make the folder of a plain IOC."""
    folder.mkdir(parents=True)
    (folder / "st.cmd").write_text(SCRIPT)
    (folder / "own.db").write_text('record(ai, "OWN") {}\n')
    return folder


def host(folder: Path) -> Path:
    """Make a folder of the host with a file that not everybody may read."""
    folder.mkdir(parents=True)
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    folder.chmod(0o700)
    return folder


def _hole(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(5 << 30)


def _deep(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("end", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)


def lay_many(folder: Path) -> None:
    """Lay so many names, which are all of a few files: a file takes 65,000 at most on ext4."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for number in range(MANY):
        name = f"f{number}"
        if number % 50_000 == 0:
            first = name
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=here))
        else:
            os.link(first, name, src_dir_fd=here, dst_dir_fd=here)
    os.close(here)


def _device(path: Path) -> None:
    # That of /dev/zero: a file without end, and no harm.
    os.mknod(path, 0o666 | 0o020000, os.makedev(1, 5))


def _script(text: str) -> Callable[[Path, Path], None]:
    def lay(folder: Path, there: Path) -> None:
        (folder / "st.cmd").write_text(text.replace("HOST", str(there)) + SCRIPT)

    return lay


TRAPS = [
    Trap("link as the last part", lambda f, h: (f / "trap").symlink_to(h / "secret")),
    Trap("link on the way", lambda f, h: (f / "d").symlink_to(h), "d/secret"),
    Trap(
        "relative link out",
        lambda f, h: (f / "trap").symlink_to(os.path.relpath(h / "secret", f)),
    ),
    Trap("start script as a link", lambda f, h: _relink(f / "st.cmd", h / "secret"), "st.cmd"),
    Trap("database as a link", lambda f, h: _relink(f / "own.db", h / "secret"), "own.db"),
    Trap("database named outside", _script('dbLoadRecords("HOST/secret")\n')),
    Trap("script named outside", _script("< HOST/secret\n")),
    Trap("names with dots", _script('dbLoadRecords("../host/secret")\n< ../host/secret\n')),
    Trap("place of the build", lambda f, h: _built(f, h), "envPaths"),
    Trap("pipe", lambda f, h: os.mkfifo(f / "trap")),
    Trap("device", lambda f, h: _device(f / "trap")),
    Trap("file of 5 GiB with a hole", lambda f, h: _hole(f / "trap")),
    Trap("folders in folders", lambda f, h: _deep(f), "d/d"),
    Trap("name with an end of line", lambda f, h: (f / "a\nb").write_text("x"), "a\nb"),
    Trap("name with an order", lambda f, h: (f / "a\x1b[2Jb").write_text("x"), "a\x1b[2Jb"),
    Trap("name that is no UTF-8", lambda f, h: _touch(os.fsencode(f) + b"/a\xff"), "a\udcff"),
    Trap("link to an order", lambda f, h: (f / "trap").symlink_to("a\x1b[2Jb")),
    Trap("links in a circle", lambda f, h: (f / "trap").symlink_to("trap")),
]


def _relink(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def _built(folder: Path, there: Path) -> None:
    (folder / "envPaths").write_text('epicsEnvSet("TOP","/")\n')
    (folder / "st.cmd").write_text(f"< {there}/secret\n" + SCRIPT)


def _touch(path: bytes) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
