"""The records that an IOC's own databases declare, as far as its start script tells."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from linacre.base.errors import UserError
from linacre.declaration.models import Ioc, PythonIoc
from linacre.epics.layout import Layout
from linacre.operations.importing.commands import given_variables
from linacre.operations.importing.places import Places
from linacre.operations.importing.script import ScriptReader


def declared_records(name: str, ioc: Ioc, folder: Path, layout: Layout) -> tuple[str, ...]:
    """Return the records that an IOC's start script loads from its own files, those in `folder`.

    Those whose names are not known whole are left out, so that none is told that nobody meant.
    What device support or a program of its own makes is not among them.
    """
    if isinstance(ioc, PythonIoc):
        return ()
    built = PurePosixPath(ioc.built_at or layout.tree)
    start = built / ioc.start
    variables = given_variables(name, start.parent, layout.persist) | ioc.environment
    places = Places(folder, built, folder, alone=True)
    reader = ScriptReader(places, variables, folder=start.parent, softioc=ioc.kind == "softioc")
    try:
        reader.run(start)
    except UserError:
        return ()
    return tuple(
        record for record, kind in reader.found.records.items() if kind != "#" and "$" not in record
    )
