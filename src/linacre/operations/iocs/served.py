"""Telling whoever started IOCs which records they do not serve that their databases declare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from linacre.declaration.models import Ioc, PythonIoc
from linacre.engines.base import Machine, MachineSpec
from linacre.engines.labels import PROGRAM_DIGEST, UNSERVED
from linacre.epics.layout import Layout
from linacre.kinds.ioc.unserved import Unserved, as_label, unserved_of
from linacre.kinds.reports import listed_pvs
from linacre.operations.importing.declared_records import declared_records
from linacre.session.session import Session

_MOST_TOLD = 20


async def tell_unserved(
    session: Session,
    started: Mapping[str, str],
    *,
    specs: Mapping[str, MachineSpec],
    before: Mapping[str, Machine],
    say: Callable[[str], None],
) -> None:
    """Say a line for each IOC that has just booted and serves less than its databases declare.

    `started` has the IOCs by their machines, `specs` what they are declared to be, and `before`
    the machines as they were found. What is told stays in a label of the machine, where `status`
    and the doctor find it without looking into any.
    """
    told = await asyncio.gather(
        *(_look(session, machine, ioc, specs[ioc]) for machine, ioc in started.items())
    )
    wrong: list[str] = []
    for (machine, ioc), unserved in zip(started.items(), told, strict=True):
        label = as_label(unserved, digest=specs[ioc].labels[PROGRAM_DIGEST])
        was = before[machine].labels.get(UNSERVED, "") if machine in before else ""
        if label != was:
            await session.engine.set_labels(machine, {UNSERVED: label})
        if unserved is not None:
            wrong.append(f"{ioc}: {unserved}; see linacre ioc log {ioc}")
    for line in wrong[:_MOST_TOLD]:
        say(line)
    if len(wrong) > _MOST_TOLD:
        say(f"{len(wrong) - _MOST_TOLD} more serve too little: see linacre status")


async def _look(session: Session, machine: str, name: str, spec: MachineSpec) -> Unserved | None:
    ioc = session.declaration.facility.iocs[name]
    layout = session.engine.layout(machine, ioc.address)
    folder = None if isinstance(ioc, PythonIoc) else _folder(spec, ioc, layout)
    if folder is None:
        return None
    if not await session.engine.read(machine, layout.run / "booted"):
        return None
    served = await listed_pvs(session.engine, machine, ioc.address)
    if served is None:
        return None
    declared = await asyncio.to_thread(declared_records, name, ioc, folder, layout)
    return unserved_of(declared, {pv.name for pv in served})


def _folder(spec: MachineSpec, ioc: Ioc, layout: Layout) -> Path | None:
    """Return the folder on this host that an IOC's own files were laid from."""
    start = PurePosixPath("" if isinstance(ioc, PythonIoc) else ioc.start)
    found = (file.source for file in spec.payload.files if file.path == layout.tree / start)
    script = next(found, None)
    return None if script is None else script.parents[len(start.parts) - 1]
