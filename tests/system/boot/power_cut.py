"""Power cuts for tests: everything of a facility ends at once, with nothing put in order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import Done, Site, until

from linacre.engines.incus.cable import bridge_name, veth_name


def monitors(site: Site) -> list[int]:
    """Return the ids of the monitors of a facility's machines."""
    lines = [line for line in site.leftovers() if "[lxc monitor]" in line]
    return [int(line.split()[1].rstrip(":")) for line in lines]


def inside(site: Site, *machines: str) -> list[int]:
    """Return the ids of the processes inside machines, by default inside all."""
    return [pid for name in machines or sorted(site.machines) for pid in site.processes(name)]


def daemon(site: Site) -> int:
    """Return the id of the daemon, which runs."""
    found = site.daemon()
    assert found is not None
    return found.pid


def cut_power(site: Site) -> None:
    """Kill all at once: daemon, monitors and whatever runs in machines."""
    for pid in (daemon(site), *monitors(site), *inside(site)):
        site.kill(pid)


def restart_host(site: Site) -> None:
    """Cut the power, and take away what no restart of a host leaves."""
    cut_power(site)
    until(lambda: not inside(site))
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        if str(site.state.root) + "/facilities" in line:
            subprocess.run(["umount", "--lazy", line.split()[4]], check=True)
    # The kernel lets a loop device go when what was written is on the disk: late on a busy one.
    until(lambda: not any(each.startswith("loop") for each in site.leftovers()), limit_s=120)
    for link in (bridge_name(site.name, "controls"), *map(site_veth(site), site.machines)):
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
    for folder in Path("/sys/fs/cgroup").glob("**/lxc.*"):
        if f"linacre-{site.name}_" in folder.name:
            subprocess.run(["find", folder, "-depth", "-type", "d", "-delete"], check=False)


def site_veth(site: Site):
    """Return what names the cables of a facility."""
    return lambda machine: veth_name(site.name, machine)


def boot(site: Site, **environment: str) -> tuple[Done, dict[str, dict[str, Any]]]:
    """Run `linacre boot --json` and return it, and what it says of each facility."""
    done = site.run("boot", "--json", **environment)
    if not done.out:
        return done, {}
    return done, {each["facility"]: each for each in json.loads(done.out)["facilities"]}


def booted(site: Site) -> tuple[Done, dict[str, Any]]:
    """Run a `linacre boot` that brings all up, and return it and what it says of the facility."""
    done, said = boot(site)
    assert done.status == 0, done
    own = said[site.name]
    assert own["outcome"] == "up", done
    assert own["iocs_up"] == own["iocs"] == len(site.iocs), done
    return done, own


def answers(site: Site, name: str) -> str:
    """Return the read-back of an IOC as caget at the desk gives it; no facility file is needed."""
    pv = f"{site.prefix(name)}READI"
    return site.inside("desk-controls", f"caget -t -w 10 {pv}").out.strip()


@contextmanager
def in_the_state_of(host: Site, site: Site) -> Iterator[Site]:
    """Keep a facility on the same host as another, to the end of the block."""
    own = site.state
    site.state = host.state
    try:
        yield site
    finally:
        purged = site.run("down", "--purge", "--yes")
        site.state = own
    assert purged.status == 0, purged
