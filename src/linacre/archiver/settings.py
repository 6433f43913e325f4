"""How an archiver is set up: what its command line or its file of settings says."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from linacre.archiver.model import NANOSECONDS, ChannelSpec, Method, Provider
from linacre.archiver.time_texts import text_length_ns, text_ns
from linacre.base.errors import UserError

DEFAULT_PORT = 17665
DEFAULT_MEMORY = 512 * 2**20
LEAST_PERIOD_S = 0.1
LONGEST_NAME = 256
_BYTES = {
    **{"": 1, "B": 1},
    **{f"{p}B": 1000**n for n, p in enumerate(("k", "M", "G", "T"), 1)},
    **{f"{p}iB": 1024**n for n, p in enumerate(("K", "M", "G", "T"), 1)},
}
_REFUSED_IN_NAMES = re.compile(r"[\s*?\x00-\x1f\x7f]")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an archiver is told when it starts; what it archives is in its registry."""

    data: Path
    name: str = ""
    """Empty: the name of the data's folder."""
    owner: str = ""
    pvs: tuple[ChannelSpec, ...] = ()
    """Added at the start where they are not there."""
    address: str = "0.0.0.0"
    port: int = DEFAULT_PORT
    until: str = ""
    """When it stops to take samples: a time, or empty. Said once: what `extend` made of it
    afterwards stays while this is not changed."""
    lasting: str = ""
    """The same as a time from the first start on, such as `7d`."""
    medium: Path | None = None
    """Where segments of a day are kept; none: in the data's folder."""
    long: Path | None = None
    """Where segments of a month are kept."""
    short_age_s: float | None = None
    """For how long samples are kept in each tier; none: for ever."""
    medium_age_s: float | None = None
    max_age_s: float | None = None
    max_bytes: int | None = None
    """On disk, in all tiers together."""
    memory: int = DEFAULT_MEMORY
    """What the process may use; its buffers follow."""
    token_file: Path | None = None
    """Has the token that changes need; none: anyone may."""
    protect_reading: bool = False

    def __post_init__(self) -> None:
        """Raise `UserError` for an end that is none, before anything is made on the disk."""
        if self.until and self.lasting:
            raise UserError("the archiver's end: give a time or a length, not both")
        if self.until:
            parse_time(self.until)
        if self.lasting:
            parse_duration(self.lasting)

    @property
    def shown_name(self) -> str:
        """The archiver's name."""
        return self.name or self.data.absolute().name


@dataclass
class _Reading:
    """A file of settings while it is read."""

    path: Path
    values: dict[str, Any] = field(default_factory=dict[str, Any])

    def refuse(self, key: str, why: str) -> UserError:
        return UserError(f"{self.path}: {key}: {why}")


_PATHS = frozenset({"data", "medium", "long", "token_file"})
_AGES = {"short_age": "short_age_s", "medium_age": "medium_age_s", "max_age": "max_age_s"}
_SIZES = {"max_bytes": "max_bytes", "memory": "memory"}
_OTHER_NAMES = {"for": "lasting"}


def read_settings(path: Path) -> Mapping[str, Any]:
    """Read a TOML file into the fields of `Settings`; one line of `UserError` where it is wrong.

    Ages and sizes are as on the command line (`"90d"`, `"20GiB"`); `pvs` is a list of texts as
    `parse_pv` takes them; paths are relative to the file's folder.
    """
    try:
        found = tomllib.loads(path.read_text())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}") from error
    reading = _Reading(path)
    for key, value in found.items():
        name = key.replace("-", "_")
        try:
            field_name, settled = _settle(name, value, path.parent)
        except (TypeError, ValueError, UserError) as error:
            raise reading.refuse(key, str(error)) from error
        reading.values[field_name] = settled
    return reading.values


def _settle(name: str, value: Any, folder: Path) -> tuple[str, Any]:
    if name in _PATHS:
        return name, folder / Path(_text(value)).expanduser()
    if name in _AGES:
        return _AGES[name], parse_duration(_text(value))
    if name in _SIZES:
        return _SIZES[name], parse_size(str(value))
    if name == "pvs":
        if not isinstance(value, list):
            raise TypeError('must be a list of names, such as ["CLA-S01-BPM-01:X"]')
        return name, tuple(parse_pv(_text(one)) for one in cast("list[object]", value))
    if name in ("until", "for", "lasting"):
        # TOML has times of its own.
        text = value.isoformat() if isinstance(value, datetime) else _text(value)
        return _OTHER_NAMES.get(name, name), text
    types: dict[str, type] = {"name": str, "owner": str, "address": str, "port": int}
    types["protect_reading"] = bool
    if name not in types:
        known = sorted({f.name for f in fields(Settings)} | set(_AGES))
        raise UserError(f"there is no such setting; there are {', '.join(known)}")
    if type(value) is not types[name]:
        raise TypeError(f"must be of type {types[name].__name__}")
    return name, value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("must be a text")
    return value


def parse_duration(text: str) -> float:
    """Read `90d`, `1.5h`, `30min`, `20s` as seconds; `UserError` for anything else."""
    found = text_length_ns(text)
    if found is None:
        raise UserError(f"{text!r} is not a length of time: write 20s, 30min, 12h, 7d or 4w")
    return found / NANOSECONDS


def parse_size(text: str) -> int:
    """Read `20GiB`, `512MiB`, `1GB` or bytes; `UserError` for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kKMGT]i?B|B|)\s*", text)
    if match is None or (factor := _BYTES.get(match[2])) is None:
        raise UserError(f"{text!r} is not a size: write 512MiB, 20GiB or a number of bytes")
    return int(float(match[1]) * factor)


def parse_time(text: str) -> int:
    """Read an ISO 8601 time as ns since 1970; UTC unless it says otherwise. Or `now-1h`."""
    found = text_ns(text, time.time_ns())
    if found is None:
        example = "2026-11-24T10:00:00Z"
        raise UserError(f"{text!r} is not a time: write it like {example}")
    return found


def parse_pv(text: str) -> ChannelSpec:
    """Read `NAME`, `pva://NAME`, with ` scan PERIOD` after it where it is to be scanned.

    `UserError` where the name cannot be one.
    """
    name, *rest = text.split() or [""]
    provider = Provider.CA
    for one in Provider:
        if name.startswith(f"{one.value}://"):
            provider, name = one, name.removeprefix(f"{one.value}://")
    method, period_s = Method.MONITOR, 1.0
    if rest:
        if rest[0] not in ("scan", "monitor") or len(rest) > 2:
            raise UserError(f"{text!r}: after the name may come 'monitor' or 'scan PERIOD_S'")
        method = Method(rest[0])
        if len(rest) == 2:
            period_s = _number(text, rest[1])
    spec = ChannelSpec(pv=name, provider=provider, method=method, period_s=period_s)
    check_spec(spec)
    return spec


def read_pvs_file(path: Path) -> list[ChannelSpec]:
    """Read a file with a PV a line, as `parse_pv` takes it; `#` begins a comment.

    `UserError` with the line's number where one is wrong.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    specs: list[ChannelSpec] = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            try:
                specs.append(parse_pv(text))
            except UserError as error:
                raise UserError(f"{path}:{number}: {error}") from error
    return specs


def check_spec(spec: ChannelSpec) -> None:
    """Raise `UserError` where a channel cannot be archived, whatever its server says."""
    if not spec.pv or _REFUSED_IN_NAMES.search(spec.pv) or not spec.pv.isprintable():
        why = "a name has no white space, no * and no ?"
        raise UserError(f"{spec.pv!r} is not the name of a PV: {why}")
    if len(spec.pv.encode()) > LONGEST_NAME:
        raise UserError(f"{spec.pv[:40]!r}...: a name has at most {LONGEST_NAME} bytes")
    if spec.method is Method.SCAN and not LEAST_PERIOD_S <= spec.period_s < 86400 * 366:
        raise UserError(f"{spec.pv}: the period of a scan is at least {LEAST_PERIOD_S} s")
    if spec.fields and spec.provider is not Provider.PVA:
        raise UserError(f"{spec.pv}: only a structure of pvAccess has fields to choose")


def check_specs(specs: Sequence[ChannelSpec]) -> None:
    """Raise one `UserError` that names all that are wrong, at most five in full."""
    wrong: list[str] = []
    for spec in specs:
        try:
            check_spec(spec)
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise UserError("; ".join(wrong[:5]) + more)


def _number(text: str, part: str) -> float:
    try:
        return float(part)
    except ValueError as error:
        raise UserError(f"{text!r}: {part!r} is not a number of seconds") from error
