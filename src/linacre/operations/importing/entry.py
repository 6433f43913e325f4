"""The text of an IOC's entry in the facility file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from ipaddress import IPv4Address
from textwrap import shorten

from linacre.declaration.yaml_text import scalar
from linacre.kinds.ioc.import_checks import NOT_DEFINED, NOT_UNDERSTOOD
from linacre.operations.importing.understood import Understood

_MOST_NOTED = 12


def entry_of(
    understood: Understood,
    *,
    source: str,
    address: IPv4Address,
    network: str | None,
    today: date,
) -> str:
    """Return the entry of an IOC, with comments that say where it came from.

    `network` is None where the facility has only one.
    """
    program, declared = understood.program, understood.declared
    lines = [f"{understood.name}:", f"  # Taken over from {understood.given} on {today}"]
    lines[-1] += f" with {understood.run.origin}." if understood.run.origin else "."
    lines += [f"  {NOT_UNDERSTOOD}{line}" for line in _not_understood(understood)]
    if lacking := understood.findings.lacking:
        macros = shorten(", ".join(lacking), 90, placeholder=" ...")
        lines.append(f"  {NOT_DEFINED}{macros}")
    lines.append(f"  kind: {program.kind}")
    lines.append(f"  source: {scalar(source)}")
    key = "script" if program.kind == "python" else "start"
    if program.kind != "softioc" or str(program.start) != "st.cmd":
        lines.append(f"  {key}: {scalar(str(program.start))}")
    if program.args:
        lines.append(f"  args: [{', '.join(scalar(each) for each in program.args)}]")
    if understood.findings.arguments:
        lines.append(f"  # args: [{', '.join(understood.findings.arguments)}]")
    if declared.built_at is not None:
        lines.append(f"  built_at: {scalar(str(declared.built_at))}")
    lines.append(f"  address: {address}")
    if network is not None:
        lines.append(f"  network: {network}")
    if declared.hold_off_s is not None:
        lines.append(f"  hold_off: {declared.hold_off_s}s")
    if declared.environment:
        lines.append("  environment:")
        lines += [f"    {key}: {scalar(value)}" for key, value in declared.environment.items()]
    if declared.persistent:
        lines.append(f"  persistent: [{', '.join(scalar(str(p)) for p in declared.persistent)}]")
    if declared.devices:
        lines.append("  devices:")
        lines += [f"    - path: {scalar(path)}" for path in declared.devices]
    if declared.mounts:
        lines.append("  mounts: # on the host; copy them when the server goes")
        lines += [
            f"    - {{host: {scalar(str(path))}, path: {scalar(str(path))}}}"
            for path in declared.mounts
        ]
    return "\n".join(lines) + "\n"


def _not_understood(understood: Understood) -> Iterator[str]:
    """Yield the lines of scripts that were not understood, of many the first, as comments."""
    unknown = understood.findings.unknown
    for line in unknown[:_MOST_NOTED]:
        yield shorten(" ".join(line.split()), 90, placeholder=" ...")
    if len(unknown) > _MOST_NOTED:
        yield f"{len(unknown) - _MOST_NOTED} more lines"
