"""A pool whose maker was killed before its quotas began, and one that counts in the older way."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Site

from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.incus.quotas import Quotas

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    if not Path("/sys/fs/btrfs/features/simple_quota").exists():
        pytest.skip("this kernel has no simple quotas: they came with Linux 6.7")
    site = make_site("quota")
    site.ioc("a", 11)
    site.write()
    return site


def mounted(site: Site) -> Path:
    folder = site.state.facility(site.name).incus / "daemon/storage-pools"
    return folder / f"linacre-{site.name}"


def counting(site: Site) -> str | None:
    """Return how the pool counts, as the kernel has it."""
    asked = ["findmnt", "-n", "-o", "UUID", str(mounted(site))]
    told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    mode = Path(f"/sys/fs/btrfs/{told.split()[0]}/qgroups/mode")
    return mode.read_text().strip() if mode.exists() else None


def count_in_the_older_way(site: Site) -> None:
    for verb in ("disable", "enable"):
        subprocess.run(["btrfs", "quota", verb, str(mounted(site))], check=True)
    assert counting(site) == "qgroup"


def prepare(site: Site) -> None:
    """Make the project and the pool, as the first step of `up` does."""

    async def work() -> None:
        settings = IncusSettings(pool_bytes=1 << 30)
        engine = IncusEngine(site.name, site.state.facility(site.name), settings)
        await engine.open()
        await engine.prepare()
        await engine.close()

    asyncio.run(work())


def test_quotas_begin_late_where_whoever_made_the_pool_was_killed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(Quotas, "begin", lambda _: None)
        prepare(site)
    assert counting(site) is None
    prepare(site)
    assert counting(site) == "squota"
    # As the daemon begins with the first quota.
    count_in_the_older_way(site)
    site.up()
    assert counting(site) == "squota"


def test_a_pool_in_use_that_counts_in_the_older_way_is_told(site: Site) -> None:
    checks = {c["check"]: c for c in json.loads(site.run("doctor", "--json").out)["checks"]}
    assert checks["space"]["findings"] == []
    count_in_the_older_way(site)
    site.ok("up", "--yes")
    assert counting(site) == "qgroup"
    checks = {c["check"]: c for c in json.loads(site.run("doctor", "--json").out)["checks"]}
    (finding,) = checks["space"]["findings"]
    assert finding["what"] == f"the pool linacre-{site.name}"
    assert finding["text"].startswith("counts the image for the disk of each machine too")
    assert checks["space"]["verdict"] == "warning"
