"""A PostgreSQL of a benchmark's or a test's own: on a socket in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

_START_LIMIT_S = 30
_SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=40")
_HBA = "local all secret scram-sha-256\nlocal all all trust\n"


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL's programs, or None where there is none."""
    found = [p.parent for p in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


def unprivileged() -> list[str]:
    """Return what a command is begun with so that it does not run as root, as PostgreSQL must."""
    if os.geteuid() != 0:
        return []
    user = _user()
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _user() -> pwd.struct_passwd:
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


@dataclass
class Server:
    """A running server; its superuser is `tester`, and `secret` needs the password hunter2."""

    folder: Path
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def url(self, database: str, *, user: str = "tester", **options: str) -> str:
        """Return the URL of a database."""
        given = {"host": self.folder, **options}
        query = "&".join(f"{key}={value}" for key, value in given.items())
        return f"postgresql://{user}@/{database}?{query}"

    def run(self, statement: str, *, database: str = "postgres") -> list[Any]:
        """Run one statement and return its rows."""
        import psycopg

        where = f"host={self.folder} user=tester dbname={database}"
        with psycopg.connect(where, autocommit=True) as connection:
            found = connection.execute(statement)  # type: ignore[arg-type]
            return found.fetchall() if found.description else []

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[str]:
        """Yield the name of a new database, empty or as the template is."""
        name = f"catalogue_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def server(bin_: Path) -> Iterator[Server]:
    """Make and run a server for the block."""
    folder = Path(tempfile.mkdtemp(prefix="linacre-test-pg-"))
    if os.geteuid() == 0:
        os.chown(folder, _user().pw_uid, _user().pw_gid)
    data = folder / "data"
    try:
        as_user = unprivileged()
        made = ["-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-locale"]
        initdb = [*as_user, str(bin_ / "initdb"), *made, "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        (data / "pg_hba.conf").write_text(_HBA)
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        argv = [str(bin_ / "postgres"), "-D", str(data), "-k", str(folder), *settings]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*as_user, *argv], stdout=log, stderr=log, cwd=folder)
        try:
            running = Server(folder)
            _wait_for(running, process)
            running.run("CREATE ROLE secret LOGIN PASSWORD 'hunter2'")
            running.run("CREATE ROLE plain LOGIN")
            yield running
        finally:
            # What it holds is thrown away: it need not be written down first.
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=_START_LIMIT_S)
    finally:
        shutil.rmtree(folder)


def _wait_for(running: Server, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    end = time.monotonic() + _START_LIMIT_S
    while True:
        try:
            running.run("SELECT 1")
            return
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError((running.folder / "log").read_text()) from None
        time.sleep(0.02)
