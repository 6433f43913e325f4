"""What the HTTP API takes and gives, with the words its users see."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from linacre.archiver.model import ChannelSpec, Method, Provider
from linacre.archiver.service import ChannelState, ChannelStatus, Event, Info

LONGEST_NAME = 500
"""Characters of a PV's name, or of a path in its structure."""
_NS = "Nanoseconds since 1970 (UTC)."


class Model(BaseModel):
    """The base of all: what is not a field is refused, not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Problem(Model):
    """Why a request was refused."""

    detail: str = Field(description="One line: what is wrong, and what to write instead.")


class PvSpec(Model):
    """What is to be archived of one PV."""

    pv: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="The PV's name; a glob pattern is refused.",
    )
    provider: Provider = Field(Provider.CA, description="The protocol by which it is reached.")
    method: Method = Field(
        Method.MONITOR,
        description="`monitor`: each change the server sends; `scan`: the newest value a period.",
    )
    period_s: float = Field(1.0, ge=0.1, le=1e9, description="The period of `scan`, in seconds.")
    fields: tuple[Annotated[str, Field(max_length=LONGEST_NAME)], ...] = Field(
        (),
        max_length=1000,
        description="Fields of a pvAccess structure to keep, as `value.x`; none: all of it.",
    )

    def spec(self) -> ChannelSpec:
        """Return the same as the archiver has it."""
        return ChannelSpec(**self.model_dump())


class Status(PvSpec):
    """One archived PV, at present."""

    state: ChannelState = Field(description="How it stands with the channel.")
    why: str = Field(
        description="Why it is refused, or why samples of it are, as they are ahead of the "
        "archiver's clock; else empty."
    )
    since_ns: int = Field(description="When it came into this state. " + _NS)
    added_ns: int = Field(description="When it was added. " + _NS)
    kind: str | None = Field(description="What its values are; null before it was connected.")
    native: str = Field(description="Its type as its server names it.")
    host: str = Field(description="The server's address.")
    samples: int = Field(description="Stored since the archiver's start.")
    rate_hz: float = Field(description="Samples a second, over about a minute.")
    last_ns: int = Field(description="The newest sample's time; 0: there is none. " + _NS)
    first_connected_ns: int = Field(description="0: never. " + _NS)
    connections: int = Field(description="How often it was connected.")
    losses: int = Field(description="How often the connection was lost.")
    drops: dict[str, int] = Field(description="Samples refused since the start, by reason.")
    dropped: int = Field(description="Samples refused since the start, for any reason.")

    @classmethod
    def of(cls, status: ChannelStatus) -> Status:
        """Return the same as the API shows it."""
        spec = status.spec
        return cls.model_construct(
            pv=spec.pv,
            provider=spec.provider,
            method=spec.method,
            period_s=spec.period_s,
            fields=spec.fields,
            state=status.state,
            why=status.why,
            since_ns=status.since_ns,
            added_ns=status.added_ns,
            kind=status.kind,
            native=status.native,
            host=status.host,
            samples=status.samples,
            rate_hz=status.rate_hz,
            last_ns=status.last_ns,
            first_connected_ns=status.first_connected_ns,
            connections=status.connections,
            losses=status.losses,
            drops={str(reason): count for reason, count in status.drops.items()},
            dropped=sum(status.drops.values()),
        )


class StatusList(Model):
    """Archived PVs, sorted by name, and how many there are in all."""

    total: int = Field(description="How many match, of which `pvs` are some.")
    states: dict[str, int] = Field(
        description="How many match the pattern in each state, whichever state was asked for."
    )
    pvs: list[Status]


class NameList(Model):
    """Names of PVs that have data or are archived, sorted."""

    total: int = Field(description="How many match, of which `pvs` are some.")
    pvs: list[str]


class Added(Model):
    """What became of a request to add PVs."""

    added: list[str] = Field(description="New ones; samples come as soon as they are connected.")
    already: list[str] = Field(description="They were there; their method is now as asked.")


class Names(Model):
    """Some PVs: by their names, or all that match a pattern."""

    pvs: list[str] = Field([], max_length=500_000, description="Names; each must be archived here.")
    pattern: str | None = Field(
        None, max_length=LONGEST_NAME, description="A glob pattern; it must match at least one."
    )


class Removal(Names):
    """Which PVs are to be archived no more."""

    delete_data: bool = Field(
        False, description="Delete their samples too, for good; else they stay and can be read."
    )


class Changed(Model):
    """The PVs that a request changed."""

    pvs: list[str]


class EndTime(Model):
    """When the archiver shall stop to take samples."""

    end: str | int | float | None = Field(
        description="A time, such as `2026-12-24T12:00:00Z`, `+7d` (from now) or `now`; null: never"
    )


class ArchiverInfo(Model):
    """The archiver as a whole."""

    name: str
    version: str = Field(description="Of Linacre.")
    owner: str
    now_ns: int = Field(description="The archiver's clock. " + _NS)
    started_ns: int = Field(description=_NS)
    ends_ns: int | None = Field(description="When it stops to take samples; null: never. " + _NS)
    read_only: bool = Field(description="It is past its end: it serves what it has.")
    pvs: int
    connected: int
    samples: int = Field(description="Stored since the archiver's start.")
    bytes: int = Field(description="On disk.")
    disk_full: bool = Field(description="It cannot write; it goes on by itself.")
    damaged: int = Field(description="Blocks of its files that were found damaged; they lack.")
    loss_window_s: float = Field(
        description="How old an accepted sample may be before it is safe on the disk."
    )
    misdated: int = Field(
        description="PVs with samples ahead of the archiver's clock, now or in the last hour: "
        "their `why` says it."
    )
    tokens: bool = Field(description="Whether changes need a token.")

    @classmethod
    def of(cls, info: Info, *, now_ns: int, tokens: bool) -> ArchiverInfo:
        """Return the same as the API shows it."""
        return cls(**asdict(info), now_ns=now_ns, tokens=tokens)


class Rows(Model):
    """A table: the names of its columns, then its rows, one after the other."""

    fields: list[str] = Field(description="Names of the columns.")
    kinds: dict[str, str] = Field({}, description="By PV: what its values are.")
    rows: list[list[Any]] = Field(
        description="A list for each row, in the order of `fields`. NaN and infinities are null."
    )
    damaged: dict[str, int] = Field(
        {},
        description="By PV: how many damaged blocks of the archive's files were left out, where "
        "there were any. It comes after the rows: only then it is known.",
    )


class LastValue(Model):
    """The newest sample of a PV at or before a time."""

    pv: str
    kind: str | None = Field(description="What its values are.")
    time_ns: int | None = Field(description="Null: it has no sample yet. " + _NS)
    value: Any = Field(description="NaN and infinities are null; long arrays are cut.")
    units: str = Field(description="Of the value, as they were at its time; may be empty.")
    label: str | None = Field(description="Of an enum's value, as it was at its time.")
    elements: int | None = Field(description="Of an array: how many elements it has uncut.")
    severity: int = Field(description="0 none, 1 minor, 2 major, 3 invalid.")
    status: int
    tag: int
    damaged: int = Field(
        0, description="How many damaged blocks may have had newer ones, and were left out."
    )


class PvMetadata(Model):
    """What a server said of a PV beside its values; empty where it said nothing."""

    units: str
    precision: int | None
    display: tuple[float | None, float | None] | None = Field(description="LOPR and HOPR.")
    control: tuple[float | None, float | None] | None = Field(description="DRVL and DRVH.")
    warning: tuple[float | None, float | None] | None = Field(description="LOW and HIGH.")
    alarm: tuple[float | None, float | None] | None = Field(description="LOLO and HIHI.")
    labels: tuple[str, ...] = Field(description="Of an enum, by index.")
    description: str


class DatedMetadata(PvMetadata):
    """The same from a time on, by the clock of the PV's server."""

    from_ns: int = Field(description="Since when it holds. " + _NS)


class PvEvent(Model):
    """Something that happened to a PV, or to the archive (with no PV)."""

    pv: str
    time_ns: int = Field(description=_NS)
    kind: str = Field(description="`connected`, `lost`, `metadata`, `dropped`, `refused`, ...")
    detail: dict[str, Any]

    @classmethod
    def of(cls, event: Event) -> PvEvent:
        """Return the same as the API shows it."""
        return cls(
            pv=event.pv, time_ns=event.time_ns, kind=str(event.kind), detail=dict(event.detail)
        )


class EventList(Model):
    """Events in the order of time."""

    total: int = Field(description="How many there are in the range, of which `events` are some.")
    events: list[PvEvent] = Field(description="The newest ones, oldest first.")


class Health(Model):
    """Whether the archiver can do its work."""

    status: str = Field(description="`ok`, `ended` (it only serves), or `disk full`.")
