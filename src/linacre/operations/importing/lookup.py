"""What a line of a start script leads to: files, devices, hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from linacre.base.enclosed import UnsafeNameError
from linacre.base.errors import UserError
from linacre.operations.importing.findings import FileUse, Findings, Where
from linacre.operations.importing.iocsh import Command
from linacre.operations.importing.macros import undefined
from linacre.operations.importing.places import Places, joined
from linacre.operations.importing.reading import text_of

_MOST_SCRIPTS, _MOST_READ = 1_000, 10_000


class Lookup:
    """Where a start script has come to: its folder and variables, and what was found so far."""

    def __init__(self, places: Places, variables: dict[str, str], *, folder: PurePosixPath) -> None:
        self.found = Findings()
        self.places = places
        self.variables = dict(variables)
        self.cwd = folder
        self._scripts = self._read = 0

    def use(self, what: str, name: str, command: Command, *, folders: str = "") -> FileUse | None:
        """Take in a file that a line names; None where its name is not known.

        A name without a folder is looked for in `folders`, separated by colons.
        """
        if not name or undefined(name):
            if name:
                use = FileUse(what, PurePosixPath(name), Where.MISSING, command.where)
                self.found.files.append(use)
            return None
        path = self._search(name, folders)
        self.beside(path, name)
        where = self.places.where(path)
        file = None if where is Where.MISSING else self.places.present(path)
        use = FileUse(what, path, where, command.where, file)
        known = {(each.what, each.path) for each in self.found.files}
        if (what, path) not in known:
            self.found.files.append(use)
        if where is Where.MISSING and command.has_windows_path:
            self.found.note(f"{command.where} has a path of Windows: write it as Linux has it")
        if where is Where.OUTSIDE:
            self.folder(path if file and file.is_dir() else path.parent, command)
        return use

    def _search(self, name: str, folders: str) -> PurePosixPath:
        first = joined(self.cwd, name)
        if name.startswith("/") or not folders or "/" in name:
            return first
        for folder in folders.split(":"):
            path = joined(joined(self.cwd, folder or "."), name)
            if self.places.where(path) is not Where.MISSING:
                return path
        return first

    @property
    def include_path(self) -> str:
        """The folders where databases are looked for."""
        return self.variables.get("EPICS_DB_INCLUDE_PATH", "")

    def finder(self, use: FileUse, command: Command) -> Callable[[str], str | None]:
        """Return what finds the files that a database includes."""
        folders = ":".join(each for each in (self.include_path, str(use.path.parent)) if each)

        def find(name: str) -> str | None:
            inner = self.use("included database", name, command, folders=folders)
            return None if inner is None else self.text(inner.path)

        return find

    def script_text(self, path: PurePosixPath) -> str | None:
        """Return the text of a script that is run now; as `text`."""
        self._scripts += 1
        if self._scripts > _MOST_SCRIPTS:
            raise self._without_end(f"{_MOST_SCRIPTS:,} scripts", path)
        return self.text(path)

    def text(self, path: PurePosixPath) -> str | None:
        """Return the text of a file; None where there is none to read.

        Raises `UserError` where files include one another without end.
        """
        if (laid := self.places.written(path)) is not None:
            return laid
        self._read += 1
        if self._read > _MOST_READ:
            raise self._without_end(f"{_MOST_READ:,} files", path)
        try:
            return text_of(self.places.present(path), given=self.places.given)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except UnsafeNameError as error:
            self.found.note(str(error))
            return None
        except OSError as error:
            self.found.note(f"{path} cannot be read: {(error.strerror or str(error)).lower()}")
            return None

    def _without_end(self, what: str, path: PurePosixPath) -> UserError:
        return UserError(
            f"{self.places.given}: its start script loads more than {what}, the last of them "
            f"{path}: not taken over"
        )

    def beside(self, path: PurePosixPath, name: str) -> None:
        """Take in a path that a relative name leads to, if it is outside the IOC's own files."""
        if name.startswith("/") or self.places.relative(path) is not None:
            return
        if self.places.beside(path).exists() and path not in self.found.beside:
            self.found.beside.append(path)

    def folder(self, path: PurePosixPath, command: Command) -> None:
        """Take in a folder outside the IOC's own files."""
        if path not in self.found.folders:
            self.found.folders.append(path)
        if len(path.parts) > 2 and path.parts[1] in ("home", "root", "Users", "users"):
            self.found.note(f"{command.where}: {path} is in somebody's home: move it elsewhere")

    def written(self, name: str, command: Command) -> None:
        """Take in a file that a line writes."""
        path = joined(self.cwd, name)
        self.found.note(
            f"{command.where}: {path} is written: an IOC here may write to persistent folders of "
            "its own files only"
        )

    def device(self, path: str, command: Command) -> None:
        """Take in a device of the host."""
        if path not in self.found.devices:
            self.found.devices.append(path)
        if not self.places.present(path).exists():
            self.found.note(f"{command.where}: {path} is not on this host")

    def host(self, host: str, command: Command) -> None:
        """Take in what a line connects to."""
        said = f"{host} ({command.name} at {command.where})"
        if said not in self.found.hosts:
            self.found.hosts.append(said)
