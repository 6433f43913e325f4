"""Desks: each network has one, with EPICS tools, which knows all others by name."""

from __future__ import annotations

from linacre.declaration.models import DeclaredMachine, desk_name
from linacre.engines.base import Capability, MachineSpec, PayloadFile, Traits
from linacre.kinds.desk.files import hosts_file
from linacre.kinds.kind import CLIENT_PROCESSES, Kind
from linacre.kinds.maker import Maker
from linacre.kinds.rows import ProgramRow, Seen
from linacre.session.session import Session


class DeskKind(Kind[DeclaredMachine, ProgramRow]):
    """Desks, which nobody declares."""

    name = "desk"
    traits = Traits(runs_program=False, processes=CLIENT_PROCESSES)
    is_of_network = True

    async def specs(self, maker: Maker) -> list[MachineSpec]:
        """Return the desks of all networks, where the engine has desks."""
        if not maker.has(Capability.DESK) or maker.only is not None:
            return []
        return [self.desk(maker, network) for network in maker.facility.networks]

    def desk(self, maker: Maker, network: str) -> MachineSpec:
        """Return the desk machine of a network; its hosts file knows IOCs and services by name."""
        declared = maker.facility.networks[network]
        name = desk_name(network)
        layout = maker.engine.layout(name, declared.desk_address)
        files: list[PayloadFile] = []
        if maker.has(Capability.FILE_SYSTEM):
            files.append(hosts_file(maker.facility, network, layout))
        spec = maker.machine(self, name, network, declared.desk_address, files, layout)
        return maker.labelled(spec, origin="Linacre")

    async def spec(self, maker: Maker, name: str, item: DeclaredMachine) -> MachineSpec:
        """Raise `LookupError`: no desk is declared."""
        raise LookupError(name)

    async def row(
        self, session: Session, name: str, item: DeclaredMachine, seen: Seen
    ) -> ProgramRow:
        """Raise `LookupError`: no desk is declared."""
        raise LookupError(name)
