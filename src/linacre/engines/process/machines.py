"""The machines of one facility, found by their folders."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection
from pathlib import Path

from linacre.base.clock import Clock
from linacre.base.errors import EngineError
from linacre.engines.base import Machine, MachineState
from linacre.engines.process.addresses import loopback_address
from linacre.engines.process.clients import user_environment
from linacre.engines.process.commands import Place
from linacre.engines.process.folder import MachineFolder, Manifest
from linacre.engines.process.program import Program
from linacre.epics.clients import client_environment


class Machines:
    """Looks machines up; what it says is read from their folders each time."""

    def __init__(self, facility: str, root: Path, *, clock: Clock) -> None:
        self._facility = facility
        self._root = root
        self._clock = clock

    def folder(self, name: str) -> MachineFolder:
        """Return the folder of a machine, made or not yet made."""
        return MachineFolder(self._root / name)

    def program(self, folder: MachineFolder) -> Program:
        """Return what runs, or may run, in a machine's folder."""
        return Program(folder, clock=self._clock)

    def folders(self) -> list[MachineFolder]:
        """Return every machine's folder, those half made too."""
        if not self._root.is_dir():
            return []
        return [MachineFolder(path) for path in sorted(self._root.iterdir()) if path.is_dir()]

    def made(self) -> list[tuple[MachineFolder, Manifest]]:
        """Return the machines that are wholly made."""
        found = [(folder, folder.manifest()) for folder in self.folders()]
        return [(folder, manifest) for folder, manifest in found if manifest is not None]

    def manifest(self, name: str) -> Manifest:
        """Return what is kept of a machine; `EngineError` where there is none."""
        manifest = self.folder(name).manifest()
        if manifest is None:
            raise EngineError(f"{name}: no such machine in {self._facility}; linacre up makes it")
        return manifest

    def found(self, names: Collection[str] | None = None) -> list[Machine]:
        """Return the machines as the engine's protocol has them, or those of these names."""
        folders = self.folders() if names is None else map(self.folder, sorted(names))
        made = [(folder, folder.manifest()) for folder in folders]
        return [self._machine(folder, manifest) for folder, manifest in made if manifest]

    def _machine(self, folder: MachineFolder, manifest: Manifest) -> Machine:
        leader = self.program(folder).leader()
        runs = leader is not None or not manifest.traits.runs_program
        return Machine(
            name=manifest.name,
            kind=manifest.kind,
            state=MachineState.RUNNING if runs else MachineState.STOPPED,
            host=host_name(),
            labels=manifest.labels,
            pid=leader.pid if leader else None,
        )

    def clients(self, network: str) -> dict[str, str]:
        """Return the EPICS variables with which a client reaches the IOCs of a network."""
        return client_environment(
            loopback_address(manifest.address)
            for _, manifest in self.made()
            if manifest.traits.serves_pvs and manifest.network == network
        )

    def place(self, name: str) -> Place:
        """Return where a person's command runs: at a desk here and now, else in the IOC's tree."""
        manifest, folder = self.manifest(name), self.folder(name)
        is_desk = not manifest.traits.runs_program
        extra = {} if is_desk else {"IOC": name, "PERSIST_DIR": str(folder.persist)}
        return Place(
            folder=Path.cwd() if is_desk else folder.tree,
            environment=user_environment(
                os.environ,
                machine=folder.home,
                clients=self.clients(manifest.network) | extra,
                tools=folder.bin if is_desk else None,
            ),
        )


def host_name() -> str:
    """Return the name of this host."""
    return socket.gethostname()
