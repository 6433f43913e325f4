"""What was understood of an IOC, in words for people and as data for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from linacre.operations.importing.findings import FileUse, Where
from linacre.operations.importing.take import Taking
from linacre.operations.importing.understood import Understood

_MOST_SHOWN = 12
_WIDTH = 16


def lines_of(understood: Understood) -> Iterator[str]:
    """Yield what was understood, a line each: a word and what there is of it."""
    program, run = understood.program, understood.run
    yield from _row("IOC", f"{understood.name} ({program.kind})")
    yield from _row("files", str(understood.found.home))
    yield from _listed("beside them", [str(path) for path in understood.beside])
    yield from _row("built at", str(understood.places.built), wanted=_is_elsewhere(understood))
    yield from _row("start script", str(understood.found.start))
    if program.laid is not None:
        how = "in its place" if program.stands_in else "for this; it starts the above"
        yield from _row("started by", f"{program.start}, written {how}")
    yield from _row("program", _program(understood))
    yield from _row("EPICS", understood.libraries.epics or "")
    yield from _libraries(understood)
    yield from _row("run by", run.origin)
    if run.hold_off_s is not None:
        yield from _row("hold-off", f"{run.hold_off_s} s")
    yield from _listed(
        "environment", [f"{k}={v}" for k, v in understood.declared.environment.items()]
    )
    yield from _found(understood)


def _found(understood: Understood) -> Iterator[str]:
    findings, declared = understood.findings, understood.declared
    yield from _listed("sets", [f"{k}={v}" for k, v in findings.variables.items()])
    yield from _listed("reads", [_use(use) for use in findings.files], most=40)
    yield from _records(understood)
    if findings.access_security is not None:
        yield from _row("access security", str(findings.access_security))
    yield from _listed("persistent", [str(path) for path in declared.persistent])
    yield from _listed("mounts", [str(path) for path in declared.mounts])
    yield from _listed("devices", findings.devices)
    yield from _listed("connects to", findings.hosts)
    yield from _listed("sequences", findings.programs)
    yield from _listed("device support", findings.drivers)
    yield from _listed("copied in", [f"{c.source} to {c.path}" for c in understood.copies])
    yield from _listed("not understood", findings.unknown, most=40)
    yield from _listed("see to", [*understood.notes], most=100)


def _is_elsewhere(understood: Understood) -> bool:
    return str(understood.places.built) != str(understood.found.tree)


def _program(understood: Understood) -> str:
    program = understood.program
    if program.kind == "softioc":
        return f"Linacre's softIoc, for {program.path} ({program.said_by})"
    if program.kind == "python":
        return "Python, with Linacre's packages"
    machine = f", {program.machine}" if program.machine else ""
    return f"{program.path} ({program.said_by}{machine})"


def _libraries(understood: Understood) -> Iterator[str]:
    libraries = understood.libraries
    if libraries.own:
        yield from _row("own libraries", ", ".join(sorted(p.name for p in libraries.own)))
    if libraries.glibc:
        yield from _row("needs glibc", ".".join(str(n) for n in libraries.glibc))
    yield from _listed("missing", [*libraries.missing])


def _records(understood: Understood) -> Iterator[str]:
    records = understood.findings.records
    if understood.program.kind == "python":
        yield from _row("records", "made by the program; not counted")
        return
    kinds = Counter(kind for kind in records.values() if kind != "alias")
    aliases = len(records) - kinds.total()
    what = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(8))
    more = f" and {aliases} aliases" if aliases else ""
    yield from _row("records", f"{kinds.total()} ({what}){more}" if kinds else "none")
    yield from _listed("", [*records])


def _use(use: FileUse) -> str:
    where = {Where.OWN: "", Where.OUTSIDE: "; outside", Where.MISSING: "; NOT THERE"}[use.where]
    return f"{use.path} ({use.what}{where})"


def _row(word: str, text: str, *, wanted: bool = True) -> Iterator[str]:
    if text and wanted:
        yield f"{word:<{_WIDTH}} {text}"


def _listed(word: str, items: list[str], *, most: int = _MOST_SHOWN) -> Iterator[str]:
    for number, item in enumerate(items[:most]):
        yield from _row(word if number == 0 else "", item)
    if len(items) > most:
        yield from _row("", f"... and {len(items) - most} more (--json has all)")


def data_of(taking: Taking) -> dict[str, Any]:
    """Return what was understood and what is to be written, for JSON."""
    understood = taking.understood
    program, findings, libraries = understood.program, understood.findings, understood.libraries
    return {
        "name": understood.name,
        "kind": program.kind,
        "from": understood.given,
        "tree": understood.found.tree,
        "own_folder": understood.found.own,
        "beside": understood.beside,
        "built_at": understood.places.built,
        "start": understood.found.start,
        "start_written": program.laid,
        "env_paths_written": {str(path): text for path, text in understood.places.laid.items()},
        "program": program.path,
        "program_said_by": program.said_by,
        "machine": program.machine,
        "epics": libraries.epics,
        "glibc": ".".join(str(n) for n in libraries.glibc) or None,
        "libraries": {
            "own": libraries.own,
            "copied": libraries.elsewhere,
            "missing": libraries.missing,
        },
        "run_by": understood.run.origin or None,
        "variables": findings.variables,
        "files": findings.files,
        "records": findings.records,
        "access_security": findings.access_security,
        "devices": findings.devices,
        "connects_to": findings.hosts,
        "sequences": findings.programs,
        "device_support": findings.drivers,
        "declared": understood.declared,
        "not_understood": findings.unknown,
        "see_to": understood.notes,
        "address": taking.address,
        "network": taking.network,
        "entry": taking.entry,
        "target": taking.target,
        "copies": None if taking.plan is None else [item.path for item in taking.plan.items],
        "left_out": () if taking.plan is None else taking.plan.left_out,
        "size_bytes": None if taking.plan is None else taking.plan.size_bytes,
    }
