from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import PurePosixPath

import pytest

from linacre.epics import casr
from linacre.epics.casr import CHANNEL_ACCESS, PV_ACCESS, Peer

# What EPICS 7.0.10 with PVXS 1.5 wrote, two real clients of each protocol being there.
ANSWER = """\
Channel Access Server V4.13
2 clients connected:
    TCP client at 10.64.40.2:46484 'desk-controls':
\tUser 'root', V4.13, Priority = 0, 1 Channel
    TCP client at 10.64.40.1:53382 'vm':
\tUser 'root', V4.13, Priority = 0, 1 Channel
CAS-TCP server on 0.0.0.0:5064 with
    CAS-UDP name server on 0.0.0.0:5064
\tLast name requested by 10.64.40.1:53920:
\tUser '', V4.13, Priority = 0, 0 Channels
Sending CAS-beacons to 1 address:
    10.64.40.255:5065
EPICS_PVAS_INTF_ADDR_LIST=0.0.0.0
EPICS_PVAS_SERVER_PORT=5075
Source: qsrvSingle prio=0 IOC
    WMAG:COUNT
Source: qsrvGroup prio=1 IOC
State: Running TCP_Port: 5075 evmethod: epoll
    Peer[::ffff:10.64.40.2]:41428 backlog=0 TX=7641 RX=209 auth=ca
ca/root@[::ffff:10.64.40.2]:41428        WMAG:COUNT TX=7491 RX=40         Executing MONITOR
    Peer[::ffff:10.64.40.1]:59468 backlog=0 TX=7600 RX=201 auth=ca
ca/root@[::ffff:10.64.40.1]:59468        WMAG:COUNT TX=7450 RX=46         Executing MONITOR
linacre who 1f
"""
DESK, HOST = IPv4Address("10.64.40.2"), IPv4Address("10.64.40.1")


def test_clients_are_read_with_user_and_host() -> None:
    assert casr.peers(ANSWER) == [
        Peer(DESK, 46484, CHANNEL_ACCESS, "root", "desk-controls"),
        Peer(HOST, 53382, CHANNEL_ACCESS, "root", "vm"),
        Peer(DESK, 41428, PV_ACCESS, "root", None),
        Peer(HOST, 59468, PV_ACCESS, "root", None),
    ]


def test_a_server_with_nobody_has_no_clients() -> None:
    assert casr.peers("Channel Access Server V4.13\nNo clients connected.\n") == []
    assert casr.peers("") == []


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        (
            # No channel: the next client's line follows on the same line.
            "    Peer127.0.0.1:1111 backlog=0 TX=0 RX=0 auth=ca\n"
            "ca/jane doe@site@127.0.0.1:1111    Peer[fe80::1]:2 backlog=0 TX=0 RX=0 auth=ca\n"
            "ca/other@[fe80::1]:2",
            Peer(IPv4Address("127.0.0.1"), 1111, PV_ACCESS, "jane doe@site", None),
        ),
        (
            "    Peer127.0.0.1:1111 backlog=0 TX=0 RX=0 auth=anonymous\n"
            "    Cred: anonymous/@127.0.0.1:1111\n",
            Peer(IPv4Address("127.0.0.1"), 1111, PV_ACCESS, None, None),
        ),
        (
            "    TCP client at 127.0.0.1:1111 '':\r\n\tUser '', V4.13, Priority = 0, 2 Channels\n",
            Peer(IPv4Address("127.0.0.1"), 1111, CHANNEL_ACCESS, None, None),
        ),
        (
            "    TCP client at 127.0.0.1:1111 'it's mine':\n\tUser 'o'neill', V4.13, 2 Channels\n",
            Peer(IPv4Address("127.0.0.1"), 1111, CHANNEL_ACCESS, "o'neill", "it's mine"),
        ),
    ],
)
def test_unusual_clients(text: str, peer: Peer) -> None:
    assert casr.peers(text) == [peer]


# What EPICS 7.0.10 with its earlier pvAccess server wrote on its console.
OLD = (
    b'pvasr 3\r\necho "linacre who 2e"\r\n'
    b"\x1b[32;1mepics> \x1b[0mClients:\r\n"
    b"  tcp://127.0.0.1:45428  ver=2 0 channels user: ca/root groups:root aux. auth.:\r\n"
    b"    structure \r\n        string user root\r\n        string host vm\r\n\r\n"
    b"  tcp://10.64.41.1:60344  ver=2 0 channels\r\n"
    b"  tcp://10.64.41.1:60345  ver=2 1 channels user: ca/jane doe\r\n"
    b"  WPVA:COUNT\r\n"
    b"\x1b[32;1mepics> \x1b[0mlinacre who 2e\r\n"
)


def test_a_pvaccess_server_of_before_pvxs_answers_on_the_console() -> None:
    assert casr.needs_old_question("Channel Access Server V4.13\nlinacre who 1f\n")
    assert not casr.needs_old_question(ANSWER)
    for end in range(OLD.index(b"0mlinacre who")):
        assert casr.old_answer(OLD[:end], mark="2e") is None
    answer = casr.old_answer(OLD, mark="2e")
    assert answer is not None
    assert casr.peers(answer) == [
        Peer(IPv4Address("127.0.0.1"), 45428, PV_ACCESS, "root", "vm"),
        Peer(IPv4Address("10.64.41.1"), 60345, PV_ACCESS, "jane doe", None),
    ]


def test_an_answer_is_whole_with_its_mark() -> None:
    assert casr.mark_of(ANSWER) == "1f"
    for end in range(len(ANSWER)):
        assert casr.mark_of(ANSWER[:end]) is None
    asked = casr.question(PurePosixPath("/run/my ioc/clients"), mark="1f")
    assert asked.endswith('echo "linacre who 1f" >> "/run/my ioc/clients"\n')


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (b"@@@ 0 user(s) connected (plus you)\r\n\r\nepics> ", True),
        (b"\r\nlinac-mag-01> some error that the IOC reports\r\n", True),
        (b"\r\n\x1b[?2004h\x1b[31mepics>\x1b[0m ", True),
        (b"@@@ 0 user(s) connected (plus you)\r\n\r\n", False),
        (b"\r\n[I 00:18:15 server: 130] WSIM:A -> 3\r\n", False),
        (b"\r\n>>> ", False),
    ],
)
def test_an_ioc_shell_is_known_by_its_prompt(shown: bytes, expected: bool) -> None:
    assert casr.has_prompt(shown) is expected
