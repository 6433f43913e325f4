"""Cables: one file that changes in one stroke, and the hook that goes by it."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from linacre.base.errors import UnsupportedError
from linacre.base.paths import FacilityPaths
from linacre.base.processes import ProcessId
from linacre.engines.base import Client
from linacre.engines.connections import clients, served, sockets
from linacre.engines.incus.cable import Cables, bridge_name, veth_name
from linacre.engines.incus.client import Remote
from linacre.engines.incus.connection import IncusSettings
from linacre.engines.incus.engine import IncusEngine
from linacre.engines.incus.wiring import plugged
from linacre.engines.process.engine import ProcessEngine

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
NOWHERE = f"{0:032X}"
MAPPED = f"{0:016X}FFFF0000"


def orders_of_hook(
    cables: Cables, machine: str, tmp_path: Path, *, init: int | None = None
) -> list[str]:
    """Run the hook as lxc does at the start of a machine; return what it orders of `ip`."""
    said = tmp_path / "said"
    said.write_text("")
    tool = tmp_path / "bin" / "ip"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    tool.chmod(0o755)
    environment = {"PATH": f"{tool.parent}:{os.defpath}", "LXC_NAME": f"linacre-f_{machine}"}
    if init is not None:
        environment["LXC_PID"] = str(init)
    subprocess.run([cables.hook], env=environment, check=True)
    return said.read_text().splitlines()


def test_the_hook_plugs_each_machine_by_its_own_line(tmp_path: Path) -> None:
    cables = Cables("f", tmp_path / "cables")
    cables.prepare()
    cables.record({"a": "controls", "a-twin": None, "desk_b": "controls-twins"})
    veth, bridge = veth_name("f", "a"), bridge_name("f", "controls")
    assert orders_of_hook(cables, "a", tmp_path) == [
        f"link set dev {veth} up",
        f"link set dev {veth} master {bridge}",
    ]
    twin = veth_name("f", "a-twin")
    assert orders_of_hook(cables, "a-twin", tmp_path) == [f"link set dev {twin} up"]
    # A machine that nobody recorded starts unplugged.
    assert orders_of_hook(cables, "unknown", tmp_path) == []


def test_the_hook_writes_down_the_init_of_each_machine(tmp_path: Path) -> None:
    cables = Cables("f", tmp_path / "cables")
    cables.prepare()
    cables.record({"a": "controls"})
    # Its name is part of what the hook reads, and may be anything.
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    odd = tmp_path / "a) R 1 (b c"
    odd.symlink_to(command[0])
    with subprocess.Popen(
        [odd, *command[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as init:
        assert init.stdout is not None
        init.stdout.readline()
        assert len(orders_of_hook(cables, "a", tmp_path, init=init.pid)) == 2
        assert cables.inits.of("a") == ProcessId.of(init.pid) is not None
        assert cables.inits.of("b") is None
        init.communicate()
    # Of one that has ended nothing is told, nor of whoever has its id then.
    assert cables.inits.of("a") is None
    ours = tmp_path / "cables/inits/a"
    ours.write_text(str(ProcessId(os.getpid(), "other-boot:1")))
    assert cables.inits.of("a") is None
    ours.write_text("")
    assert cables.inits.of("a") is None
    cables.forget("a")
    assert not ours.exists()


def test_an_earlier_hook_is_written_anew(tmp_path: Path) -> None:
    cables = Cables("f", tmp_path / "cables")
    cables.bring_up_to_date()
    assert not cables.hook.exists()
    cables.prepare()
    written = cables.hook.read_text()
    (tmp_path / "cables/inits").rmdir()
    cables.hook.write_text("#!/bin/sh\n")
    cables.bring_up_to_date()
    assert cables.hook.read_text() == written
    assert (tmp_path / "cables/inits").is_dir()


def test_two_cables_change_in_one_stroke(tmp_path: Path) -> None:
    cables = Cables("f", tmp_path / "cables")
    cables.prepare()
    cables.record({"a": "controls", "a-twin": "controls-twins", "b": "controls"})
    before = (tmp_path / "cables/plugged").stat().st_ino
    cables.record({"a": None, "a-twin": "controls"})
    assert (tmp_path / "cables/plugged").stat().st_ino != before
    lines = (tmp_path / "cables/plugged").read_text().splitlines()
    bridge = bridge_name("f", "controls")
    assert lines == [
        f"a {veth_name('f', 'a')} -",
        f"a-twin {veth_name('f', 'a-twin')} {bridge}",
        f"b {veth_name('f', 'b')} {bridge}",
    ]
    cables.forget("a")
    assert "a " not in (tmp_path / "cables/plugged").read_text().splitlines()[0][:2]


def test_links_are_told_with_their_bridges(tmp_path: Path) -> None:
    cables = Cables("f", tmp_path / "cables")
    assert cables.links() == []
    cables.prepare()
    cables.record({"a": "controls", "b": None})
    expected = {veth_name("f", "a"), veth_name("f", "b"), bridge_name("f", "controls")}
    assert set(cables.links()) == expected


def test_a_machine_is_at_home_unless_it_was_moved() -> None:
    record = {"cable.a": "-", "cable.b": "controls-twins"}
    assert plugged(record, "a", home="controls") is None
    assert plugged(record, "b", home="controls") == "controls-twins"
    assert plugged(record, "c", home="controls") == "controls"


def test_a_daemon_elsewhere_moves_no_cables(tmp_path: Path) -> None:
    remote = Remote("https://far.example:8443", tmp_path / "c.crt", tmp_path / "c.key", None)
    engine = IncusEngine("f", FacilityPaths(tmp_path), IncusSettings(remote=remote))
    with pytest.raises(UnsupportedError) as refused:
        _ = engine.wiring
    assert str(refused.value) == (
        "the incus engine cannot do this: cables that are plugged and moved: twins, swap, plug, "
        "unplug; https://far.example:8443 is reached by its URL alone, and cables end on its "
        "host: run linacre on that host"
    )


def test_the_process_engine_has_no_cables(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="the process engine cannot do this: cables"):
        _ = ProcessEngine("f", FacilityPaths(tmp_path)).wiring


def line(own: str, peer: str, state: str) -> str:
    return f"   0: {own} {peer} {state} 00000000:00000000 00:00000000 00000000     0        0 1 1 0"


def test_clients_are_those_from_elsewhere_at_a_port_that_listens() -> None:
    # 10.9.0.11 is 0B00090A in the byte order of the kernel's table; 0x13C8 is 5064.
    table = [
        HEAD,
        line("00000000:13C8", "00000000:0000", "0A"),
        line("0B00090A:13C8", "0200090A:9C40", "01"),
        line("0B00090A:13C8", "0300090A:9C41", "06"),
        line("0B00090A:13C8", "0B00090A:9C42", "01"),
        line("0B00090A:9C43", "0C00090A:13C8", "01"),
    ]
    wide = [
        HEAD,
        line(
            "00000000000000000000000000000000:13D3", "00000000000000000000000000000000:0000", "0A"
        ),
        line(
            "0000000000000000FFFF00000B00090A:13D3", "0000000000000000FFFF00000200090A:1000", "01"
        ),
    ]
    found = clients(served(sockets("\n".join(table), "\n".join(wide))))
    desk = IPv4Address("10.9.0.2")
    assert found == [Client(desk, 40000, 5064), Client(desk, 4096, 5075)]
    assert [each.protocol for each in found] == ["Channel Access", "pvAccess"]
