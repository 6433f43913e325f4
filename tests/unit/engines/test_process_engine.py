from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path, PurePosixPath

import pytest

from linacre.base.clock import SystemClock
from linacre.base.ending import end
from linacre.base.errors import EngineError, UnsupportedError, UserError
from linacre.base.paths import FacilityPaths
from linacre.base.processes import ProcessId
from linacre.engines.base import (
    Capability,
    Device,
    Limits,
    MachineSpec,
    MachineState,
    Mount,
    NetworkSpec,
    Payload,
    PayloadFile,
    Traits,
)
from linacre.engines.process import commands, files, ports, processes
from linacre.engines.process.addresses import loopback_address
from linacre.engines.process.clients import user_environment
from linacre.engines.process.engine import ProcessEngine
from linacre.engines.process.program import ioc_environment

_OF_TRAITS = ("runs_program", "serves_pvs")


@pytest.fixture
def engine(tmp_path: Path) -> ProcessEngine:
    return ProcessEngine("trial", FacilityPaths(tmp_path / "trial"))


def spec(engine: ProcessEngine, name: str = "mag", address: str = "10.9.0.11") -> MachineSpec:
    tree = engine.layout(name, IPv4Address(address)).tree
    return MachineSpec(
        name=name,
        kind="ioc",
        network="controls",
        address=IPv4Interface(f"{address}/24"),
        gateway=IPv4Address("10.9.0.1"),
        mac="02:00:00:00:00:01",
        image=None,
        payload=Payload((PayloadFile(tree / "st.cmd", data=b"iocInit\n"),), (tree,)),
        traits=Traits(serves_pvs=True),
        labels={"digest": "1"},
    )


def test_a_loopback_address_keeps_the_last_three_numbers() -> None:
    assert loopback_address(IPv4Address("10.9.2.11")) == IPv4Address("127.9.2.11")
    assert loopback_address(IPv4Address("172.0.0.53")) == IPv4Address("127.0.0.53")


@pytest.mark.parametrize("address", ["10.0.0.0", "10.0.0.1", "10.255.255.255"])
def test_addresses_with_no_place_on_the_loopback_are_refused(address: str) -> None:
    with pytest.raises(UserError, match=f"address {address}: .* declare another, such as ") as e:
        loopback_address(IPv4Address(address))
    better = re.search(r"such as (\S+)$", str(e.value))
    assert better
    assert loopback_address(IPv4Address(better[1]))


async def test_two_machines_with_one_loopback_address_are_refused(engine: ProcessEngine) -> None:
    await engine.create(spec(engine, "mag", "10.9.0.11"))
    await engine.create(spec(engine, "mag", "10.9.0.11"))
    with pytest.raises(UserError, match=r"bpm: address 172.9.0.11 and mag's 10.9.0.11 are both"):
        await engine.create(spec(engine, "bpm", "172.9.0.11"))


async def test_what_it_cannot_do_is_one_line_that_says_what_can(engine: ProcessEngine) -> None:
    plain = spec(engine)
    mounted = replace(plain, mounts=(Mount(Path("/data"), PurePosixPath("/data")),))
    given = replace(plain, devices=(Device(path=Path("/dev/ttyS0")),))
    for refused in (
        engine.create(mounted),
        engine.create(given),
        engine.rebuild(plain),
        engine.ensure_image("0", Path("/none")),
    ):
        with pytest.raises(UnsupportedError) as e:
            await refused
        assert "process engine" in str(e.value)
        assert "incus" in str(e.value)
        assert "\n" not in str(e.value)
    await engine.create(replace(plain, limits=Limits(cpu=0.5)))
    assert Capability.LIMITS not in engine.capabilities()


async def test_labels_networks_and_record_are_kept(engine: ProcessEngine, tmp_path: Path) -> None:
    assert (await engine.exists(), await engine.networks(), await engine.record()) == (
        False,
        [],
        {},
    )
    network = NetworkSpec("controls", IPv4Network("10.9.0.0/24"), IPv4Address("10.9.0.1"))
    await engine.ensure_network(network)
    await engine.create(spec(engine))
    await engine.set_labels("mag", {"more": "2"})
    await engine.update(replace(spec(engine), labels={"digest": "3"}))
    await engine.set_record({"applied": "yes"})
    again = ProcessEngine("trial", FacilityPaths(tmp_path / "trial"))
    assert await again.exists()
    assert await again.networks() == ["controls"]
    assert await again.record() == {"applied": "yes"}
    assert [dict(m.labels) for m in await again.machines()] == [{"digest": "3", "more": "2"}]
    await again.remove_network("controls")
    await again.remove_network("controls")
    assert await again.networks() == []


async def test_an_unknown_machine_is_named(engine: ProcessEngine) -> None:
    for asked in (engine.start("x"), engine.stop("x"), engine.update(spec(engine, "x"))):
        with pytest.raises(EngineError, match="x: no such machine in trial"):
            await asked


async def test_clients_are_given_the_iocs_of_one_network(engine: ProcessEngine) -> None:
    await engine.create(spec(engine, "mag", "10.9.0.11"))
    await engine.create(spec(engine, "bpm", "10.9.0.12"))
    await engine.create(replace(spec(engine, "far", "10.8.0.11"), network="sandbox"))
    found = await engine.client_environment("controls")
    assert found["EPICS_CA_ADDR_LIST"] == "127.9.0.11 127.9.0.12"
    assert found["EPICS_CA_AUTO_ADDR_LIST"] == "NO"
    assert found["EPICS_PVA_NAME_SERVERS"] == "127.9.0.11:5075 127.9.0.12:5075"


@pytest.mark.parametrize("path", ["/etc/passwd", "{home}/../other/x", "{home}/tree/out/x", "x"])
async def test_nothing_is_laid_outside_the_machine(
    engine: ProcessEngine, tmp_path: Path, path: str
) -> None:
    await engine.create(spec(engine))
    home = tmp_path / "trial/machines/mag"
    (home / "tree/out").symlink_to(tmp_path)
    target = PurePosixPath(path.format(home=home))
    bad = replace(spec(engine), payload=Payload((PayloadFile(target, data=b""),)))
    with pytest.raises(EngineError, match="is not in the machine's folder"):
        await engine.update(bad)
    assert not (tmp_path / "x").exists()


def test_a_payload_replaces_files_folders_and_links_by_one_another(tmp_path: Path) -> None:
    tree = PurePosixPath(tmp_path / "tree")
    (tmp_path / "source").write_text("source")
    one = (
        PayloadFile(tree / "a", data=b"1", mode=0o755),
        PayloadFile(tree / "b"),
        PayloadFile(tree / "b" / "c", source=tmp_path / "source"),
        PayloadFile(tree / "d", link="a"),
    )
    other = (
        PayloadFile(tree / "a", link="b"),
        PayloadFile(tree / "b", data=b"2"),
        PayloadFile(tree / "d"),
    )
    for laid in (one, other, one):
        files.lay(Payload(laid, (tree,)), home=tmp_path, keep=tmp_path / "persist")
    root = tmp_path / "tree"
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*")) == ["a", "b", "b/c", "d"]
    assert (root / "a").read_bytes() == b"1"
    assert (root / "a").stat().st_mode & 0o777 == 0o755
    assert (root / "b/c").read_text() == "source"
    assert str((root / "d").readlink()) == "a"


def test_a_file_that_is_the_same_is_left_alone(tmp_path: Path) -> None:
    payload = Payload((PayloadFile(PurePosixPath(tmp_path / "a"), data=b"1"),))
    files.lay(payload, home=tmp_path, keep=tmp_path / "persist")
    before = (tmp_path / "a").stat()
    files.lay(payload, home=tmp_path, keep=tmp_path / "persist")
    assert (tmp_path / "a").stat().st_ino == before.st_ino


def test_the_tail_of_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"0123456789")
    assert files.read_tail(tmp_path / "log", 3) == b"789"
    assert files.read_tail(tmp_path / "log", 100) == b"0123456789"
    assert files.read_tail(tmp_path / "none", 3) is None
    assert files.read_tail(tmp_path, 3) is None
    assert files.read_tail(Path(f"/proc/{os.getpid()}/stat"), 1 << 20)


@pytest.mark.parametrize("kind", ["ioc", "desk", "of-a-newer-linacre"])
async def test_a_machine_of_an_older_linacre_is_known_by_its_labels(
    engine: ProcessEngine, tmp_path: Path, kind: str
) -> None:
    labels = {} if kind == "desk" else {"after": ""}
    await engine.create(
        replace(spec(engine), kind=kind, labels=labels | ({"ioc": "mag"} if kind == "ioc" else {}))
    )
    file = tmp_path / "trial/machines/mag/machine.json"
    older = json.loads(file.read_text())
    file.write_text(json.dumps({k: older[k] for k in older if k not in _OF_TRAITS}))
    (found,) = await engine.machines()
    assert (found.kind, found.state == MachineState.RUNNING) == (kind, kind == "desk")
    served = (await engine.client_environment("controls"))["EPICS_CA_ADDR_LIST"]
    assert served == ("127.9.0.11" if kind == "ioc" else "")


async def test_a_manifest_that_is_not_whole_is_no_machine(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    await engine.create(spec(engine))
    for text in ("", "[]", "{}", '{"name": "mag", "kind": "sofa"}'):
        (tmp_path / "trial/machines/mag/machine.json").write_text(text)
        assert await engine.machines() == []


def test_a_busy_port_names_its_holder() -> None:
    address = IPv4Address("127.251.3.7")
    for bound in (str(address), "0.0.0.0"):
        with socket.create_server((bound, 0)) as server:
            port = server.getsockname()[1]
            assert ports.holder(address, port).startswith(f"process {os.getpid()} (")


async def test_only_the_very_process_is_ended() -> None:
    clock = SystemClock()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        here = ProcessId.of(child.pid)
        assert here is not None
        boot, _, ticks = here.started.rpartition(":")
        earlier = ProcessId(child.pid, f"{boot}:{int(ticks) - 1}")
        assert (here.is_alive, earlier.is_alive) == (True, False)
        await end(frozenset({earlier}), clock=clock, timeout_s=1)
        assert child.poll() is None
        await end(frozenset({here}), clock=clock, timeout_s=5)
        assert child.wait() == -signal.SIGTERM


async def test_a_process_that_ignores_sigterm_is_killed_with_all_below_it() -> None:
    script = "trap '' TERM; env -i sleep 1000 & echo $!; wait; wait"
    child = subprocess.Popen(
        ["sh", "-c", script], env={**os.environ, "MARK_OF_TEST": "x y"}, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        below = int(child.stdout.readline())
        found = processes.find_marked("MARK_OF_TEST", lambda value: value == "x y")
        assert {p.pid for p in found} == {child.pid, below}
        await end(found, clock=SystemClock(), timeout_s=0.2)
        assert child.wait() == -signal.SIGKILL
        assert not any(p.is_alive for p in found)


def test_a_stamp_names_the_process_that_wrote_it(tmp_path: Path) -> None:
    stamp = tmp_path / "process"
    own = Path(f"/proc/{os.getpid()}/stat").read_text()
    stamp.write_text(own + Path("/proc/sys/kernel/random/boot_id").read_text())
    assert ProcessId.noted(stamp) == ProcessId.own()
    stamp.write_text(f"{own}11111111-2222-3333-4444-555555555555\n")
    earlier = ProcessId.noted(stamp)
    assert earlier is not None
    assert not earlier.is_alive


@pytest.mark.parametrize("text", ["", "1", "\n\n", "garbage\nboot\n", "1 (a) S\n"])
def test_a_stamp_that_is_not_whole_is_no_process(tmp_path: Path, text: str) -> None:
    (tmp_path / "process").write_text(text)
    assert ProcessId.noted(tmp_path / "process") is None


def test_an_ioc_gets_no_epics_variable_of_somebodys_shell() -> None:
    given = {"PATH": "/bin", "EPICS_CA_ADDR_LIST": "10.0.0.1", "LANG": "C"}
    assert ioc_environment(given) == {"PATH": "/bin", "LANG": "C"}


def test_real_tools_win_over_stand_ins() -> None:
    found = user_environment(
        {"PATH": "/usr/bin", "LINACRE_MACHINE": "x"},
        machine=Path("/desk"),
        clients={"A": "b"},
        tools=Path("/desk/bin"),
    )
    assert found["PATH"] == f"{Path(sys.executable).parent}:/usr/bin:/desk/bin"
    assert found["A"] == "b"
    assert "LINACRE_MACHINE" not in found


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineError, match=r"procServ.*apt-get install procserv util-linux"):
        commands.check_installed()
