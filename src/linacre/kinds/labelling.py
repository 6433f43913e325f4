"""The labels of a machine that is to be: what it is, and digests by which a change is seen."""

from __future__ import annotations

import hashlib
import json
from ipaddress import IPv4Address
from typing import Any

from linacre.declaration.models import Archiver, Ioc, Service
from linacre.engines.base import MachineSpec, Part
from linacre.engines.labels import (
    ACCESS_DIGEST,
    ADDRESS,
    AFTER,
    DECLARED_DIGEST,
    IMAGE,
    IOC,
    KIND,
    NETWORK,
    NIC_DIGEST,
    ORIGIN,
    PORTS,
    PROGRAM_DIGEST,
    RELOADABLE_DIGEST,
    SETTINGS_DIGEST,
)

_START_SETTINGS = {
    *("kind", "start", "script", "module", "args", "environment"),
    *("access_security", "persistent", "hold_off", "log"),
    *("command", "user", "volumes"),
}
_ARCHIVER_SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("owner", "disk", "retention", "hold_off", "log"), True),
    "limits": {"memory"},
}
"""What its program is told when it starts, and not while it runs."""


def labels_of(
    spec: MachineSpec,
    *,
    origin: str,
    host_address: IPv4Address | None,
    program: Ioc | Service | Archiver | None,
) -> dict[str, str]:
    """Return the labels of a machine from its spec, which has all but them.

    `origin` says where its files came from, `host_address` is the host's on its network, and
    `program` is the declaration of its IOC or service; None for a desk.
    """
    settings, after = "", tuple[str, ...]()
    if program is not None:
        settings, after = _start_settings(program), tuple(program.after)
    devices: list[object] = [spec.limits, spec.mounts, spec.devices]
    if spec.volume_bytes is not None:
        devices.append(spec.volume_bytes)
    digest = _digest(spec.payload.digest(Part.PROGRAM), settings)
    own: dict[str, str] = {}
    if isinstance(program, Service):
        own = {AFTER: " ".join(after), PORTS: " ".join(program.ports)}
    elif isinstance(program, Archiver):
        own = {
            AFTER: " ".join(after),
            PORTS: " ".join(program.ports),
            RELOADABLE_DIGEST: spec.payload.digest(Part.RELOADABLE),
        }
    elif program is not None:
        own = {IOC: spec.name, AFTER: " ".join(after), DECLARED_DIGEST: digest}
    return {
        **own,
        KIND: str(spec.kind),
        NETWORK: spec.network,
        ADDRESS: str(spec.address.ip),
        PROGRAM_DIGEST: digest,
        ACCESS_DIGEST: spec.payload.digest(Part.ACCESS),
        SETTINGS_DIGEST: _digest(
            *(repr(each) for each in devices), after, *own.get(PORTS, "").split()
        ),
        NIC_DIGEST: _digest(
            spec.network, str(spec.address), spec.mac, *_router_of_its_own(spec, host_address)
        ),
        ORIGIN: origin,
        IMAGE: spec.image or "",
    }


def _start_settings(program: Ioc | Service | Archiver) -> str:
    """Return what is declared of how an IOC or a service starts.

    Defaults are left out, so that a newer Linacre that knows more settings restarts nothing.
    """
    own = _ARCHIVER_SETTINGS if isinstance(program, Archiver) else _START_SETTINGS
    return program.model_dump_json(include=own, exclude_defaults=True)


def _router_of_its_own(spec: MachineSpec, host_address: IPv4Address | None) -> tuple[str, ...]:
    """Return the gateway where it is not the host: machines take a new one when they start."""
    return () if spec.gateway in (None, host_address) else (str(spec.gateway),)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
