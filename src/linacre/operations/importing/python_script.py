"""What a Python IOC imports and which arguments it asks for; nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from linacre.base.enclosed import UnsafeNameError, read_named
from linacre.operations.importing.matching import holds, matching

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_MOST_FILES, _LARGEST_BYTES = 500, 4 << 20


@dataclass
class PythonScript:
    """What a script and the files beside it say."""

    missing: dict[str, str] = field(default_factory=dict[str, str])
    """Modules that are imported and not there, with the file that imports each."""
    arguments: tuple[str, ...] = ()
    """What the script asks for on its command line and does not go on without."""
    broken: list[str] = field(default_factory=list[str])
    """Places that are not Python 3."""


def read_python(
    script: Path, *, has_module: Callable[[str], bool], given: Path | None = None
) -> PythonScript:
    """Read a script and, of the modules beside it, those that it imports.

    Imports that may fail, in a `try` that catches that, are not wanted. `given` is the folder
    that is imported, by default that of the script.
    """
    found = PythonScript()
    folder = script.parent
    todo, seen = [script], {script}
    while todo:
        file = todo.pop()
        read = _read(file, str(file.relative_to(folder)), found, given or folder)
        if file == script:
            found.arguments = tuple(dict.fromkeys(read.asked))
        for dotted in read.imported:
            top = dotted.partition(".")[0]
            # Before Python's own: the script's folder is looked into first.
            if _is_beside(folder, top, given or folder):
                there = {*_files(folder, dotted)} - seen
                todo += sorted(there)[: _MOST_FILES - len(seen)]
                seen |= there
            elif not has_module(top):
                found.missing.setdefault(top, str(file.relative_to(folder)))
    return found


def _read(file: Path, name: str, found: PythonScript, given: Path) -> _Reader:
    reader = _Reader()
    try:
        reader.visit(ast.parse(read_named(file, top=given, limit=_LARGEST_BYTES)))
    except (MemoryError, RecursionError):
        found.broken.append(f"{name} (it is nested too deeply)")
    except UnsafeNameError as error:
        found.broken.append(str(error))
    except SyntaxError as error:
        found.broken.append(f"{name}:{error.lineno} ({error.msg})")
    except ValueError as error:
        found.broken.append(f"{name} ({error})")
    return reader


def _is_beside(folder: Path, top: str, given: Path) -> bool:
    if (folder / f"{top}.py").is_file() or matching(folder, f"{top}.*.so", given=given):
        return True
    return holds(folder / top, ".py", given=given)


def _files(folder: Path, dotted: str) -> Iterator[Path]:
    """Yield the files that importing `a.b.c` reads, as far as they are below a folder."""
    path = folder
    for part in dotted.split("."):
        path = path / part
        for file in (path.with_name(f"{part}.py"), path / "__init__.py"):
            if file.is_file():
                yield file


class _Reader(ast.NodeVisitor):
    """Gathers what one file imports, and what it asks for on the command line."""

    def __init__(self) -> None:
        self.imported: list[str] = []
        self._arguments: list[str] = []
        self._words: list[str] = []
        self._counts_words = False

    @property
    def asked(self) -> list[str]:
        """The arguments that are wanted; those that it counts itself may be left out."""
        return self._arguments or ([] if self._counts_words else self._words)

    def visit_Import(self, node: ast.Import) -> None:
        self.imported += [alias.name for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and not node.level:
            # Each name may be a module of its own, which is read where it is beside the script.
            self.imported += [node.module, *(f"{node.module}.{each.name}" for each in node.names)]

    def visit_Try(self, node: ast.Try) -> None:
        if not any(_catches_imports(handler) for handler in node.handlers):
            self.generic_visit(node)
            return
        for each in (*node.orelse, *node.finalbody):
            self.visit(each)

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" in ast.unparse(node.test):
            for each in node.orelse:
                self.visit(each)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            self._arguments += _wanted_argument(node)
        if ast.unparse(node) == "len(sys.argv)":
            self._counts_words = True
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        said = ast.unparse(node)
        if said.startswith("sys.argv[") and said[9:-1].isdecimal() and said != "sys.argv[0]":
            self._words.append(said)
        self.generic_visit(node)


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = (each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name))
    return not _IMPORT_ERRORS.isdisjoint(names)


def _wanted_argument(call: ast.Call) -> list[str]:
    """Return the argument that a parser is told of, if it does not go on without."""
    names = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if not names or not all(isinstance(name, str) for name in names):
        return []
    said = {each.arg: ast.unparse(each.value) for each in call.keywords}
    if str(names[0]).startswith("-"):
        return [str(names[-1])] if said.get("required") == "True" else []
    may_be_none = said.get("nargs", "") in ("'?'", "'*'", "argparse.REMAINDER")
    return [] if may_be_none else [str(names[0])]
