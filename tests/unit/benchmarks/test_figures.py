"""What benchmarks make of what they measured, and the facility that they measure."""

from __future__ import annotations

import os
from ipaddress import IPv4Network
from pathlib import Path

import pytest

import footprint
from common import processes
from common.facility import BenchFacility, bench_facility, first_pv
from linacre.base.errors import LinacreError, UserError
from linacre.declaration.load import load

MB = 1_000_000


def process(machine: str, name: str, *, pss: int, files: int = 0, monitor: bool = False):
    return processes.Process(
        pid=1,
        machine=machine,
        name=name,
        is_monitor=monitor,
        is_init=False,
        pss=pss,
        pss_file=files,
        started_at=0.0,
    )


def look(machines: list[processes.Process], *, available: int, free: int) -> footprint.Look:
    rest = dict.fromkeys(("AnonPages", "Mapped", "Cached", "Buffers", "SReclaimable"), 0)
    rest |= dict.fromkeys(("SUnreclaim", "KernelStack", "Percpu"), 0)
    tables = 4 * MB * len({each.machine for each in machines})
    memory = {"MemAvailable": available, "MemFree": free, "PageTables": tables, **rest}
    return footprint.Look(memory=memory, machines=machines, daemon=50 * MB, others=0)


def test_footprint_leaves_out_the_ioc_and_what_was_there_before() -> None:
    desk = process("desk-controls", "init", pss=9 * MB)
    new = [
        each
        for name in ("ioc0000", "ioc0001")
        for each in (
            process(name, "softIoc", pss=6 * MB, files=4 * MB),
            process(name, "procServ", pss=MB),
            process(name, "runsvdir", pss=MB),
            process(name, "incusd", pss=2 * MB, monitor=True),
        )
    ]
    before = look([desk], available=100 * MB, free=90 * MB)
    after = look([desk, *new], available=76 * MB, free=58 * MB)
    found = footprint.figures(before, after, n=2)
    assert found["machine_bytes"] == 5 * MB
    assert found["machine_bytes_by_memfree"] == 9 * MB
    assert found["machine_bytes_without_files"] == 9 * MB
    assert found["machine_bytes_by_parts"] == 7 * MB
    assert found["other_processes_pss_bytes"] == 3 * MB
    assert found["pss_by_process_bytes"]["lxc monitor"] == 2 * MB


def test_footprint_of_fewer_machines_than_asked_for_is_no_figure() -> None:
    one = look([process("ioc0000", "softIoc", pss=MB)], available=0, free=0)
    with pytest.raises(LinacreError, match="1 machines of 2"):
        footprint.figures(look([], available=0, free=0), one, n=2)


def test_facility_file_is_right(tmp_path: Path) -> None:
    facility = BenchFacility("bench-x", tmp_path, IPv4Network("10.63.0.0/20"), "incus")
    facility.write(300)
    declared = load(facility.file).facility
    assert len(declared.iocs) == 300
    assert declared.iocs["ioc0299"].environment["BENCH_P"] + "SETI" == first_pv(299)


def test_subnet_too_small_is_said(tmp_path: Path) -> None:
    facility = BenchFacility("bench-x", tmp_path, IPv4Network("10.63.0.0/23"), "incus")
    with pytest.raises(UserError, match="room for 254 IOCs"):
        facility.write(255)


def test_facility_is_held_by_one() -> None:
    subnet = IPv4Network("10.63.0.0/20")
    with (
        bench_facility("bench-x", subnet=subnet, engine="process"),
        pytest.raises(LinacreError, match="bench-x runs already"),
        bench_facility("bench-x", subnet=subnet, engine="process"),
    ):
        pass


def test_own_cpu_time_is_counted() -> None:
    begun = processes.cpu_of([os.getpid()])
    busy = processes.cpu_busy()
    while processes.cpu_of([os.getpid()]) < begun + 0.03:
        pass
    assert processes.cpu_busy() > busy


def test_daemon_is_the_directorys_or_else_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    host = {
        1: ("init", "", "PATH=/bin"),
        2: ("incusd", "", "INCUS_DIR=/var/x/incus\0PATH=/bin"),
        3: ("incusd", "", "INCUS_DIR=/var/other/incus\0PATH=/bin"),
        4: ("incusd", "0::/lxc.monitor.linacre-x_ioc1", "INCUS_DIR=/var/x/incus"),
        5: ("incusd", "", "PATH=/bin"),
        6: ("incusd", "", ""),  # it has ended
    }
    files = {"comm": 0, "cgroup": 1, "environ": 2}
    monkeypatch.setattr(processes, "_pids", lambda: iter(host))
    monkeypatch.setattr(processes, "_read", lambda pid, file: host[pid][files[file]])
    assert processes.daemons(Path("/var/x")) == [2]
    assert processes.daemons(Path("/var/y")) == [5]
    del host[5]
    assert processes.daemons(Path("/var/y")) == []
