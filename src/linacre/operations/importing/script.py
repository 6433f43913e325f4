"""Reading a start script as the IOC shell runs it, without running it."""

from __future__ import annotations

from pathlib import PurePosixPath

from linacre.base.errors import UserError
from linacre.operations.importing.commands import (
    DEVICE_SUPPORT,
    HARMLESS,
    IPV4,
    SERVER_VARIABLES,
    SOFTIOC_OWN,
)
from linacre.operations.importing.findings import Where
from linacre.operations.importing.iocsh import Command, parse_line
from linacre.operations.importing.loading import Loading
from linacre.operations.importing.lookup import Lookup
from linacre.operations.importing.macros import definitions, expand
from linacre.operations.importing.modules import is_of_a_module
from linacre.operations.importing.places import Places, joined

_DEEPEST = 20


class ScriptReader:
    """Follows a start script and what it includes."""

    def __init__(
        self, places: Places, variables: dict[str, str], *, folder: PurePosixPath, softioc: bool
    ) -> None:
        self._at = Lookup(places, variables, folder=folder)
        self.found = self._at.found
        self._softioc = softioc
        self._load = Loading(self._at, softioc=softioc)
        self._requests: list[PurePosixPath] = []
        self._save: PurePosixPath | None = None
        self._open: list[PurePosixPath] = []

    def run(self, script: PurePosixPath) -> None:
        """Follow a script, as `<` does."""
        if script in self._open or len(self._open) >= _DEEPEST:
            self.found.note(f"{script} includes itself; it is not followed further")
            return
        name = str(self._at.places.relative(script) or script)
        self._open.append(script)
        try:
            self.text(self._at.script_text(script) or "", name=name)
        finally:
            self._open.pop()

    def text(self, text: str, *, name: str) -> None:
        """Follow the text of a script."""
        for number, line in enumerate(text.splitlines(), 1):
            command = parse_line(line, self._at.variables, file=name, line=number)
            if command is not None:
                self.command(command)

    def command(self, command: Command) -> None:
        """Take in one line."""
        for name in command.lacks:
            self.found.lacking.setdefault(name, []).append(command.where)
        if command.lacks:
            return
        if command.broken:
            self._not_understood(command)
            return
        if command.name == "ld":
            raise UserError(_of_vxworks(command))
        if command.reads is not None:
            use = self._at.use("script", command.reads, command)
            if use is not None and use.where is not Where.MISSING:
                self.run(use.path)
        if command.writes is not None:
            self._at.written(command.writes, command)
        if command.words:
            self._named(command)

    def _named(self, command: Command) -> None:
        self.found.commands.setdefault(command.name, command.where)
        match command.name:
            case "epicsEnvSet" | "putenv":
                self._set(command)
            case "cd" | "chdir":
                self._cd(command)
            case "dbLoadDatabase":
                self._load.definition(command)
            case "dbLoadRecords":
                self._load.records(command)
            case "dbLoadTemplate":
                self._load.template(command)
            case "seq":
                self.found.programs.append(command.argument(1).lstrip("&"))
            case "system":
                said = " ".join(command.words[1:])
                self.found.note(
                    f"{command.where}: system({said}) runs in the machine, not on the server"
                )
            case "iocshLoad" | "iocshRun" | "iocshCmd":
                self._inner(command)
            case "doAfterIocInit":
                self._other(command)
                self._inner(command)
            case _ if command.name.endswith("_registerRecordDeviceDriver"):
                self._register(command)
            case _:
                self._surroundings(command)

    def _surroundings(self, command: Command) -> None:
        """Take in a command that needs something beside databases."""
        match command.name:
            case "asSetFilename":
                self._access(command)
            case "set_savefile_path":
                self._save_path(command)
            case "set_requestfile_path":
                self._request_path(command)
            case "create_monitor_set" | "create_triggered_set" | "create_periodic_set":
                self._save_set(command)
            case "create_manual_set":
                self._save_set(command)
            case "drvAsynSerialPortConfigure":
                self._serial(command)
            case "drvAsynIPServerPortConfigure":
                self._serve(command)
            case "drvAsynIPPortConfigure" | "vxi11Configure" | "s7plcConfigure":
                self._connect(command, 2)
            case "caPutLogInit":
                self._connect(command, 1)
            case "iocLogInit":
                self._log(command)
            case "iocInit":
                self.found.initialised = True
            case _ if command.name not in HARMLESS:
                self._other(command)
            case _:
                pass

    def _register(self, command: Command) -> None:
        if self._softioc and not SOFTIOC_OWN.fullmatch(command.name):
            self.found.note(
                f"{command.where}: {command.name} is of a program of its own, not of softIoc; "
                "name that program in the first line of the start script"
            )

    def _other(self, command: Command) -> None:
        """Take in a command of device support, or one that is not known."""
        known = DEVICE_SUPPORT.search(command.name) or is_of_a_module(command.name)
        touched = False
        for word in command.words[1:]:
            if word.startswith("/dev/"):
                self._at.device(word, command)
                touched = True
            elif match := IPV4.search(word):
                self._at.host(match[0], command)
                touched = True
            elif word.startswith("/"):
                self._at.use("file", word, command)
                touched = True
        if known or touched:
            if command.name not in self.found.drivers:
                self.found.drivers.append(command.name)
        else:
            self._not_understood(command)

    def _not_understood(self, command: Command) -> None:
        self.found.unknown.append(f"{command.where}: {' '.join(command.words)}")

    # -- commands

    def _set(self, command: Command) -> None:
        name, equals, value = command.argument(1).partition("=")
        if command.name == "epicsEnvSet" or not equals:
            name, value = command.argument(1), command.argument(2)
        self._at.variables[name] = self.found.variables[name] = value
        for part in value.split(":") if name.endswith("_PATH") else ():
            self._at.beside(joined(self._at.cwd, part), part)
            if part.startswith("/") and self._at.places.where(PurePosixPath(part)) is Where.OUTSIDE:
                self._at.folder(joined(self._at.cwd, part), command)
        if SERVER_VARIABLES.fullmatch(name):
            self.found.note(
                f"{command.where}: {name} is {value}: an IOC here has its own address and the "
                "standard ports, which this takes it away from; take the line out"
            )
        elif name in ("EPICS_CA_ADDR_LIST", "EPICS_PVA_ADDR_LIST", "EPICS_CA_AUTO_ADDR_LIST"):
            self.found.note(
                f"{command.where}: {name} is {value}: it must lead to other IOCs from the "
                "facility's network too"
            )

    def _cd(self, command: Command) -> None:
        self._at.cwd = joined(self._at.cwd, command.argument(1))
        self._at.beside(self._at.cwd, command.argument(1))
        where = self._at.places.where(self._at.cwd)
        if where is Where.MISSING:
            self.found.note(f"{command.where}: cd to {self._at.cwd}, which is not there")
        elif where is Where.OUTSIDE and self._at.cwd.parts[1:]:
            self._at.folder(self._at.cwd, command)

    def _access(self, command: Command) -> None:
        use = self._at.use("access security", command.argument(1), command)
        if use is not None:
            self.found.access_security = use.path

    def _save_path(self, command: Command) -> None:
        folder, inside = command.argument(1), command.argument(2).lstrip("/")
        self._save = joined(joined(self._at.cwd, folder), inside)
        self.found.saves.append(self._save)
        self._at.beside(self._save, folder)

    def _request_path(self, command: Command) -> None:
        path = joined(joined(self._at.cwd, command.argument(1)), command.argument(2))
        self._requests.append(path)
        self._at.beside(path, command.argument(1))
        if self._at.places.where(path) is Where.OUTSIDE:
            self._at.folder(path, command)

    def _save_set(self, command: Command) -> None:
        folders = ":".join(str(each) for each in (self._requests or [self._at.cwd]))
        self._at.use("autosave request", command.argument(1), command, folders=folders)
        if self._save is None and self._at.cwd not in self.found.saves:
            self.found.saves.append(self._at.cwd)

    def _serial(self, command: Command) -> None:
        if command.argument(2).startswith("/dev/"):
            self._at.device(command.argument(2), command)
        else:
            self.found.note(
                f"{command.where}: the serial port {command.argument(2)} is not in /dev"
            )

    def _connect(self, command: Command, number: int) -> None:
        if words := command.argument(number).split():
            self._at.host(words[0], command)

    def _serve(self, command: Command) -> None:
        self.found.note(
            f"{command.where}: it listens at {command.argument(2)}: clients find that at the "
            "IOC's own address from now on"
        )

    def _log(self, command: Command) -> None:
        server = self._at.variables.get("EPICS_IOC_LOG_INET", "")
        says = f"to {server}" if server else "to whatever EPICS_IOC_LOG_INET says"
        self.found.note(
            f"{command.where}: iocLogInit sends errors {says}: it must be reachable from the "
            "facility's network"
        )

    def _inner(self, command: Command) -> None:
        """Take in iocshLoad, iocshRun and iocshCmd."""
        macros = definitions(command.argument(2), self._at.variables)
        around, self._at.variables = self._at.variables, {**self._at.variables, **macros}
        try:
            if command.name == "iocshLoad":
                use = self._at.use("script", command.argument(1), command)
                if use is not None and use.where is not Where.MISSING:
                    self.run(use.path)
            else:
                text = expand(command.argument(1), self._at.variables)
                inner = parse_line(text, self._at.variables, file=command.file, line=command.line)
                if inner is not None:
                    self.command(inner)
        finally:
            # What the script set stays, its macros go.
            set_there = {k: v for k, v in self._at.variables.items() if macros.get(k) != v}
            self._at.variables = {**around, **set_there}


def _of_vxworks(command: Command) -> str:
    program = PurePosixPath(command.reads or command.argument(1)).name
    return (
        f"{command.where} loads {program} as vxWorks does, and neither its shell nor its programs "
        "run here: name a start script for Linux by --start"
    )
