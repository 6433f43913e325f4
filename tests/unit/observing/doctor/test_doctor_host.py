"""What the doctor makes of this host: mounts, room, memory, the clock, certificates."""

from __future__ import annotations

import asyncio
import datetime
import errno
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from doctor_support import FILE, FakeEngine, facts_of, session_of

from linacre.catalogue.catalogue import Catalogue
from linacre.observing import ceilings
from linacre.observing.doctor import sntp
from linacre.observing.doctor.certificate_checks import certificates_valid
from linacre.observing.doctor.clock_checks import clock_right, newest_task
from linacre.observing.doctor.mount_checks import mounts_answer, read_mounts
from linacre.observing.doctor.probe import Probed, probe
from linacre.observing.doctor.space_checks import disk_findings, machine_findings, pool_findings

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:44 / /mnt/data\040set rw,relatime shared:9 - nfs4 server:/export rw
41 22 0:45 / /mnt/waves rw - fuse.sshfs user@waves: rw,user_id=0
42 22 0:46 / /mnt/waves rw - tmpfs tmpfs rw
""".strip()


def test_mounts_as_the_kernel_writes_them() -> None:
    root, data, waves = read_mounts(MOUNTINFO)
    assert not root.is_far
    assert (data.path, data.is_far, data.is_fuse) == (Path("/mnt/data set"), True, False)
    # What is mounted on it is what is seen there.
    assert (waves.kind, waves.is_far) == ("tmpfs", False)


async def test_a_folder_that_answers(tmp_path: Path) -> None:
    probed = await probe(tmp_path, limit_s=20)
    assert not probed.hangs
    assert probed.error is None
    assert 0 < probed.free_bytes < probed.total_bytes


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    probed = await probe(tmp_path / "gone", limit_s=20)
    assert probed.error == errno.ENOENT


async def test_an_answer_that_is_late_is_not_waited_for(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert (await probe(tmp_path, limit_s=0)).hangs
    assert time.monotonic() - begun < 5


async def test_a_folder_that_an_ioc_mounts_and_that_is_gone(tmp_path: Path) -> None:
    text = FILE.replace("some.mag,", f"some.mag, mounts: [{{host: {tmp_path}/gone, path: /data}}],")
    outcome = await mounts_answer(facts_of(session_of(tmp_path, FakeEngine(), text)))
    gone = [each for each in outcome.findings if each.what == f"{tmp_path}/gone"]
    assert [each.text for each in gone] == ["is not there; used by mag"]


@pytest.mark.parametrize(
    ("free", "total", "verdicts"),
    [
        (50 << 30, 1 << 40, []),  # a twentieth, and still more than anybody needs
        (9 << 30, 100 << 30, ["warning"]),
        (2 << 30, 100 << 30, ["problem"]),
    ],
)
def test_room_on_disk(free: int, total: int, verdicts: list[str]) -> None:
    probed = Probed(free_bytes=free, total_bytes=total)
    assert [f.verdict for f in disk_findings(Path("/var"), probed)] == verdicts


def test_inodes_run_out_too() -> None:
    probed = Probed(free_bytes=1 << 40, total_bytes=1 << 40, free_inodes=10, total_inodes=1_000_000)
    (finding,) = disk_findings(Path("/var"), probed)
    assert (finding.verdict, finding.text) == ("problem", "10 of 1000000 inodes left")


@pytest.mark.parametrize(("left", "verdicts"), [(30, []), (15, ["warning"]), (0, ["problem"])])
def test_room_in_a_pool(left: int, verdicts: list[str]) -> None:
    assert [f.verdict for f in pool_findings("the pool", left, 100)] == verdicts


def lay(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_memory_of_the_host(tmp_path: Path) -> None:
    proc = lay(
        tmp_path,
        {
            "meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\n",
            "pressure/memory": "some avg10=1.00 avg60=12.50 avg300=0 total=1\nfull avg10=0.00\n",
        },
    )
    assert ceilings.read_host(proc) == ceilings.Host(250 << 10, 1000 << 10, 12.5)
    assert ceilings.read_host(tmp_path / "nowhere") is None


def test_memory_of_a_control_group_of_version_1(tmp_path: Path) -> None:
    proc = lay(
        tmp_path,
        {
            "7/cgroup": "5:pids:/lxc.payload.x\n4:memory:/lxc.payload.x\n0::/lxc.payload.x\n",
            "self/mountinfo": (
                f"1 1 0:1 / {tmp_path}/u rw - cgroup2 none rw\n"
                f"2 1 0:2 / {tmp_path}/m rw - cgroup memory rw,memory\n"
                f"3 1 0:3 / {tmp_path}/p rw - cgroup pids rw,pids\n"
            ),
            "p/lxc.payload.x/pids.current": "95\n",
            "p/lxc.payload.x/pids.max": "100\n",
            "m/lxc.payload.x/memory.usage_in_bytes": "1000\n",
            "m/lxc.payload.x/memory.limit_in_bytes": "1100\n",
            "m/lxc.payload.x/memory.stat": "cache 1\ntotal_inactive_file 5\n",
            "m/lxc.payload.x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
        },
    )
    group = ceilings.read_group(7, proc)
    assert group == ceilings.Group(995, 1100, 2, processes=95, most_processes=100)
    texts = [finding.text for finding in machine_findings("mag", group)]
    assert texts == [
        "is near its ceiling: memory 995 B of 1.1 KiB",
        "is near its ceiling: processes 95 of 100",
        "the kernel has killed a process in it 2 times for lack of memory since it started",
    ]


def test_memory_of_a_control_group_of_version_2(tmp_path: Path) -> None:
    proc = lay(
        tmp_path,
        {
            "7/cgroup": "0::/lxc.payload.x\n",
            "self/mountinfo": f"1 1 0:1 / {tmp_path}/u rw - cgroup2 none rw\n",
            "u/lxc.payload.x/memory.current": "1000\n",
            "u/lxc.payload.x/memory.max": "max\n",
            "u/lxc.payload.x/pids.current": "95\n",
            "u/lxc.payload.x/pids.max": "max\n",
            "u/lxc.payload.x/memory.events": "low 0\noom_kill 0\n",
        },
    )
    group = ceilings.read_group(7, proc)
    assert group == ceilings.Group(1000, None, 0, processes=95)
    assert machine_findings("mag", group) == []


def test_a_process_that_is_gone_has_no_group(tmp_path: Path) -> None:
    assert ceilings.read_group(7, tmp_path) is None


class Server(asyncio.DatagramProtocol):
    """A time server that answers as the test wants."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        assert len(data) == sntp.SIZE
        assert (data[0] & 7, data[0] >> 3 & 7) == (3, 4)
        self._transport.sendto(self._answer(data), addr)  # type: ignore[attr-defined]


def answering(*, off_s: float = 0.0, head: int = 4 << 3 | 4, stratum: int = 2, told: int = 40):
    def answer(data: bytes) -> bytes:
        at = sntp.to_ntp(time.time() + off_s)
        return bytes([head, stratum, 0, 0]).ljust(24, b"\0") + data[told:48].rjust(8) + at + at

    return answer


async def told_by(answer: Callable[[bytes], bytes]) -> sntp.Told:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Server(answer), local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    try:
        return await sntp.ask(IPv4Address("127.0.0.1"), now=time.time, limit_s=0.5, port=port)
    finally:
        transport.close()


@pytest.mark.parametrize("off_s", [0.0, -3600.0, 86400.0 * 400])
async def test_the_time_of_a_server(off_s: float) -> None:
    told = await told_by(answering(off_s=off_s))
    assert told.error is None
    assert told.offset_s == pytest.approx(off_s, abs=0.5)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (answering(head=4 << 3 | 3), "no time server"),
        (answering(head=3 << 6 | 4 << 3 | 4), "does not know the time itself"),
        (answering(stratum=0), "refuses"),
        (answering(told=41), "no answer within"),  # to somebody else's question
        (lambda _: b"short", "no answer within"),
    ],
)
async def test_what_is_no_time(answer: Callable[[bytes], bytes], why: str) -> None:
    assert why in ((await told_by(answer)).error or "")


def test_times_beyond_the_era_of_2036() -> None:
    at = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC).timestamp() + 0.25
    assert sntp.from_ntp(sntp.to_ntp(at), near=at + 7200) == pytest.approx(at, abs=1e-6)


class Clock:
    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


async def test_a_clock_behind_our_own_files(tmp_path: Path) -> None:
    session = session_of(tmp_path, FakeEngine())
    object.__setattr__(session, "clock", Clock(86400.0 * 365))
    (finding,) = (await clock_right(facts_of(session))).findings
    assert finding.verdict == "problem"
    assert finding.text.endswith("behind Linacre's own newest file")


async def test_the_newest_task_as_the_catalogue_keeps_it(tmp_path: Path) -> None:
    file = tmp_path / "cata logue.sqlite"
    assert newest_task(file) is None
    async with await Catalogue.open(file, logs=tmp_path) as catalogue:
        assert newest_task(file) is None
        async with await catalogue.begin_task(facility="test", verb="up"):
            told = newest_task(file)
        assert told is not None
        assert (told[0], told[1]) == ("task 1, up", (await catalogue.task(1)).started_at)
        ended = newest_task(file)
        assert ended == ("task 1, up", (await catalogue.task(1)).ended_at)


def certificate(folder: Path, *, days: float) -> Path:
    """Write a certificate that ends in so many days, and its key, open to its owner alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "server.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.key").write_bytes(private)
    (folder / "server.key").chmod(0o600)
    return folder


@pytest.mark.parametrize(("days", "verdicts"), [(365, []), (29, ["warning"]), (-1, ["problem"])])
async def test_a_certificate_that_ends(tmp_path: Path, days: float, verdicts: list[str]) -> None:
    session = session_of(tmp_path, FakeEngine())
    certificate(session.paths.incus / "daemon", days=days)
    outcome = await certificates_valid(facts_of(session))
    assert [each.verdict for each in outcome.findings] == verdicts


async def test_certificates_of_a_daemon_elsewhere(tmp_path: Path) -> None:
    engine = (
        "engine: {kind: incus, url: 'https://127.0.0.1:1', certificate: c/server.crt, "
        "key: c/server.key, server_certificate: gone.crt}"
    )
    key = certificate(tmp_path / "c", days=1) / "server.key"
    key.chmod(0o644)
    (tmp_path / "gone.crt").write_text("no certificate")
    session = session_of(tmp_path, FakeEngine(), FILE.replace("engine: incus", engine))
    found = {each.what: each for each in (await certificates_valid(facts_of(session))).findings}
    assert found[str(key)].remedy == f"chmod 600 {key}"
    assert found[str(key)].text == "this key is open to others than its owner (mode 644)"
    assert found[str(tmp_path / "c/server.crt")].verdict == "warning"
    assert found[str(tmp_path / "gone.crt")].text == "this is no certificate in PEM"


async def test_nothing_to_look_at_without_certificates(tmp_path: Path) -> None:
    outcome = await certificates_valid(facts_of(session_of(tmp_path, FakeEngine())))
    assert not outcome.applies
