"""Taking an IOC over: its files beside the facility file, its entry in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import UserError
from linacre.declaration.editing.edit import FacilityText
from linacre.declaration.editing.rewrite import Draft, draft
from linacre.declaration.load import LoadError
from linacre.declaration.yaml_text import stretched
from linacre.engines.base import Machine
from linacre.operations.changes.addresses import choose_address, choose_network, read_address
from linacre.operations.changes.common import (
    SOURCES,
    check_new_name,
    in_terms_of,
    machines_there,
    with_declaration,
)
from linacre.operations.changes.create import write_with_files
from linacre.operations.importing.copying import Plan, copy, plan_copy
from linacre.operations.importing.entry import entry_of
from linacre.operations.importing.understood import Understood
from linacre.session.session import Session


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for beside the IOC itself."""

    address: str | None = None
    """Without it, the next free one."""
    network: str | None = None
    in_place: bool = False
    """Whether its files stay where they are."""
    today: date
    only_shown: bool = False
    """Whether it is only shown: the facility file need not be one that may be written."""


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


async def plan_taking(understood: Understood, session: Session, wanted: Wanted) -> Taking:
    """Return what taking an IOC over writes.

    Raises `UserError` where the name or the address is taken, or files cannot be left in place.
    """
    declaration = session.declaration
    if wanted.only_shown:
        text = declaration.written
        its_draft = Draft(text, declaration, declaration.text.encode())
    else:
        its_draft = draft(declaration)
    session = with_declaration(session, its_draft.declaration)
    if not await session.is_up():
        return _plan(understood, session, its_draft, wanted, {})
    async with machines_there(session) as machines:
        return _plan(understood, session, its_draft, wanted, machines)


def _plan(
    understood: Understood,
    session: Session,
    its_draft: Draft,
    wanted: Wanted,
    machines: dict[str, Machine],
) -> Taking:
    declaration, name = session.declaration, understood.name
    check_new_name(session, name, machines)
    given = read_address(wanted.address)
    network = choose_network(declaration.facility, wanted.network, given)
    address = choose_address(session, network, given, machines)
    plan, target, source = None, understood.found.tree, str(understood.found.tree)
    if wanted.in_place:
        check_in_place(understood)
        if target.is_relative_to(declaration.folder):
            source = str(target.relative_to(declaration.folder))
    else:
        source = f"{SOURCES}/{name}"
        target = declaration.folder / source
        if target.exists():
            raise UserError(f"{target} is there already; give another --name, or move it away")
        plan = plan_copy(understood)
    default = declaration.facility.defaults.ioc.network
    named = network if len(declaration.facility.networks) > 1 and network != default else None
    entry = entry_of(understood, source=source, address=address, network=named, today=wanted.today)
    entry = stretched(entry, step=its_draft.text.indent_step())
    text = its_draft.text.add(name, entry)
    _check(its_draft, text, name)
    return Taking(understood, entry, address, network, plan, target, text, its_draft)


def _check(its_draft: Draft, text: FacilityText, name: str) -> None:
    """Raise `UserError` for what will be wrong in the file, its files being there."""
    try:
        its_draft.declares(text)
    except LoadError as error:
        keys = [f": iocs.{name}.{key}: " for key in ("source", "start", "script")]
        lines = [line for line in error.lines if not any(key in line for key in keys)]
        if lines:
            raise in_terms_of(name, LoadError(lines)) from None


def take(taking: Taking) -> None:
    """Copy the files and write the entry: both or none."""
    plan, target = taking.plan, taking.target

    def make() -> Path | None:
        if plan is None:
            return None
        copy(plan, target)
        return target

    write_with_files(taking.draft, taking.text, taking.understood.name, make=make)


def check_in_place(understood: Understood) -> None:
    """Raise `UserError` where an IOC cannot run from where its files are."""
    reason = None
    if understood.program.laid is not None:
        reason = f"{understood.found.start} alone does not say how it is started"
    elif understood.places.laid:
        reason = f"{min(understood.places.laid)} has to be written"
    elif understood.found.own.parts:
        reason = f"it reads files beside {understood.found.home.name}"
    elif understood.copies:
        reason = f"{understood.copies[0].source} has to be copied to its files"
    if reason is not None:
        raise UserError(f"--in-place: {reason}, and {understood.given} is not changed; use --copy")
