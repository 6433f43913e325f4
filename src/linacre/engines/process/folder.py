"""The folder that is a machine of the process engine."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

from linacre.base.errors import EngineError
from linacre.engines.base import MachineSpec, Traits
from linacre.engines.labels import AFTER, IOC
from linacre.engines.process.files import lay, read_json, remove_tree, write_json

_SOCKET = "console.sock"
_LONGEST_SOCKET = 107
"""Bytes of a unix socket's path that Linux takes (`sun_path` less its NUL, unix(7))."""


@dataclass(frozen=True)
class Manifest:
    """What is kept of a machine in its `machine.json`; without one, a machine is not made."""

    name: str
    kind: str
    network: str
    address: IPv4Address
    """As declared."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    traits: Traits = field(default_factory=Traits)


@dataclass(frozen=True)
class MachineFolder:
    """The places of one machine on this host."""

    home: Path

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.home.name

    @property
    def tree(self) -> Path:
        """The IOC's own files."""
        return self.home / "tree"

    @property
    def persist(self) -> Path:
        """The persistent folder."""
        return self.home / "persist"

    @property
    def log(self) -> Path:
        """The folder of the rotated log."""
        return self.home / "log"

    @property
    def etc(self) -> Path:
        """Start scripts."""
        return self.home / "etc"

    @property
    def bin(self) -> Path:
        """A desk's stand-ins for the EPICS command-line tools."""
        return self.home / "bin"

    @property
    def stamp(self) -> Path:
        """The stamp of the process that was started: see `ProcessId.noted`."""
        return self.home / "process"

    @property
    def start_log(self) -> Path:
        """What the start script said, procServ's own complaints among it."""
        return self.home / "start.log"

    @property
    def run(self) -> Path:
        """Run-time state, under a path that leaves room for a socket's name."""
        if len(os.fsencode(self._real_run / _SOCKET)) <= _LONGEST_SOCKET:
            return self._real_run
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return short_folder() / digest

    @property
    def console(self) -> Path:
        """The unix socket of procServ."""
        return self.run / _SOCKET

    @property
    def _real_run(self) -> Path:
        return self.home / "run"

    def manifest(self) -> Manifest | None:
        """Return what was kept, or None for a machine that is not (wholly) made."""
        values = read_json(self.home / "machine.json")
        try:
            return None if values is None else _manifest(values)
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, manifest: Manifest) -> None:
        """Write the manifest: from here on the machine is made."""
        write_json(
            self.home / "machine.json",
            {
                "name": manifest.name,
                "kind": manifest.kind,
                "network": manifest.network,
                "address": str(manifest.address),
                "labels": dict(manifest.labels),
                "runs_program": manifest.traits.runs_program,
                "serves_pvs": manifest.traits.serves_pvs,
            },
        )

    def make(self, spec: MachineSpec) -> None:
        """Make the machine, or bring it to the spec; the manifest comes last.

        What stands there without a manifest was half made and goes, the persistent folder
        excepted.
        """
        known = self.manifest()
        if known is None:
            self.clear(keep_persistent=True)
        labels = {**(known.labels if known else {}), **spec.labels}
        for folder in (self.tree, self.persist, self.log, self.etc):
            folder.mkdir(parents=True, exist_ok=True)
        self.ensure_run()
        lay(spec.payload, home=self.home, keep=self.persist)
        self.keep(
            Manifest(spec.name, spec.kind, spec.network, spec.address.ip, labels, spec.traits)
        )

    def set_labels(self, labels: Mapping[str, str]) -> None:
        """Change labels, leaving the others."""
        manifest = self.manifest()
        if manifest is None:
            raise EngineError(f"{self.name}: no such machine; linacre up makes it")
        self.keep(replace(manifest, labels={**manifest.labels, **labels}))

    def clear(self, *, keep_persistent: bool) -> None:
        """Remove the machine; the manifest goes first, so that a half is not taken for a whole."""
        if self.run != self._real_run:
            self.run.unlink(missing_ok=True)
        if not self.home.is_dir():
            return
        (self.home / "machine.json").unlink(missing_ok=True)
        for entry in list(self.home.iterdir()):
            if not (keep_persistent and entry == self.persist):
                remove_tree(entry)
        if not keep_persistent or not any(self.home.iterdir()):
            remove_tree(self.home)

    def ensure_run(self) -> None:
        """Make the run-time folder and, for a long path, the short link that leads to it."""
        self._real_run.mkdir(parents=True, exist_ok=True)
        link = self.run
        if link == self._real_run or (link.is_symlink() and link.readlink() == self._real_run):
            return
        _own_short_folder()
        link.unlink(missing_ok=True)
        link.symlink_to(self._real_run)

    def empty_run(self) -> None:
        """Empty the run-time folder, as a start of the machine does."""
        self.ensure_run()
        for entry in list(self._real_run.iterdir()):
            remove_tree(entry)


def short_folder() -> Path:
    """Return the folder of short links: only links stand there, never data.

    It is the same in every session of a user, which $XDG_RUNTIME_DIR is not.
    """
    return Path(f"/tmp/linacre-{os.geteuid()}")


def drop_short_links(root: Path) -> None:
    """Remove the short links that lead below `root`, and their folder if no other is left."""
    folder = short_folder()
    with suppress(OSError):
        for link in list(folder.iterdir()):
            if link.is_symlink() and root in link.readlink().parents:
                link.unlink()
        folder.rmdir()


def _own_short_folder() -> None:
    folder = short_folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    # Another user could lay it first and then lead our sockets elsewhere.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise EngineError(
            f"{folder} is not a folder of this user alone; remove it, or set LINACRE_STATE to a "
            "shorter path, which needs no folder there"
        )


def _manifest(values: Mapping[str, object]) -> Manifest:
    labels = values["labels"]
    if not isinstance(labels, dict):
        raise TypeError(labels)
    return Manifest(
        name=str(values["name"]),
        kind=str(values["kind"]),
        network=str(values["network"]),
        address=IPv4Address(str(values["address"])),
        # One that an older Linacre made does not say it in so many words.
        traits=Traits(
            runs_program=bool(values.get("runs_program", AFTER in labels)),
            serves_pvs=bool(values.get("serves_pvs", IOC in labels)),
        ),
        labels={str(k): str(v) for k, v in labels.items()},  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] -- JSON
    )
