"""Root inside a machine tries what such people try: none of it reaches host, neighbours, daemon."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Site

pytestmark = pytest.mark.timeout(300)
PYTHON = "/opt/linacre/bin/python"

ATTACKS = {
    "what the kernel runs at a crash": "echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
    "a kernel's setting": "echo 1 > /proc/sys/vm/panic_on_oom",
    "the magic keys": "echo b > /proc/sysrq-trigger",
    "a kernel module": f'{PYTHON} -c "import ctypes, sys; sys.exit('
    "ctypes.CDLL(None).syscall(313, -1, b'', 0) == 0 or ctypes.get_errno() == 8)\" && false",
    "the kernel's memory": "dd if=/dev/mem of=/dev/null bs=1 count=1",
    "the kernel's log, written": "[ -c /dev/kmsg ] && echo x > /dev/kmsg",
    "a disk of the host by its number": "mknod /tmp/disk b 254 0 && dd if=/tmp/disk of=/dev/null "
    "bs=512 count=1",
    "a loop device": "mknod /tmp/loop b 7 0 && dd if=/tmp/loop of=/dev/null bs=512 count=1",
    "a new loop device": "losetup -f /etc/hostname",
    "the pool, mounted": "mount -t btrfs /dev/loop0 /mnt",
    "a control group's release agent": "mkdir -p /tmp/cg && mount -t cgroup -o pids cgroup /tmp/cg "
    "&& echo /tmp/x > /tmp/cg/release_agent",
    "its own ceiling": "f=$(ls -d /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null "
    '| head -1); [ -n "$f" ] && echo max > $f && [ "$(cat $f)" = max ]',
    "the host's clock": "date -s '2001-01-01 00:00:00'",
    "the host's name space of processes": "[ -e /proc/HOST_PID/root/etc/shadow ]",
    "a process of the host": "kill -0 HOST_PID",
    "the daemon's socket": "ls /dev/incus/sock || ls /var/lib/incus/unix.socket",
    "a BPF program": f'{PYTHON} -c "import ctypes, sys; attr = ctypes.create_string_buffer(128); '
    "attr[0] = 1; attr[4] = 4; attr[8] = 4; attr[12] = 1; "
    'sys.exit(ctypes.CDLL(None).syscall(321, 0, attr, 128) < 0)"',
    "performance counters of the kernel": f'{PYTHON} -c "import ctypes, struct, sys; '
    "attr = struct.pack('<IIQ', 1, 112, 0).ljust(112, b'\\0'); "
    'sys.exit(ctypes.CDLL(None).syscall(298, attr, -1, 0, -1, 0) < 0)"',
    "a link of the host": "ip link set dev lo netns 1 && ip link add lnb-x type bridge && "
    "[ -e /proc/1/root/sys/class/net/lnb-x/HOST ]",
    "a mount that the host sees": "mount -t tmpfs none /srv/persist && touch /srv/persist/HOST && "
    "[ -e SEEN_BY_HOST ]",
    "SSH of the host": "timeout 2 bash -c 'exec 3<>/dev/tcp/HOST_ADDRESS/22'",
    "a program of the host": "timeout 2 bash -c 'exec 3<>/dev/tcp/HOST_ADDRESS/HOST_PORT'",
    "a program of the host by another address": "timeout 2 bash -c "
    "'exec 3<>/dev/tcp/OTHER_ADDRESS/HOST_PORT'",
}


@pytest.fixture(scope="module")
def site(make_site: Callable[..., Site]) -> Site:
    site = make_site("hostile")
    site.ioc("victim", 11)
    site.ioc("enemy", 12)
    site.up()
    return site


@pytest.fixture(scope="module")
def words(site: Site) -> Iterator[dict[str, str]]:
    """What the attacks need to know of the host."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        other = socket.gethostbyname(socket.gethostname())
        yield {
            "HOST_PID": str(os.getpid()),
            "HOST_ADDRESS": f"{site.subnet}.1",
            "OTHER_ADDRESS": other if not other.startswith("127.") else f"{site.subnet}.1",
            "HOST_PORT": str(server.getsockname()[1]),
            "SEEN_BY_HOST": "/srv/persist/HOST-of-the-host",
        }


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_it_does_not_come_through(site: Site, words: dict[str, str], attack: str) -> None:
    for word, meant in words.items():
        attack = attack.replace(word, meant)
    done = site.inside("enemy", attack)
    assert done.status != 0, done
    # What is not there to be tried proves nothing.
    assert "not found" not in done.err, done


def test_what_goes_by_is_not_heard(site: Site) -> None:
    """What a neighbour says to another comes to that one alone."""
    listen = (
        "import socket, sys, time\n"
        "raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
        "raw.bind(('eth0', 3)); raw.settimeout(0.2)\n"
        "own = open('/sys/class/net/eth0/address').read().strip().replace(':', '')\n"
        "end = time.monotonic() + 4\n"
        "while time.monotonic() < end:\n"
        "    try: frame, about = raw.recvfrom(2048)\n"
        "    except TimeoutError: continue\n"
        "    if about[2] != 4 and not frame[0] & 1 and frame[:6].hex() != own: print('heard')\n"
    )
    script = f'ip link set eth0 promisc on; timeout 20 {PYTHON} -c "{listen}" & sleep 1; wait'
    pv = f"{site.prefix('victim')}READI"
    talk = f"for i in 1 2 3; do caget -t -w 5 {pv}; sleep 0.5; done"
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as other:
        heard = other.submit(site.inside, "enemy", script)
        assert site.inside("desk-controls", talk).out.split() == ["2.5"] * 3
        assert heard.result().out == ""


def test_links_laid_for_us_lead_nowhere(site: Site, tmp_path: Path) -> None:
    """Files that commands read from a machine, replaced by links to what the host has."""
    secret = tmp_path / "secret"
    secret.write_text("of the host alone")
    swaps = (
        f"cd /var/log/ioc && mv ioc.log ioc.old && ln -s {secret} ioc.log; "
        f"rm -rf /srv/ioc/ioc.db && ln -s {secret} /srv/ioc/ioc.db; "
        f"mv /run/ioc/booted /run/ioc/was; ln -s {secret} /run/ioc/booted"
    )
    site.inside("enemy", swaps)
    try:
        for command in (
            ("ioc", "log", "enemy"),
            ("ioc", "diff", "enemy"),
            ("ioc", "show", "enemy"),
            ("status",),
            ("doctor",),
        ):
            done = site.run(*command)
            assert "of the host alone" not in done.out + done.err
            assert "unexpected" not in done.err and "Traceback" not in done.err
    finally:
        back = "cd /var/log/ioc && mv ioc.old ioc.log; mv /run/ioc/was /run/ioc/booted"
        site.inside("enemy", back)


def test_it_was_seen_and_the_others_go_on(site: Site) -> None:
    told = json.loads(site.run("doctor", "--json").out)
    texts = [
        finding["text"]
        for check in told["checks"]
        for finding in check["findings"]
        if finding["what"] == "enemy"
    ]
    assert any(text.endswith(" to programs of the host: dropped") for text in texts), texts
    pv = f"{site.prefix('victim')}READI"
    assert site.inside("desk-controls", f"caget -t -w 10 {pv}").out.strip() == "2.5"
    site.ok("ioc", "show", "victim")
