"""The fixed list of checks, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Iterable

from linacre.kinds.checking.model import Check
from linacre.kinds.registry import KINDS, Kinds
from linacre.observing.doctor.certificate_checks import certificates_valid
from linacre.observing.doctor.clock_checks import clock_right
from linacre.observing.doctor.ioc_checks import iocs_booted, procserv_answers, restart_loop
from linacre.observing.doctor.machine_checks import engine_reachable, image_current, machines_up
from linacre.observing.doctor.mount_checks import mounts_answer
from linacre.observing.doctor.network_checks import (
    addresses_unique,
    cables_recorded,
    cables_walled,
    uplinks_there,
)
from linacre.observing.doctor.space_checks import memory_left, room_left

_OF_MACHINES: tuple[Check, ...] = (
    Check(
        "engine",
        "engine reachable",
        engine_reachable,
        "The engine is asked for its hosts. Wrong where it does not answer, or a host of its "
        "cluster is offline; a warning where it takes longer than 1 s.",
        asks_engine=False,
    ),
    Check(
        "image",
        "image current",
        image_current,
        "The image that each machine was made from, against the present recipe (and the packages "
        "of a service). Another one is a warning: the machine works on.",
    ),
    Check(
        "address",
        "address answered once",
        addresses_unique,
        "ARP probes for the address of every machine that is plugged in, and of the host. Wrong "
        "where any MAC address answers that is not the machine's own, where two machines of ours "
        "with one address are on one network, and where a running machine does not answer.",
    ),
    Check(
        "machine",
        "machine up",
        machines_up,
        "Every declared IOC's machine, its twin where it has one, those of services, and the "
        "desks: made, and running. A twin that is stopped is a warning.",
    ),
    Check(
        "cable",
        "cable as recorded",
        cables_recorded,
        "The network that each running machine's cable is in, against the record. Wrong too where "
        "a cable is shut, or gone.",
    ),
    Check(
        "walls",
        "walls at cables",
        cables_walled,
        "nftables on this host holds each cable to its machine's MAC address and IPv4 address, "
        "both ways. Wrong where nothing does; what a machine sent under other addresses, and was "
        "dropped, is a warning.",
    ),
    Check(
        "uplink",
        "uplink there",
        uplinks_there,
        "Each network with an `uplink`: the NIC or bridge is there, joined to the network's own "
        "bridge, and has a link.",
    ),
    Check(
        "procserv",
        "procServ answering",
        procserv_answers,
        "A connection to port 7001 of each machine that runs: the banner must come within 2 s. "
        "Finds a procServ that is dead, and one that is stopped.",
    ),
    Check(
        "loop",
        "restart loop",
        restart_loop,
        "Three or more starts of an IOC or a service in a minute (or four hold-offs, where that is "
        "longer).",
    ),
    Check(
        "boot",
        "IOC booted",
        iocs_booted,
        "Each IOC under a procServ runs, and has come to the point where it serves PVs; each "
        "service runs, and its ports are open to the network. One that was started within the last "
        "minute is a warning.",
    ),
)
"""What is looked at in machines of every kind."""
_OF_HOST: tuple[Check, ...] = (
    Check(
        "clock",
        "clock",
        clock_right,
        "The host's clock. Wrong where it is more than 2 s behind the newest entry of the "
        "catalogue or Linacre's own newest file, or more than 1 s off any of `time_servers`. A "
        "time server without an answer is a warning. Whether some service keeps the kernel's "
        "clock right is told.",
        asks_engine=False,
    ),
    Check(
        "space",
        "disk and pool space",
        room_left,
        "The file system of the state folder: a warning below 10 % of its bytes (and 20 GiB) or "
        "inodes left, wrong below 3 %. The storage pool: a warning below 20 % that machines may "
        "still write, wrong below 8 %; a warning where it could count what machines write in the "
        "simple way, and does not. Each machine: a warning above 90 % of the ceiling of one of its "
        "disks.",
        asks_engine=False,
    ),
    Check(
        "memory",
        "memory pressure",
        memory_left,
        "The host's memory: a warning below 8 % available or from 10 % pressure (PSI) on, wrong "
        "below 3 % or from 40 % on. Each machine: a warning above 90 % of its own limit, and "
        "where the kernel has killed a process in it for lack of memory.",
        asks_engine=False,
    ),
    Check(
        "certificates",
        "certificates",
        certificates_valid,
        "The client certificate, the server's as declared and as presented, and the embedded "
        "daemon's: a warning in the last 30 days, wrong after their end. Wrong where a key is "
        "open to others than its owner.",
        asks_engine=False,
    ),
    Check(
        "mounts",
        "mounts",
        mounts_answer,
        "Every network and FUSE mount of the host, every folder that an IOC or a service mounts, "
        "and the state folder, each looked into by a process of its own. Wrong where one is "
        "stale, or has not answered within 1.5 s.",
        asks_engine=False,
    ),
)


def checks_of(kinds: Kinds = KINDS) -> tuple[Check, ...]:
    """Return every check, those that kinds of machine bring among them; each is always made."""
    own: Iterable[Check] = (check for kind in kinds for check in kind.checks())
    return (*_OF_MACHINES, *own, *_OF_HOST)


CHECKS = checks_of()
"""Every check of the kinds that there are."""
