"""What a machine is in Incus' own terms: configuration and devices of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Any, cast

from linacre.engines.base import (
    Device,
    Limits,
    Machine,
    MachineSpec,
    MachineState,
    NetworkSpec,
    Traits,
)
from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.engines.incus.names import LABEL, volume
from linacre.engines.model import Access
from linacre.epics.layout import Layout

LAYOUT = Layout(
    tree=PurePosixPath("/srv/ioc"),
    persist=PurePosixPath("/srv/persist"),
    run=PurePosixPath("/run/ioc"),
    log=PurePosixPath("/var/log/ioc"),
    etc=PurePosixPath("/etc/linacre"),
    bind=None,
    user="ioc",
    softioc="/usr/local/bin/softIoc",
    python="/opt/linacre/bin/python",
)
"""Where things stand: the same in every machine of our image."""
_RUN = "lxc.mount.entry = tmpfs run tmpfs rw,nosuid,nodev,mode=755,size=256m 0 0"
"""`/run` in memory, of the machine's own: who starts and supervises writes there, and must be able
to also where the disk is full."""
_PERIOD_MS = 100
_CGROUPS_V2 = Path("/sys/fs/cgroup/cgroup.controllers")
_STATES = {"Running": MachineState.RUNNING, "Stopped": MachineState.STOPPED}


def _limit_config(limits: Limits) -> dict[str, str]:
    found: dict[str, str] = {}
    if limits.cpu is not None:
        # A hard share of time, not a set of cores: 0.5 is half a core whatever else runs.
        budget = max(1, round(limits.cpu * _PERIOD_MS))
        found["limits.cpu.allowance"] = f"{budget}ms/{_PERIOD_MS}ms"
    memory = "25%" if limits.memory_bytes is None else str(limits.memory_bytes)
    return found | {
        "limits.memory": memory,
        "limits.processes": str(limits.processes),
        "limits.kernel.nofile": str(limits.open_files),
    }


def _raw_config(traits: Traits) -> list[str]:
    """Return the lines for lxc that give a machine less weight than its neighbours.

    Incus has no setting for it beside an allowance of time.
    """
    if traits.cpu_shares is None:
        return []
    if _CGROUPS_V2.exists():
        return [f"lxc.cgroup2.cpu.weight = {traits.cpu_shares * 100 // 1024}"]
    return [f"lxc.cgroup.cpu.shares = {traits.cpu_shares}"]


def _device(device: Device) -> dict[str, str]:
    if device.path is not None:
        # Not required: a device that is unplugged must not keep the IOC from starting.
        return {
            "type": "unix-char",
            "source": str(device.path),
            "path": str(device.path),
            "mode": "0660",
            "gid": "20",
            "required": "false",
        }
    found = {"type": "usb", "mode": "0660", "gid": "20", "required": "false"}
    if device.usb_vendor:
        found["vendorid"] = device.usb_vendor
    if device.usb_product:
        found["productid"] = device.usb_product
    return found


def instance_config(spec: MachineSpec, *, hook: Path | None) -> dict[str, str]:
    """Return the configuration of the instance for a machine."""
    # runit halts on SIGCONT, and Incus' own signal for a halt means nothing to it.
    raw = ["lxc.signal.halt = SIGCONT", _RUN, *_raw_config(spec.traits)]
    if hook is not None:
        raw.append(f"lxc.hook.start-host = {hook}")
    config = {
        # Linacre starts machines in its own order; the daemon must not race it.
        "boot.autostart": "false",
        "security.privileged": "false",
        # Else who is in the machine reads our labels, the host's paths among them.
        "security.guestapi": "false",
        "raw.lxc": "\n".join(raw),
        **_limit_config(spec.limits),
    }
    return config | {LABEL + key: value for key, value in spec.labels.items()}


def instance_devices(
    spec: MachineSpec, *, facility: str, pool: str, disk_bytes: int | None, local: bool
) -> dict[str, Any]:
    """Return the devices of the instance: root, NIC, persistent volume, and what is given to it.

    `disk_bytes` is the ceiling of its root; None is none.
    """
    nic = {"type": "nic", "name": "eth0", "hwaddr": spec.mac}
    if local:
        nic |= {"nictype": "p2p", "host_name": veth_name(facility, spec.name)}
    else:
        nic |= {"nictype": "bridged", "parent": bridge_name(facility, spec.network)}
    size = {} if disk_bytes is None else {"size": str(disk_bytes)}
    devices: dict[str, Any] = {
        "root": {"type": "disk", "path": "/", "pool": pool} | size,
        "eth0": nic,
    }
    if spec.traits.runs_program:
        devices["persist"] = {
            "type": "disk",
            "pool": pool,
            "source": volume(spec.name),
            "path": str(LAYOUT.persist),
        }
    for number, mount in enumerate(spec.mounts):
        devices[f"mount{number}"] = {
            "type": "disk",
            "source": str(mount.host),
            "path": str(mount.path),
            "readonly": "true",
        }
    for number, device in enumerate(spec.devices):
        devices[f"device{number}"] = _device(device)
    return devices


def network_config(network: NetworkSpec, *, facility: str) -> dict[str, str]:
    """Return the configuration of the managed bridge: the host's address, and nothing served.

    Our own keys say what must be known of it where the facility file is not read.
    """
    host = network.host_address
    return {
        LABEL + "facility": facility,
        LABEL + "network": network.name,
        LABEL + "subnet": str(network.subnet),
        LABEL + "uplink": network.uplink or "",
        "ipv4.address": f"{host}/{network.subnet.prefixlen}" if host else "none",
        "ipv4.nat": "false",
        "ipv4.dhcp": "false",
        "ipv6.address": "none",
        "dns.mode": "none",
    }


_PROTOCOLS = ("CA", "PVA")


def address_lists(address: IPv4Address) -> dict[str, str]:
    """Return the EPICS variables of clients that search at one address."""
    return {f"EPICS_{protocol}_ADDR_LIST": str(address) for protocol in _PROTOCOLS}


def access_environment(access: Access) -> dict[str, str]:
    """Return the EPICS variables of clients that search by a gateway, and nowhere else.

    The address that stands for the broadcast of the other network is an ordinary one of the host's.
    """
    found = address_lists(access.subnet.broadcast_address)
    for protocol in _PROTOCOLS:
        found[f"EPICS_{protocol}_AUTO_ADDR_LIST"] = "NO"
        # What the user's own environment says would be asked too.
        found[f"EPICS_{protocol}_NAME_SERVERS"] = ""
    return found


def found_machine(instance: Mapping[str, Any], server: str) -> Machine:
    """Return a machine from what the daemon `server` says of its instance."""
    config = cast(Mapping[str, str], instance.get("config") or {})
    labels = {
        key.removeprefix(LABEL): value for key, value in config.items() if key.startswith(LABEL)
    }
    return Machine(
        name=str(instance["name"]),
        kind=labels.get("kind", ""),
        state=_STATES.get(str(instance.get("status")), MachineState.ERROR),
        # Outside a cluster Incus says that the location is "none".
        host=server if instance.get("location") in (None, "", "none") else instance["location"],
        labels=labels,
    )
