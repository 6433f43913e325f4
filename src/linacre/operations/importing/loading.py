"""Loading databases and templates as the IOC shell does, without loading anything."""

from __future__ import annotations

from pathlib import PurePosixPath

from linacre.operations.importing.commands import SOFTIOC_OWN
from linacre.operations.importing.findings import FileUse, Where
from linacre.operations.importing.iocsh import Command
from linacre.operations.importing.lookup import Lookup
from linacre.operations.importing.macros import definitions
from linacre.operations.importing.places import joined
from linacre.operations.importing.records import Loaded, read_database, read_substitutions


class Loading:
    """Takes in the commands of a start script that load databases and their definitions."""

    def __init__(self, at: Lookup, *, softioc: bool) -> None:
        self._at = at
        self._softioc = softioc

    def definition(self, command: Command) -> None:
        """Take in dbLoadDatabase."""
        name = command.argument(1)
        if self._softioc and SOFTIOC_OWN.fullmatch(PurePosixPath(name).name):
            self._at.found.note(
                f"{command.where}: softIoc has {PurePosixPath(name).name} already; an error "
                "about it in the log, or about its registration, does no harm"
            )
            return
        self._at.use("database definition", name, command, folders=command.argument(2))

    def records(self, command: Command) -> None:
        """Take in dbLoadRecords."""
        use = self._at.use("database", command.argument(1), command, folders=self._at.include_path)
        if use is None or use.where is Where.MISSING:
            return
        # The line's macros are expanded; in databases the environment's do not hold.
        macros = definitions(command.argument(2), {})
        text = self._at.text(use.path) or ""
        self._loaded(read_database(text, macros, self._at.finder(use, command)), command)

    def template(self, command: Command) -> None:
        """Take in dbLoadTemplate."""
        use = self._at.use("substitutions", command.argument(1), command)
        if use is None or use.where is Where.MISSING:
            return
        macros = definitions(command.argument(2), {})
        text = self._at.text(use.path) or ""
        uses = [*read_substitutions(text, macros, self._at.variables)]
        found = {name: self._template_file(name, command) for name in {each.file for each in uses}}
        texts = {each.path: self._at.text(each.path) or "" for each in found.values() if each}
        for each in uses:
            if (template := found[each.file]) is not None:
                finder, text = self._at.finder(template, command), texts[template.path]
                self._loaded(read_database(text, {**macros, **each.macros}, finder), command)

    def _template_file(self, name: str, command: Command) -> FileUse | None:
        use = self._at.use("template", name, command, folders=self._at.include_path)
        return None if use is None or use.where is Where.MISSING else use

    def _loaded(self, loaded: Loaded, command: Command) -> None:
        found = self._at.found
        found.records |= loaded.records
        found.supports = loaded.supports | found.supports
        found.functions = loaded.functions | found.functions
        found.macros += [f"$({name}) in what {command.where} loads" for name in loaded.undefined]
        for name in loaded.missing:
            use = FileUse("database", joined(self._at.cwd, name), Where.MISSING, command.where)
            if use not in found.files:
                found.files.append(use)
