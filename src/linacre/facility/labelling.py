"""The labels of a machine that is to be: what it is, and digests by which a change is seen."""

from __future__ import annotations

import hashlib
import json
from ipaddress import IPv4Address

from linacre.engines.base import MachineSpec, Part
from linacre.facility.labels import (
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
    PROGRAM_DIGEST,
    SETTINGS_DIGEST,
)
from linacre.facility.models import Ioc

_START_SETTINGS = {
    *("kind", "start", "script", "module", "args", "environment"),
    *("access_security", "persistent", "hold_off", "log"),
}


def labels_of(
    spec: MachineSpec, *, origin: str, host_address: IPv4Address | None, ioc: Ioc | None
) -> dict[str, str]:
    """Return the labels of a machine from its spec, which has all but them.

    `origin` says where its files came from, `host_address` is the host's on its network, and
    `ioc` is the declaration of its IOC; None for a desk.
    """
    settings, after = "", tuple[str, ...]()
    if ioc is not None:
        settings, after = _start_settings(ioc), tuple(ioc.after)
    devices = (spec.limits, spec.mounts, spec.devices)
    program = _digest(spec.payload.digest(Part.PROGRAM), settings)
    own = {IOC: spec.name, AFTER: " ".join(after), DECLARED_DIGEST: program}
    return {
        **({} if ioc is None else own),
        KIND: str(spec.kind),
        NETWORK: spec.network,
        ADDRESS: str(spec.address.ip),
        PROGRAM_DIGEST: program,
        ACCESS_DIGEST: spec.payload.digest(Part.ACCESS),
        SETTINGS_DIGEST: _digest(*(repr(each) for each in devices), after),
        NIC_DIGEST: _digest(
            spec.network, str(spec.address), spec.mac, *_router_of_its_own(spec, host_address)
        ),
        ORIGIN: origin,
        IMAGE: spec.image or "",
    }


def _start_settings(ioc: Ioc) -> str:
    """Return what is declared of how an IOC starts.

    Defaults are left out, so that a newer Linacre that knows more settings restarts nothing.
    """
    return ioc.model_dump_json(include=_START_SETTINGS, exclude_defaults=True)


def _router_of_its_own(spec: MachineSpec, host_address: IPv4Address | None) -> tuple[str, ...]:
    """Return the gateway where it is not the host: machines take a new one when they start."""
    return () if spec.gateway in (None, host_address) else (str(spec.gateway),)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
