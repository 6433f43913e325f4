"""Support modules whose commands or record types an IOC uses, and whether its program has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError
from linacre.operations.importing.findings import Findings
from linacre.operations.importing.libraries import Libraries
from linacre.operations.importing.modules import MODULES, is_of_a_module
from linacre.operations.importing.program import Program
from linacre.operations.importing.reading import mapped

_RECORD, _DEVICE = "record type", "device support"
_BASE_RECORDS_TEXT = """
aSub aai aao ai alias ao bi bo calc calcout compress dfanout event fanout histogram int64in int64out
longin longout lsi lso mbbi mbbiDirect mbbo mbboDirect permissive printf sel seq state stringin
stringout sub subArray waveform * #
"""
_BASE_RECORDS = frozenset(_BASE_RECORDS_TEXT.split())
_BASE_DEVICES = re.compile(
    r"((Raw |Async )?Soft Channel|Soft Timestamp|General Time|Db State|getenv|stdio|QSRV2? .+)?"
)
_MOST_TOLD = 6


def beyond_base(findings: Findings) -> list[str]:
    """Return what records need that EPICS base, and so softIoc, does not have."""
    return [f"the {what} {name} of {record}" for what, name, record in _beyond(findings)]


def _beyond(findings: Findings) -> Iterator[tuple[str, str, str]]:
    kinds = {kind: name for name, kind in reversed(findings.records.items())}
    yield from ((_RECORD, kind, kinds[kind]) for kind in kinds if kind not in _BASE_RECORDS)
    for device, record in findings.supports.items():
        if not _BASE_DEVICES.fullmatch(device):
            yield _DEVICE, device, record
    yield from (("function", each, record) for each, record in findings.functions.items())


def support_notes(
    program: Program, findings: Findings, libraries: Libraries, *, given: Path, engine: str
) -> list[str]:
    """Return what to see to of support modules that are used and that the program lacks."""
    if program.kind == "softioc":
        return _beyond_softioc(findings)
    notes = [
        f"{library} is the library of the support module {module.name}"
        for library in libraries.missing
        for module in MODULES
        if module.library.match(library)
    ]
    # What is in a library that is not here, or is the host's own, cannot be looked for.
    all_known = not libraries.missing and engine != "process"
    if program.file is not None and all_known:
        files = (program.file, *libraries.own, *libraries.elsewhere)
        notes += [
            f"{place}: {what} is of the support module {module}, which {program.file.name} was "
            "built without: the IOC will not know it"
            for module, what, place in _used(findings)
            # Names of device support are in database definitions, not in programs.
            if not what.startswith(f"the {_DEVICE}")
            and not _is_named(what.rpartition(" ")[2], files, given)
        ]
    return notes


def _beyond_softioc(findings: Findings) -> list[str]:
    notes = [
        f"{place}: {what} is of the support module {module}, which softIoc does not have; name "
        "a program built with it in the first line of the start script"
        for module, what, place in _used(findings)
    ]
    others = [
        f"softIoc does not have the {what} {name} of {record}"
        for what, name, record in _beyond(findings)
        if not any(name in each.records or each.devices.match(name) for each in MODULES)
    ]
    others += [
        f"softIoc does not have the command {name} ({findings.commands[name]})"
        for name in findings.drivers
        if name in findings.commands and not is_of_a_module(name)
    ]
    more = len(others) - _MOST_TOLD
    return [*notes, *others[:_MOST_TOLD], *([f"nor {more} more of such"] if more > 0 else [])]


def _used(findings: Findings) -> Iterator[tuple[str, str, str]]:
    """Yield each module that is used: its name, the first thing of it, and where that is."""
    kinds = {kind: name for name, kind in reversed(findings.records.items())}
    for module in MODULES:
        commands = (name for name in findings.commands if module.commands.match(name))
        records = (kind for kind in kinds if kind in module.records)
        devices = (each for each in findings.supports if module.devices.match(each))
        if (command := next(commands, None)) is not None:
            yield module.name, f"the command {command}", findings.commands[command]
        elif (kind := next(records, None)) is not None:
            yield module.name, f"the {_RECORD} {kind}", f"record {kinds[kind]}"
        elif (device := next(devices, None)) is not None:
            yield module.name, f"the {_DEVICE} {device}", f"record {findings.supports[device]}"


def _is_named(word: str, files: Iterable[Path], given: Path) -> bool:
    """Tell whether a word stands in a program or library as C programs have their names."""
    return any(_has(file, word.encode() + b"\0", given) for file in files)


def _has(file: Path, text: bytes, given: Path) -> bool:
    try:
        with mapped(file, given=given) as content:
            return content.find(text) >= 0
    except (UnsafeNameError, ValueError):  # it is not theirs, or empty
        return False
