"""Makes docs/reference/facility.md from the models: `python docs/make_reference.py`."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from linacre.declaration import models
from linacre.declaration.models import archiver_values, service_values, values
from linacre.declaration.models.networks import HostAddress, Interface
from linacre.declaration.models.services import LaidFile
from linacre.declaration.models.settings import Environment
from linacre.engines.incus.cable import bridge_name, veth_name
from linacre.engines.process.addresses import loopback_address
from linacre.kinds.addresses import mac_address

PAGE = Path(__file__).parent / "reference/facility.md"

TYPES: list[tuple[Any, str]] = [
    (values.Name, "host name"),
    (values.FacilityName, "host name"),
    (values.NetworkName, "host name"),
    (values.Line, "text"),
    (Interface, "interface"),
    (HostAddress, "IPv4 address, or none"),
    (values.Address, "IPv4 address"),
    (values.Subnet, "subnet"),
    (values.Bytes, "size"),
    (values.Seconds, "time"),
    (values.TreePath, "path in the IOC's files"),
    (values.MachinePath, "full path"),
    (Environment, "mapping of variables to texts"),
    (service_values.Package, "Debian package"),
    (values.AnyPort, "port"),
    (service_values.Port, "port"),
    (service_values.Command, "line, or list of words"),
    (service_values.User, "user"),
    (service_values.Volume, "full path"),
    (service_values.LaidPath, "full path"),
    (service_values.Mode, "octal digits"),
    (service_values.Content, "text"),
    (archiver_values.PvText, "PV, or pattern"),
    (archiver_values.Until, "time with its zone, or `none`"),
    (archiver_values.Age, "length of time"),
    (LaidFile, "path of a file here, or [file](#file)"),
    (models.Source, "folder, or [git source](#git-source)"),
    (models.Engine, "`auto`, `incus` or `process`, or [engine settings](#engine)"),
    (models.Ioc, "[IOC](#ioc)"),
    (bool, "`true` or `false`"),
    (float, "number"),
    (int, "whole number"),
    (str, "text"),
]

SECTIONS: list[tuple[str, type[BaseModel], str]] = [
    ("Top level", models.Facility, ""),
    ("Network", models.Network, "An entry of `networks`."),
    ("Route", models.Route, "An item of a network's `routes`."),
    ("Host", models.DeclaredHost, "An entry of `hosts`."),
    ("Engine", models.IncusEngine, "`engine` with settings of its own; `engine: incus` is short."),
    ("Access", models.Access, "What stands under `access`."),
    ("Telnet", models.TelnetAccess, "What stands under `access.telnet`."),
    ("Defaults", models.Defaults, "What stands under `defaults`."),
    (
        "IOC defaults",
        models.IocDefaults,
        "What stands under `defaults.ioc`. The same keys may stand in every IOC, where they win: "
        "`limits`, `log` and `environment` key by key, all others as a whole.",
    ),
    ("IOC", models.IocCommon, "Keys of every IOC, beside those of [its kind](#softioc) and above."),
    ("softioc", models.SoftIoc, "Keys of an IOC of kind `softioc`."),
    ("python", models.PythonIoc, "Keys of an IOC of kind `python`."),
    ("binary", models.BinaryIoc, "Keys of an IOC of kind `binary`."),
    ("Service", models.Service, "An entry of `services`: see [services](../how-to/services.md)."),
    ("File", models.FileSettings, "An entry of a service's `files`."),
    (
        "Archiver",
        models.Archiver,
        "An entry of `archivers`: see [archivers](../how-to/archivers.md).",
    ),
    ("Retention", models.RetentionSettings, "What stands under `retention` of an archiver."),
    ("Git source", models.GitSource, "`source` as a git repository."),
    ("Limits", models.LimitSettings, "What stands under `limits`."),
    ("Log", models.LogSettings, "What stands under `log`."),
    ("Mount", models.MountSettings, "An item of `mounts`."),
    ("Device", models.DeviceSettings, "An item of `devices`."),
]

HEAD = """\
# The facility file

*Made from the models by `docs/make_reference.py`; do not edit it by hand.*

A facility is everything that comes up and goes down together, declared in one `facility.yaml`.
A command acts on the file that `-f` names (or the one in the folder it names), else on the
`facility.yaml` of the current folder or the nearest above it, else on the only facility that is
up. What is wrong in a file is reported in one go, a line each, with file and line.

`linacre schema` prints the JSON Schema of the file. Save it and let the editor complete and
check what is typed, with this as the first line of the file (for the YAML language server):

    # yaml-language-server: $schema=facility.schema.json

## An example

```yaml
facility: clara
description: Section S02, and a laboratory beside it
engine: {kind: incus, pool_size: 20GiB}
networks:
  controls:
    subnet: 10.61.2.0/24 # the host is 10.61.2.1, the desk 10.61.2.2
    # uplink: eth1 # makes it the site's network; see docs/how-to/uplinks.md
  lab:
    subnet: 10.61.3.0/24
    host_address: 10.61.3.254
defaults:
  ioc:
    network: controls
    hold_off: 15s
    limits: {memory: 256MiB, processes: 200}
    environment: {EPICS_CA_MAX_ARRAY_BYTES: 1000000}
iocs:
  s02-mag:
    kind: softioc
    source: iocs/s02-mag
    address: 10.61.2.11
    persistent: [autosave]
    limits: {cpu: 0.5} # memory and processes as in the defaults
  s02-bpm:
    kind: python
    source: {git: https://gitlab.example.org/iocs/s02-bpm.git, revision: v1.2}
    script: ioc.py
    args: [--prefix, "CLA-S02-DIA-BPM-"]
    address: 10.61.2.12
    after: [s02-mag]
  s02-scr:
    kind: binary
    source: iocs/s02-scr
    start: iocBoot/iocs02-scr/st.cmd
    address: 10.61.2.13
    devices: [{path: /dev/ttyUSB0}]
    mounts: [{host: /srv/images, path: /data/images}]
  simple:
    kind: python
    module: caproto.ioc_examples.simple
    network: lab
    address: 10.61.3.11
```

## How values are written

| type | how it is written |
| --- | --- |
| host name | small letters, digits and `-`, a letter first and no `-` last, at most 63 characters \
(an RFC 1123 label; for a network at most 58, its desk is called `desk-NAME`) |
| size | a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`: `256MiB` |
| time | a number of seconds, or a number and `ms`, `s`, `min` or `h`: `15`, `15s`, `2min` |
| length of time | a number and `min`, `h`, `d` or `w`: `12h`, `90d` |
| time with its zone | ISO 8601 with an offset or `Z`: `2026-12-24T08:00:00Z` |
| PV, or pattern | a name, with `*`, `?` and `[]` for several; before it `ca://` or `pva://`, \
behind it `scan 10` (each 10 s) where that is meant |
| subnet | an IPv4 network with its prefix length, /8 to /29: `10.61.2.0/24` |
| interface | as `ip link` shows it, at most 15 characters: `eth1`; or `none` |
| text | one line; a number (`1.10`) or `true` is taken as it is written |
| path in the IOC's files | from their top, without `..`: `iocBoot/ioc/st.cmd` |
| full path | begins with `/` |

A known key without a value (`hosts:`) is taken as one that is not written. YAML's anchors,
aliases and merges (`<<: *name`) may be used.

## Rules between items

- An IOC's address is in its network's subnet and belongs to nothing else: no other IOC, not the
  host, not the desk, not the gateway. Subnets do not overlap.
- A network with an [uplink](../how-to/uplinks.md) names its desk's address, and no two networks
  have one uplink.
- Hosts, networks and IOCs that are named somewhere are declared. `after` has no cycle.
- No IOC is called `desk-NETWORK`: that is the network's desk.
- A source folder and the start script or program in it are there.
"""

RULES = """\
## What follows from addresses and names

In facility `clara`, with an IOC `s02-mag` at `10.61.2.11` on network `controls`:

- Its MAC address is `{mac}`: `02:` and the first five bytes of SHA-256 of the
  facility's name, a zero byte and the machine's address. It is the same on every host and after
  every restart, and twins with one address have one MAC address.
- The process engine puts it at `{loopback}`: a.b.c.d becomes 127.b.c.d. Two IOCs whose
  addresses differ only before the first dot cannot run there together.
- The Incus engine's bridge of the network is `{bridge}`, and the host's end of the
  machine's cable `{cable}`: a prefix and the first ten hexadecimal digits of SHA-256 of
  the facility's name, a zero byte and their own, since the kernel allows 15 characters.
"""


def page() -> str:
    """Return the reference page."""
    address = IPv4Address("10.61.2.11")
    rules = RULES.format(
        mac=mac_address("clara", address),
        loopback=loopback_address(address),
        bridge=bridge_name("clara", "controls"),
        cable=veth_name("clara", "s02-mag"),
    )
    return "\n".join([HEAD, rules, *(_section(*section) for section in SECTIONS)])


def _section(title: str, model: type[BaseModel], words: str) -> str:
    rows = [_row(*field) for field in _fields(model)]
    head = "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    intro = [words or (model.__doc__ or "").split("\n", maxsplit=1)[0]]
    return "\n".join([f"## {title}\n", *intro, "", head, *rows, ""])


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Any]]:
    hints = get_type_hints(model, include_extras=True)
    inherited: set[str] = set()
    for base in (models.IocDefaults, models.IocCommon):
        if issubclass(model, base) and model is not base:
            inherited |= set(base.model_fields)
    for name, field in model.model_fields.items():
        if name not in inherited:
            yield name, field, hints[name]


def _row(name: str, field: FieldInfo, hint: Any) -> str:
    cells = [f"`{name}`", _type(hint), _default(field), _meaning(field)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(hint: Any) -> str:
    for known, words in TYPES:
        if hint == known or _begins_with(hint, known):
            return words
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(args[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(arg) for arg in args if arg is not type(None))
    if origin is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin is dict:
        return f"mapping of names to {_type(args[1])}"
    if origin is tuple:
        return f"list of {_type(args[0])}"
    title = next(title for title, model, _ in SECTIONS if model is hint)
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _begins_with(hint: Any, known: Any) -> bool:
    """Whether an annotated type is a known one with more conditions."""
    if get_origin(hint) is not Annotated or get_origin(known) is not Annotated:
        return False
    (own, *conditions), (base, *first) = get_args(hint), get_args(known)
    return own == base and conditions[: len(first)] == first


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.default
    if value is PydanticUndefined or value in (None, "", ()):
        return ""
    if isinstance(value, models.AutoEngine):
        return f"`{value.kind}`"
    return f"`{json.dumps(value)}`" if isinstance(value, bool) else f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    words = field.description or ""
    if not field.examples:
        return words
    return f"{words} Example: `{_flow(field.examples[0])}`"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
