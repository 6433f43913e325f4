"""Single values of the facility file: names, sizes, times, addresses, paths.

Each parser raises `ValueError` with the words that a user sees: the value, and what to write.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from linacre.documents.quoting import as_written, quoted

_LABEL = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NAME_PATTERN = f"^{_LABEL}$"
SANDBOX_DOT = "."
"""Stands between the name of a facility and that of a sandbox of it: no name has it."""
_PORT_PATTERN = r"^[1-9][0-9]{0,4}/(tcp|udp)$"
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}


class Bytes(int):
    """A size in bytes, written with a binary unit: `256MiB`."""

    @classmethod
    def parse(cls, value: object) -> Bytes:
        """Return the size written as a whole number and B, KiB, MiB, GiB or TiB."""
        if isinstance(value, Bytes):
            return value
        text = value if isinstance(value, str) else ""
        match = re.fullmatch(r"([0-9]+)(B|KiB|MiB|GiB|TiB)", text)
        if match is None:
            raise ValueError(f"{quoted(value)} is not a size; write {_size_advice(value)}")
        size = int(match[1]) * _UNITS[match[2]]
        if not 0 < size < 1 << 60:
            raise ValueError(
                f"{quoted(value)} is not a size anything can have; write one like 256MiB"
            )
        return cls(size)

    def __str__(self) -> str:
        """Return the size with the largest unit that keeps it whole."""
        unit, factor = next((u, f) for u, f in reversed(_UNITS.items()) if int(self) % f == 0)
        return f"{int(self) // factor}{unit}"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9]+(B|KiB|MiB|GiB|TiB)$"}


class Seconds(float):
    """A time in seconds, written as a number of seconds or with a unit: `15`, `15s`, `2min`."""

    @classmethod
    def parse(cls, value: object) -> Seconds:
        """Return the time written as a number, alone or with ms, s, min or h."""
        if isinstance(value, Seconds):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|h)?", as_written(value) or "")
        if match is None:
            raise ValueError(f"{quoted(value)} is not a time; write one like 15s or 2min")
        seconds = float(match[1]) * _SECONDS[match[2] or "s"]
        if not 0 <= seconds <= 86400:
            raise ValueError(f"{quoted(value)} is not between 0s and 24h; write one like 15s")
        return cls(seconds)

    def __str__(self) -> str:
        """Return the time in seconds with its unit."""
        return f"{float(self):g}s"

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|min|h)$"}
        return {"anyOf": [text, {"type": "number", "minimum": 0, "maximum": 86400}]}


def _size_advice(value: object) -> str:
    """Return what to write for a size that was nearly right."""
    match = re.fullmatch(r"\s*([0-9]+)\s*([kmgt])i?b?\s*", str(value), re.IGNORECASE)
    if match:
        return f"{match[1]}{match[2].upper()}iB"
    return "a whole number with B, KiB, MiB, GiB or TiB, such as 256MiB"


def _host_name(value: str, *, longest: int) -> str:
    if re.fullmatch(NAME_PATTERN, value) and len(value) <= longest:
        return value
    mended = re.sub(r"[^a-z0-9-]+", "-", value.lower())
    mended = re.sub(r"^[^a-z]+", "", mended)[:longest].rstrip("-")
    rule = f"small letters, digits and '-', a letter first, at most {longest} characters"
    advice = f"{mended} ({rule})" if mended else rule
    raise ValueError(f"{quoted(value)} is no host name; write {advice}")


def _name(value: str) -> str:
    # An IOC's twin is the machine <ioc>-twin, which must be a host name too.
    return _host_name(value, longest=63 - len("-twin"))


def _facility_name(value: str) -> str:
    for part in value.split(SANDBOX_DOT, 1):
        _name(part)
    return value


def _network_name(value: str) -> str:
    # So must desk-<network>-twins, the desk of the sandbox of its twins.
    return _host_name(value, longest=63 - len("desk-") - len("-twins"))


def _port(value: object) -> str:
    text = (as_written(value) or "").lower()
    if re.fullmatch(r"[0-9]{1,5}", text):
        raise ValueError(f"{text} says no protocol; write {text}/tcp or {text}/udp")
    if not re.fullmatch(_PORT_PATTERN, text) or int(text.partition("/")[0]) > 65535:
        raise ValueError(f"{quoted(value)} is not a port; write one like 3306/tcp or 67/udp")
    return text


def _address(value: object) -> IPv4Address:
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(value if isinstance(value, str) else str(value))
    except ValueError:
        # A type of its own: only the loader, which sees the networks, can name a free address.
        raise PydanticCustomError(
            "address", "{told} is not an IPv4 address", {"told": quoted(value)}
        ) from None


def _subnet(value: object) -> IPv4Network:
    if isinstance(value, IPv4Network):
        return value
    try:
        network = IPv4Network(value if isinstance(value, str) else str(value), strict=False)
    except ValueError:
        raise ValueError(f"{quoted(value)} is not a subnet; write one like 10.61.2.0/24") from None
    if "/" not in str(value):
        raise ValueError(f"{quoted(value)} has no prefix length; write one like {value}/24")
    if str(network) != value:
        raise ValueError(f"{quoted(value)} is not the first address of a subnet; write {network}")
    if network.is_loopback or network.is_multicast or network.is_unspecified:
        raise ValueError(f"{quoted(value)} cannot be a network's; write one like 10.61.2.0/24")
    if not 8 <= network.prefixlen <= 29:
        raise ValueError(
            f"{quoted(value)} has room for {network.num_addresses} addresses; "
            f"write a prefix length from /8 to /29, such as 10.61.2.0/24"
        )
    return network


def _tree_path(value: object) -> PurePosixPath:
    path = PurePosixPath(value) if isinstance(value, str | PurePosixPath) else None
    if path is None or not path.parts or path.is_absolute() or ".." in path.parts:
        raise ValueError(
            f"{quoted(value)} is not a path inside the IOC's own files, from their top, "
            "without '..'"
        )
    return path


def _machine_path(value: object) -> PurePosixPath:
    path = PurePosixPath(value) if isinstance(value, str | PurePosixPath) else None
    if path is None or not path.is_absolute() or ".." in path.parts or len(path.parts) < 2:
        raise ValueError(f"{quoted(value)} is not a full path")
    return path


def _line(value: object) -> str:
    text = as_written(value)
    if value is None:
        raise ValueError("no value; write '' for an empty text, or remove the line")
    if text is None:
        raise ValueError(f"{quoted(value)} is not text")
    if any(ord(c) < 32 and c != "\t" for c in text):
        raise ValueError(f"{quoted(value)} is not one line of text")
    return text


Line = Annotated[
    str,
    BeforeValidator(_line),
    WithJsonSchema({"type": ["string", "number", "boolean"]}, mode="validation"),
]
"""Text on one line; a number or truth value is taken as it was written."""
Name = Annotated[str, AfterValidator(_name), Field(json_schema_extra={"pattern": NAME_PATTERN})]
"""A host name: an RFC 1123 label in small letters; Incus also wants a letter first."""
FacilityName = Annotated[
    str,
    AfterValidator(_facility_name),
    Field(json_schema_extra={"pattern": rf"^{_LABEL}(\.{_LABEL})?$"}),
]
"""The name of a facility; of a sandbox of one, FACILITY.SANDBOX."""
NetworkName = Annotated[str, AfterValidator(_network_name)]
"""A host name short enough for the name of the network's desk."""
Address = Annotated[IPv4Address, BeforeValidator(_address)]
Subnet = Annotated[IPv4Network, BeforeValidator(_subnet)]
TreePath = Annotated[PurePosixPath, BeforeValidator(_tree_path)]
"""A path inside an IOC's own files."""
MachinePath = Annotated[PurePosixPath, BeforeValidator(_machine_path)]
"""A full path on a host or in a machine."""
AnyPort = Annotated[
    str, BeforeValidator(_port), WithJsonSchema({"type": "string", "pattern": _PORT_PATTERN})
]
"""A port with its protocol: `3306/tcp`, `67/udp`."""
