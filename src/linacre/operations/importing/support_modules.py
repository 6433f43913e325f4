"""Support modules whose commands or record types an IOC uses, and whether its program has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError
from linacre.operations.importing.findings import Findings
from linacre.operations.importing.libraries import Libraries
from linacre.operations.importing.program import Program
from linacre.operations.importing.reading import mapped


@dataclass(frozen=True)
class _Module:
    """A support module by what of it is seen in scripts, databases and programs."""

    name: str
    library: re.Pattern[str]
    commands: re.Pattern[str]
    records: frozenset[str] = frozenset()


def _module(name: str, *, library: str, commands: str = r"\0", records: str = "") -> _Module:
    return _Module(name, re.compile(library), re.compile(commands), frozenset(records.split()))


_AUTOSAVE = r"(set|save)_(savefile|requestfile|restore)|create_(monitor|triggered|periodic)_set"
_MOTOR = r"motor\w+(Config|Create)|\w+(Motor|Axis)\w*(Config|Create)"
MODULES = (
    _module(
        "asyn", library=r"libasyn\.so", commands=r"asyn|drvAsyn|vxi11Configure", records="asyn"
    ),
    _module("autosave", library=r"libautosave\.so", commands=_AUTOSAVE),
    _module("calc", library=r"libcalc\.so", records="acalcout scalcout sseq swait transform"),
    _module("motor", library=r"libmotor\.so", commands=_MOTOR, records="motor"),
    _module("StreamDevice", library=r"libstream\.so", commands=r"stream(Set|Reload)"),
    _module("sequencer", library=r"lib(seq|pv)\.so", commands=r"seq(Show|ChanShow|Stop)?$"),
    _module("busy", library=r"libbusy\.so", records="busy"),
    _module("sscan", library=r"libsscan\.so", records="sscan scanparm"),
)
"""Those of most built IOCs; the others' missing libraries are told by their names."""


def support_notes(
    program: Program, findings: Findings, libraries: Libraries, *, given: Path, engine: str
) -> list[str]:
    """Return what to see to of support modules that are used and that the program lacks."""
    if program.kind == "softioc":
        return [
            f"{place}: {what} is of the support module {module}, which softIoc does not have; name "
            "a program that has it in the first line of the start script"
            for module, what, place in _used(findings)
        ]
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
            if not _is_named(what.rpartition(" ")[2], files, given)
        ]
    return notes


def _used(findings: Findings) -> Iterator[tuple[str, str, str]]:
    """Yield each module that is used: its name, the first thing of it, and where that is."""
    kinds = {kind: name for name, kind in reversed(findings.records.items())}
    for module in MODULES:
        commands = (name for name in findings.commands if module.commands.match(name))
        records = (kind for kind in kinds if kind in module.records)
        if (command := next(commands, None)) is not None:
            yield module.name, f"the command {command}", findings.commands[command]
        elif (kind := next(records, None)) is not None:
            yield module.name, f"the record type {kind}", f"record {kinds[kind]}"


def _is_named(word: str, files: Iterable[Path], given: Path) -> bool:
    """Tell whether a word stands in a program or library as C programs have their names."""
    return any(_has(file, word.encode() + b"\0", given) for file in files)


def _has(file: Path, text: bytes, given: Path) -> bool:
    try:
        with mapped(file, given=given) as content:
            return content.find(text) >= 0
    except (UnsafeNameError, ValueError):  # it is not theirs, or empty
        return False
