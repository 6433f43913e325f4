"""The labels of a machine that is to be: what it is, and digests by which a change is seen."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, cast

from pydantic import BaseModel

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


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What is declared of the program in a machine, as far as its labels tell of it."""

    settings: str
    """How it starts: a change of that restarts it (`settings_text`)."""
    after: tuple[str, ...]
    ports: tuple[str, ...] | None = None
    """The ports on which it serves; None for one that tells itself that it does."""
    has_twins: bool = False


def settings_text(item: object, *fields: str) -> str:
    """Return what is declared of how a program starts: these fields, `one.two` for one of one.

    Defaults are left out, so that a newer Linacre that knows more settings restarts nothing.
    """
    own: dict[str, Any] = {}
    for field in fields:
        outer, _, inner = field.partition(".")
        own[outer] = {inner: True} if inner else True
    return cast("BaseModel", item).model_dump_json(include=own, exclude_defaults=True)


def labels_of(
    spec: MachineSpec, *, origin: str, host_address: IPv4Address | None, program: Labelled | None
) -> dict[str, str]:
    """Return the labels of a machine from its spec, which has all but them.

    `origin` says where its files came from, `host_address` is the host's on its network, and
    `program` is None where none of the facility's runs in it.
    """
    devices: list[object] = [spec.limits, spec.mounts, spec.devices]
    if spec.volume_bytes is not None:
        devices.append(spec.volume_bytes)
    if spec.limits.disk_bytes is not None:
        # Not among the other limits: machines from before it was there are right without it.
        devices.append(f"disk of {spec.limits.disk_bytes} B")
    digest = _digest(spec.payload.digest(Part.PROGRAM), program.settings if program else "")
    after = program.after if program else ()
    ports = (program.ports or ()) if program else ()
    return {
        **(_of_program(spec, program, digest) if program else {}),
        KIND: spec.kind,
        NETWORK: spec.network,
        ADDRESS: str(spec.address.ip),
        PROGRAM_DIGEST: digest,
        ACCESS_DIGEST: spec.payload.digest(Part.ACCESS),
        SETTINGS_DIGEST: _digest(*(repr(each) for each in devices), after, *ports),
        NIC_DIGEST: _digest(
            spec.network, str(spec.address), spec.mac, *_router_of_its_own(spec, host_address)
        ),
        ORIGIN: origin,
        IMAGE: spec.image or "",
    }


def _of_program(spec: MachineSpec, program: Labelled, digest: str) -> dict[str, str]:
    found = {AFTER: " ".join(program.after)}
    if program.ports is not None:
        found[PORTS] = " ".join(program.ports)
    if program.has_twins:
        found |= {IOC: spec.name, DECLARED_DIGEST: digest}
    if any(file.part is Part.RELOADABLE for file in spec.payload.files):
        found[RELOADABLE_DIGEST] = spec.payload.digest(Part.RELOADABLE)
    return found


def _router_of_its_own(spec: MachineSpec, host_address: IPv4Address | None) -> tuple[str, ...]:
    """Return the gateway where it is not the host: machines take a new one when they start."""
    return () if spec.gateway in (None, host_address) else (str(spec.gateway),)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]
