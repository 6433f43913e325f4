"""Taking an IOC over: its files beside the facility file, its entry in it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import UserError
from linacre.facility.check_addresses import free_address
from linacre.facility.edit import FacilityText
from linacre.facility.importing.copying import Plan, copy, plan_copy
from linacre.facility.importing.entry import entry_of
from linacre.facility.importing.understood import Understood
from linacre.facility.load import Declaration, LoadError
from linacre.facility.models.values import NAME_PATTERN
from linacre.facility.rewrite import Draft
from linacre.facility.yaml_text import stretched


@dataclass(frozen=True)
class Taking:
    """What taking an IOC over writes; nothing is written yet."""

    understood: Understood
    entry: str
    address: IPv4Address
    network: str
    plan: Plan | None
    """What is copied; None where its files stay where they are."""
    target: Path
    """Where its files are from then on."""
    text: FacilityText
    """The facility file as it will be."""
    draft: Draft


def plan_taking(
    understood: Understood,
    draft: Draft,
    *,
    address: IPv4Address | None,
    network: str | None,
    in_place: bool,
    today: date,
) -> Taking:
    """Return what taking an IOC over writes.

    Raises `UserError` where the name or the address is taken, or files cannot be left in place.
    """
    declaration = draft.declaration
    name, facility = understood.name, declaration.facility
    _check_name(name, declaration)
    network = _network(network, declaration)
    if address is None:
        address = free_address(facility, facility.networks[network])
        if address is None:
            raise UserError(
                f"no address is free in {facility.networks[network].subnet}; give one by --address"
            )
    plan, target, source = None, understood.found.tree, str(understood.found.tree)
    if in_place:
        _check_in_place(understood)
        if target.is_relative_to(declaration.folder):
            source = str(target.relative_to(declaration.folder))
    else:
        source = f"iocs/{name}"
        target = declaration.folder / source
        if target.exists():
            raise UserError(f"{target} is there already; give another --name, or move it away")
        plan = plan_copy(understood)
    named = network if len(facility.networks) > 1 else None
    entry = entry_of(understood, source=source, address=address, network=named, today=today)
    entry = stretched(entry, step=draft.text.indent_step())
    text = draft.text.add_ioc(name, entry)
    _check(draft, text, name)
    return Taking(understood, entry, address, network, plan, target, text, draft)


def _check(draft: Draft, text: FacilityText, name: str) -> None:
    """Raise `LoadError` for what will be wrong in the file, its files being there."""
    try:
        draft.declares(text)
    except LoadError as error:
        keys = [f": iocs.{name}.{key}: " for key in ("source", "start", "script")]
        lines = [line for line in error.lines if not any(key in line for key in keys)]
        # The lines that they name are not in the file yet.
        own = f": iocs.{name}."
        told = [line.partition(own)[2] if own in line else line for line in lines]
        told = [f"--{line}" if line.startswith("address: ") else line for line in told]
        if told:
            raise LoadError(told) from None


def take(taking: Taking) -> None:
    """Copy the files and write the entry: both or none."""
    if taking.plan is not None:
        copy(taking.plan, taking.target)
    try:
        taking.draft.write(taking.text)
    except BaseException:
        if taking.plan is not None:
            shutil.rmtree(taking.target, ignore_errors=True)
        raise


def _check_name(name: str, declaration: Declaration) -> None:
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > 58:
        raise UserError(
            f"--name {name}: no host name; write small letters, digits and '-', a letter first, "
            "such as s02-mag"
        )
    if name in declaration.facility.iocs:
        where = declaration.where("iocs", name)
        raise UserError(f"{where}: there is an IOC {name} already; give another --name")


def _network(given: str | None, declaration: Declaration) -> str:
    networks = [*declaration.facility.networks]
    name = given or declaration.facility.defaults.ioc.network
    if name is None and len(networks) == 1:
        return networks[0]
    if name is None:
        raise UserError(f"there are several networks; give --network one of {', '.join(networks)}")
    if name not in networks:
        raise UserError(f"--network {name}: no such network; write one of {', '.join(networks)}")
    return name


def _check_in_place(understood: Understood) -> None:
    reason = None
    if understood.program.laid is not None:
        reason = f"{understood.found.start} alone does not say how it is started"
    elif understood.copies:
        reason = f"{understood.copies[0].source} has to be copied to its files"
    if reason is not None:
        raise UserError(f"--in-place: {reason}, and {understood.given} is not changed; use --copy")
