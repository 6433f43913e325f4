"""What is laid into the machine of a service: its tree, its single files, its scripts."""

from __future__ import annotations

from pathlib import Path

from linacre.declaration import sources
from linacre.declaration.models import Service
from linacre.engines.base import PayloadFile
from linacre.epics.layout import Layout
from linacre.epics.service import ServiceProgram, make_service_scripts
from linacre.kinds.files import script_files, tree_files


def service_files(
    name: str, service: Service, layout: Layout, tree: sources.SourceTree | None, *, folder: Path
) -> list[PayloadFile]:
    """Return a service's tree, its single files and its start scripts.

    Paths of the facility file are relative to `folder`.
    """
    program = ServiceProgram(
        name=name,
        command=service.command,
        user=service.user,
        environment=service.environment,
        volumes=service.volumes,
        hold_off_s=int(service.hold_off),
        log_bytes=int(service.log.size),
        log_files=service.log.files,
    )
    scripts = make_service_scripts(program, layout)
    return [
        PayloadFile(layout.tree, mode=0o755),
        *tree_files(layout, tree),
        *(
            PayloadFile(
                path,
                data=None if file.content is None else file.content.encode(),
                source=None if file.source is None else (folder / file.source).resolve(),
                mode=int(file.mode, 8),
            )
            for path, file in service.files.items()
        ),
        *script_files(scripts),
    ]
