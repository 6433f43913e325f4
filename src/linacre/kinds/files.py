"""What is laid into machines of every kind: names, addresses, keys, and trees of files."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface
from pathlib import PurePosixPath

from linacre.declaration import sources
from linacre.declaration.models import Access
from linacre.engines.base import Part, PayloadFile
from linacre.epics.launch import Script
from linacre.epics.layout import Layout


def tree_files(layout: Layout, tree: sources.SourceTree | None) -> list[PayloadFile]:
    """Return the files of a source as they are laid at the place of a program's own."""
    return [
        PayloadFile(
            layout.tree / each.path,
            source=None if each.link else each.file,
            link=each.link,
            mode=each.mode,
        )
        for each in (sources.source_files(tree.folder) if tree is not None else ())
    ]


def script_files(scripts: Iterable[Script]) -> list[PayloadFile]:
    """Return start scripts as they are laid: newer ones wait for the next real change."""
    return [text_file(each.path, each.text, mode=each.mode, part=Part.SCRIPTS) for each in scripts]


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
        text_file(layout.etc / "hostname", f"{name}\n", part=Part.ACCESS),
        text_file(layout.etc / "network", settings, part=Part.ACCESS),
        PayloadFile(PurePosixPath("/root/.ssh"), mode=0o700, part=Part.ACCESS),
        text_file(PurePosixPath("/root/.ssh/authorized_keys"), keys, mode=0o600, part=Part.ACCESS),
    ]
    if access.telnet is not None:
        line = f"{access.telnet.user} {access.telnet.password_hash}\n"
        files.append(text_file(layout.etc / "telnet", line, mode=0o600, part=Part.ACCESS))
    return files


def text_file(path: PurePosixPath, text: str, *, mode: int = 0o644, part: Part) -> PayloadFile:
    """Return a file with a text."""
    return PayloadFile(path, data=text.encode(), mode=mode, part=part)
