"""The keeper of an IOC's console, started by itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from epics_support import exists, wait_for


def test_one_whose_starter_has_ended_does_not_stay(programs: Path, tmp_path: Path) -> None:
    keeper = f"'{programs / 'console-keeper'}' 127.0.0.1 0 console.sock log 4096 1"
    left_alone = f"(while kill -0 $$; do :; done; exec {keeper})"
    script = f"{left_alone} < /dev/null > /dev/null 2>&1 & echo $!"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=tmp_path, capture_output=True, check=True)
    wait_for("the keeper to end", lambda: not exists(int(done.stdout)))
