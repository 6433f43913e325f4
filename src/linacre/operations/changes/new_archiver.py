"""A new archiver: its entry in the facility file, and its machine."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from linacre.base.errors import LinacreError, UserError
from linacre.declaration.editing.rewrite import Draft
from linacre.declaration.load import LoadError
from linacre.declaration.models.archiver_values import age_s, read_pvs, time_text
from linacre.declaration.yaml_text import scalar, stretched
from linacre.engines.labels import kept_key
from linacre.kinds.archiver.files import check_installed
from linacre.kinds.archiver.kind import archiver_url
from linacre.kinds.archiver.patterns import archived_pvs, patterns_of, said_pvs
from linacre.kinds.names import names_of
from linacre.operations.bring_up import bring_up
from linacre.operations.changes.addresses import choose_address, choose_network, read_address
from linacre.operations.changes.common import (
    changing_file,
    check_new_name,
    in_terms_of,
    machines_there,
    quiet,
    with_declaration,
)
from linacre.operations.interaction import Interaction
from linacre.planning.preview import UpOptions
from linacre.session.session import Session

SECTION = "archivers"


@dataclass(frozen=True, kw_only=True)
class NewArchiver:
    """What was asked for; texts are as the facility file has them."""

    name: str
    pvs: tuple[str, ...] = ()
    pvs_file: Path | None = None
    address: str | None = None
    """Without it, the next free one."""
    network: str | None = None
    owner: str | None = None
    area: str | None = None
    description: str | None = None
    protocol: str | None = None
    memory: str | None = None
    cpu: str | None = None
    disk: str | None = None
    max_age: str | None = None
    lasting: str | None = None
    """How long it takes samples, from now on: `7d`."""
    until: str | None = None
    start: bool = True


@dataclass(frozen=True)
class WrittenArchiver:
    """A new archiver in the facility file."""

    archiver: str
    address: str
    network: str
    url: str
    """Where it answers, as seen from this host."""
    declared: str
    """Where it stands, as FILE:LINE."""
    pvs: int
    """How many PVs it was told to archive."""
    until: str | None
    had_data: bool
    """Whether it goes on with what a deleted archiver of this name had kept."""
    is_running: bool


async def create_archiver(
    session: Session, wanted: NewArchiver, interaction: Interaction
) -> WrittenArchiver:
    """Write an archiver into the facility file, and bring it up in a facility that is up.

    Everything is checked before anything is written, the patterns of its PVs too. Raises
    `UserError` for what was asked wrongly; `LinacreError` where the archiver does not come up,
    which stays declared then.
    """
    until = end_of(wanted.lasting, wanted.until, now=session.clock.now())
    async with AsyncExitStack() as held:
        is_up = await session.is_up()
        if is_up:
            session.catalogue_soon()
            await held.enter_async_context(session.engine_open())
        async with changing_file(session, f"archiver create {wanted.name}") as draft:
            session = with_declaration(session, draft.declaration)
            if session.engine.name == "process":
                check_installed()
            pvs = await _meant(session, wanted)
            had_data = await _kept(session, wanted.name, is_up=is_up)
            text = draft.text.of(SECTION).add(
                wanted.name, await _entry(session, draft, wanted, until)
            )
            try:
                session = with_declaration(session, draft.write(text))
            except LoadError as error:
                raise in_terms_of(wanted.name, error, section=SECTION) from error
        is_running = wanted.start and is_up
        if is_running:
            await _bring_up(session, wanted.name, interaction)
    archiver = session.declaration.facility.archivers[wanted.name]
    return WrittenArchiver(
        archiver=wanted.name,
        address=str(archiver.address),
        network=archiver.network or "",
        url=archiver_url(session, wanted.name, archiver),
        declared=session.declaration.where(SECTION, wanted.name),
        pvs=pvs,
        until=time_text(archiver.until),
        had_data=had_data,
        is_running=is_running,
    )


def end_of(lasting: str | None, until: str | None, *, now: float) -> str | None:
    """Return an archiver's end as the facility file has it; None where none is said.

    Raises `UserError` for what is no time, or is past.
    """
    if lasting is not None and until is not None:
        raise UserError("--for and --until: give one of them")
    if lasting is None:
        return until
    try:
        at = datetime.fromtimestamp(now, UTC) + timedelta(seconds=age_s(lasting))
    except ValueError as error:
        raise UserError(f"--for {error}") from None
    return time_text(at)


async def _kept(session: Session, name: str, *, is_up: bool) -> bool:
    return is_up and kept_key(name) in await session.engine.record()


async def _meant(session: Session, wanted: NewArchiver) -> int:
    """Return how many PVs are meant; `UserError` for a pattern that means none."""
    try:
        from_file = () if wanted.pvs_file is None else read_pvs(wanted.pvs_file.read_text())
    except OSError as error:
        raise UserError(f"--pvs-file {wanted.pvs_file}: {(error.strerror or '').lower()}") from None
    except ValueError as error:
        raise UserError(f"--pvs-file {wanted.pvs_file}: {error}") from None
    return await count_meant(
        session,
        (*wanted.pvs, *from_file),
        protocol=wanted.protocol or "ca",
        # Nothing is known of a facility that was never up.
        strict=wanted.start,
    )


async def count_meant(
    session: Session, said: tuple[str, ...], *, protocol: str, strict: bool = True
) -> int:
    """Return how many PVs are meant; with `strict` a pattern must mean one, else `UserError`."""
    try:
        patterns = patterns_of(said)
    except ValueError as error:
        raise UserError(str(error)) from None
    names = await names_of(session, patterns)
    for pattern in patterns if strict else ():
        if not names.get(pattern):
            raise UserError(
                f"{pattern} means no PV of {session.name}, by its catalogue of what its IOCs "
                f"serve; see linacre find '*', or write names without wildcards"
            )
    return len(archived_pvs(said, names, protocol=protocol))


async def _entry(session: Session, draft: Draft, wanted: NewArchiver, until: str | None) -> str:
    """Return the entry, its address and network chosen."""
    facility = session.declaration.facility
    given = read_address(wanted.address)
    network = choose_network(facility, wanted.network, given)
    async with machines_there(session) as machines:
        check_new_name(session, wanted.name, machines)
        address = choose_address(session, network, given, machines)
    values = {
        "network": network if wanted.network or len(facility.networks) > 1 else None,
        "address": str(address),
        "owner": wanted.owner,
        "area": wanted.area,
        "description": wanted.description,
        "protocol": wanted.protocol,
        "until": until,
        "pvs_file": None if wanted.pvs_file is None else beside_file(session, wanted.pvs_file),
        "disk": wanted.disk,
    }
    lines = [f"  {key}: {scalar(text)}\n" for key, text in values.items() if text is not None]
    if wanted.max_age is not None:
        lines.append(f"  retention: {{max_age: {scalar(wanted.max_age)}}}\n")
    lines += _limits({"memory": wanted.memory, "cpu": wanted.cpu})
    if wanted.pvs:
        lines += ["  pvs:\n", *(f"    - {scalar(pv)}\n" for pv in wanted.pvs)]
    return stretched(f"{wanted.name}:\n{''.join(lines)}", step=draft.text.of(SECTION).indent_step())


def _limits(given: Mapping[str, str | None]) -> list[str]:
    said = ", ".join(f"{key}: {scalar(text)}" for key, text in given.items() if text is not None)
    return [f"  limits: {{{said}}}\n"] if said else []


def beside_file(session: Session, path: Path) -> str:
    """Return the path of a file as the facility file names it."""
    real, folder = path.resolve(), session.declaration.folder.resolve()
    return str(real.relative_to(folder)) if real.is_relative_to(folder) else str(real)


async def _bring_up(session: Session, name: str, interaction: Interaction) -> None:
    try:
        options = UpOptions(only=frozenset({name}))
        await bring_up(session, options, quiet(interaction), verb="archiver create")
    except LinacreError as error:
        declared = session.declaration.where(SECTION, name)
        raise LinacreError(
            f"{error}; {name} stays declared at {declared}: mend it and run linacre up, or undo "
            f"this with linacre archiver delete {name}"
        ) from error


def pvs_declared(session: Session, name: str) -> tuple[str, ...]:
    """Return all that a declared archiver is said to take."""
    archiver = session.declaration.facility.archivers[name]
    return said_pvs(archiver, session.declaration.folder)
