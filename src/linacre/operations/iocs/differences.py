"""What an IOC runs against what is declared."""

from __future__ import annotations

from pathlib import PurePosixPath

from linacre.kinds.ioc.differences import FileDifference, differing
from linacre.kinds.ioc.file_tree import declared_tree, shown, tree_inside, without
from linacre.operations.iocs.machines import running_machine
from linacre.planning.preview import compare
from linacre.session.session import Session


async def differences(session: Session, name: str, *, twin: bool = False) -> list[FileDifference]:
    """Return how the files in a running machine differ from those declared; the engine is open."""
    machine = await running_machine(session, name, twin=twin)
    spec = (await compare(session, frozenset((name,)))).declared.iocs[name]
    ioc = session.declaration.facility.iocs[name]
    layout = session.engine.layout(name, ioc.address)
    kept = [PurePosixPath(str(folder)) for folder in ioc.persistent]
    declared = without(declared_tree(spec, layout.tree), kept)
    there = without(await tree_inside(session.engine, machine.name, layout.tree), kept)
    return [*differing(shown(there), shown(declared), sides=("running", "declared"))]
