"""What is laid into machines: files and start scripts, names, addresses, keys."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path, PurePosixPath

from linacre.base.errors import UserError
from linacre.declaration import sources
from linacre.declaration.models import Access, Facility, Ioc, PythonIoc, Service, desk_name
from linacre.engines.base import Part, PayloadFile
from linacre.epics.launch import Program, ProgramKind, make_scripts
from linacre.epics.layout import Layout
from linacre.epics.service import ServiceProgram, make_service_scripts
from linacre.kinds.ioc.build_paths import built_files, moved_environment

_ACCESS_FILE = ".linacre/access.acf"


def ioc_files(
    name: str,
    ioc: Ioc,
    layout: Layout,
    tree: sources.SourceTree | None,
    *,
    folder: Path,
    linked: bool = True,
) -> list[PayloadFile]:
    """Return an IOC's own files, its access security file and its start scripts.

    Paths of the facility file are relative to `folder`; `linked` tells whether links may be made
    in the machine outside the IOC's own files. Raises `UserError` where the tree has no start
    script.
    """
    access, access_files = _access_security(ioc, layout, tree, folder=folder)
    environment = moved_environment(ioc, layout, tree, linked=linked)
    program = _program(name, ioc, access_security=access, environment=environment)
    scripts = make_scripts(program, layout, first_line=_first_line(name, ioc, tree))
    built = built_files(ioc, layout, tree, linked=linked)
    changed = {file.path for file in built}
    return [
        PayloadFile(layout.tree, mode=0o755),
        *(file for file in _tree_files(layout, tree) if file.path not in changed),
        *built,
        *access_files,
        *(_text(s.path, s.text, mode=s.mode, part=Part.SCRIPTS) for s in scripts),
    ]


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
        *_tree_files(layout, tree),
        *(
            PayloadFile(
                path,
                data=None if file.content is None else file.content.encode(),
                source=None if file.source is None else folder / file.source,
                mode=int(file.mode, 8),
            )
            for path, file in service.files.items()
        ),
        *(_text(s.path, s.text, mode=s.mode, part=Part.SCRIPTS) for s in scripts),
    ]


def _tree_files(layout: Layout, tree: sources.SourceTree | None) -> list[PayloadFile]:
    return [
        PayloadFile(
            layout.tree / each.path,
            source=None if each.link else each.file,
            link=each.link,
            mode=each.mode,
        )
        for each in (sources.walk(tree.folder) if tree is not None else ())
    ]


def _access_security(
    ioc: Ioc, layout: Layout, tree: sources.SourceTree | None, *, folder: Path
) -> tuple[str | None, list[PayloadFile]]:
    """Return the access security file's path in the tree, and what lays it there."""
    if ioc.access_security is None:
        return None, []
    beside = folder / ioc.access_security
    if not beside.is_file() and tree is not None:
        return ioc.access_security, []
    path = layout.tree / _ACCESS_FILE
    return _ACCESS_FILE, [PayloadFile(path.parent, mode=0o755), PayloadFile(path, source=beside)]


def _first_line(name: str, ioc: Ioc, tree: sources.SourceTree | None) -> str | None:
    """Return the first line of the start script; a git source is first seen here."""
    if tree is None or (isinstance(ioc, PythonIoc) and ioc.script is None):
        return None
    start = ioc.script if isinstance(ioc, PythonIoc) else ioc.start
    assert start is not None
    file = tree.folder / start
    if not file.is_file():
        raise UserError(f"IOC {name}: {tree.origin} has no {start}; write a file that it has")
    with file.open("rb") as opened:
        return opened.readline(512).decode(errors="replace").rstrip("\n")


def _program(
    name: str, ioc: Ioc, *, access_security: str | None, environment: Mapping[str, str]
) -> Program:
    """Return how an IOC is started."""
    start = "" if isinstance(ioc, PythonIoc) else str(ioc.start)
    if isinstance(ioc, PythonIoc) and ioc.script is not None:
        start = str(ioc.script)
    return Program(
        name=name,
        kind=ProgramKind(ioc.kind),
        start=start,
        module=ioc.module if isinstance(ioc, PythonIoc) else None,
        args=tuple(ioc.args) if isinstance(ioc, PythonIoc) else (),
        environment=environment,
        access_security=access_security,
        persistent=tuple(str(folder) for folder in ioc.persistent),
        hold_off_s=int(ioc.hold_off),
        log_bytes=int(ioc.log.size),
        log_files=ioc.log.files,
    )


def hosts_file(facility: Facility, network: str, layout: Layout) -> PayloadFile:
    """Return the hosts file of a network's desk, which knows IOCs and services by name."""
    lines = ["127.0.0.1 localhost"]
    lines.append(f"{facility.networks[network].desk_address} {desk_name(network)}")
    lines += [f"{each.address} {name}" for name, each in facility.programs.items()]
    return _text(layout.etc / "hosts", "\n".join(lines) + "\n", part=Part.ACCESS)


def system_files(
    name: str,
    interface: IPv4Interface,
    layout: Layout,
    gateway: IPv4Address | None,
    *,
    access: Access,
) -> list[PayloadFile]:
    """Return a machine's name, its address on the network, and who may log in."""
    settings = (
        f"ADDRESS={interface}\n"
        f"BROADCAST={interface.network.broadcast_address}\n"
        f"GATEWAY={gateway or ''}\n"
    )
    keys = "".join(f"{key}\n" for key in access.ssh_keys)
    files = [
        PayloadFile(layout.etc, mode=0o755, part=Part.ACCESS),
        _text(layout.etc / "hostname", f"{name}\n", part=Part.ACCESS),
        _text(layout.etc / "network", settings, part=Part.ACCESS),
        PayloadFile(PurePosixPath("/root/.ssh"), mode=0o700, part=Part.ACCESS),
        _text(PurePosixPath("/root/.ssh/authorized_keys"), keys, mode=0o600, part=Part.ACCESS),
    ]
    if access.telnet is not None:
        line = f"{access.telnet.user} {access.telnet.password_hash}\n"
        files.append(_text(layout.etc / "telnet", line, mode=0o600, part=Part.ACCESS))
    return files


def _text(path: PurePosixPath, text: str, *, mode: int = 0o644, part: Part) -> PayloadFile:
    return PayloadFile(path, data=text.encode(), mode=mode, part=part)
