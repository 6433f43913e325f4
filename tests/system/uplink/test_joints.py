"""Which interfaces can be uplinks, and how they are joined: links of a test's own."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from linacre.base.errors import UserError
from linacre.engines.incus.links import bridge_of, link_there
from linacre.engines.incus.uplink import (
    check,
    join,
    joint_names,
    missing_joint,
    part,
    remove_links,
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def links() -> Iterator[dict[str, str]]:
    """A NIC (one end of a veth pair), a bridge of the host, and a bridge of ours."""
    tail = secrets.token_hex(5)
    made = {"nic": f"ltn-{tail}", "far": f"ltf-{tail}", "bridge": f"ltb-{tail}"}
    made["ours"] = f"lnb-{tail}"
    if os.geteuid() != 0:
        pytest.skip("only root may make links")
    try:
        ip("link", "add", made["nic"], "type", "veth", "peer", "name", made["far"])
        for link in ("nic", "far"):
            ip("link", "set", made[link], "up")
        for link in ("bridge", "ours"):
            ip("link", "add", made[link], "up", "type", "bridge")
        yield made
    except subprocess.CalledProcessError as error:
        pytest.skip(f"links cannot be made here: {error.stderr.decode().strip()}")
    finally:
        for link in (*made.values(), *joint_names(made["ours"])):
            subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)


async def refusal(links: dict[str, str], uplink: str) -> str:
    with pytest.raises(UserError) as caught:
        await check(links["ours"], uplink)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_what_cannot_be_an_uplink(links: dict[str, str]) -> None:
    nic, bridge, ours = links["nic"], links["bridge"], links["ours"]
    await check(ours, nic)
    await check(ours, bridge)
    assert "there is no interface lt-none on this host; write " in await refusal(links, "lt-none")
    assert (await refusal(links, "lo")).startswith("lo is this host's loopback; write ")
    assert f"{ours} belongs to a network of Linacre's" in await refusal(links, ours)
    ip("address", "add", "10.255.253.1/32", "dev", nic)
    assert "carries the host's address 10.255.253.1" in await refusal(links, nic)
    ip("address", "delete", "10.255.253.1/32", "dev", nic)
    ip("link", "set", nic, "master", bridge)
    said = f"{nic} is in the bridge {bridge} already; write {bridge}"
    assert await refusal(links, nic) == said


async def test_the_uplink_of_another_network_is_refused(links: dict[str, str]) -> None:
    nic, ours = links["nic"], links["ours"]
    await join(ours, nic)
    await check(ours, nic)
    with pytest.raises(UserError, match=f"{nic} is the uplink of another network"):
        await check("lnb-0000000000", nic)


async def test_a_nic_is_joined_and_freed(links: dict[str, str]) -> None:
    nic, ours = links["nic"], links["ours"]
    assert missing_joint(ours, nic) == f"{nic} is not joined to the bridge {ours}"
    await join(ours, nic)
    assert missing_joint(ours, nic) is None
    ip("link", "set", links["far"], "down")
    assert (
        missing_joint(ours, nic) == f"{nic} has no link: its cable is out, or the far side is off"
    )
    await part(ours, keep=nic)
    assert bridge_of(nic) == ours
    await part(ours, keep=None)
    assert bridge_of(nic) is None


async def test_a_bridge_is_joined_by_a_pair_that_goes_with_it(links: dict[str, str]) -> None:
    bridge, ours = links["bridge"], links["ours"]
    await join(ours, bridge)
    end, far_end = joint_names(ours)
    assert (bridge_of(end), bridge_of(far_end)) == (ours, bridge)
    for pulled in (end, far_end):
        ip("link", "set", pulled, "nomaster")
        assert missing_joint(ours, bridge) is not None
        await join(ours, bridge)
        assert missing_joint(ours, bridge) is None
    await part(ours, keep=bridge)
    assert link_there(end)
    ip("link", "delete", ours)
    await remove_links([ours])
    assert not link_there(end)
    assert not link_there(far_end)


async def test_bridges_that_an_ended_daemon_left_are_removed(links: dict[str, str]) -> None:
    bridge, ours = links["bridge"], links["ours"]
    await join(ours, bridge)
    await remove_links([ours, "lnv-nowhere"])
    assert not any(map(link_there, (ours, *joint_names(ours))))
    assert link_there(bridge)


async def test_another_uplink_takes_the_place_of_the_first(links: dict[str, str]) -> None:
    nic, bridge, ours = links["nic"], links["bridge"], links["ours"]
    await join(ours, bridge)
    await part(ours, keep=nic)
    assert not link_there(joint_names(ours)[0])
    await join(ours, nic)
    await part(ours, keep=bridge)
    assert bridge_of(nic) is None


async def test_a_bridge_with_stp_is_waited_for_until_frames_pass(links: dict[str, str]) -> None:
    bridge, ours = links["bridge"], links["ours"]
    ip("link", "set", bridge, "type", "bridge", "stp_state", "1", "forward_delay", "200")
    await join(ours, bridge)
    far_end = joint_names(ours)[1]
    forwarding = "3"
    state = Path(f"/sys/class/net/{far_end}/brport/state").read_text().strip()
    assert state == forwarding
