"""The source of EPICS base, fetched once from the Debian archive that this machine uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness import CACHE

from linacre.images.apt import Apt
from linacre.images.sources import host_codename, read_sources, sources_for


def epics_source() -> Path:
    """Return the source archive of the EPICS base whose headers and libraries Debian 13 has."""
    folder = CACHE / "downloads" / "epics-source"
    if found := sorted(folder.glob("epics-base_*.orig.tar.xz")):
        return found[-1]
    folder.mkdir(parents=True, exist_ok=True)
    apt = Apt(folder / "apt")
    apt.prepare([])
    sources = sources_for("trixie", read_sources(), codename=host_codename())
    lines = [each.line().replace("deb ", "deb-src ", 1) for each in sources]
    (apt.root / "sources.list").write_text("\n".join([*lines, ""]))
    for command in (["update"], ["source", "--download-only", "epics-base"]):
        done = subprocess.run(
            ["apt-get", "-qq", *command],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **apt.environment},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    found = sorted(folder.glob("epics-base_*.orig.tar.xz"))
    if not found:
        pytest.skip(f"the source of EPICS base could not be fetched: {done.stderr.strip()[:200]}")
    return found[-1]
