"""What an image is made from, and the digest that tells one image from another."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import linacre

BUILD_VERSION = 2
"""Raised when the way of building changes what comes out."""

_RECIPES = Path(__file__).parent / "recipes"


MODULES = ("base", "epics")
"""The packages of Linacre that run inside every machine."""


def package_files(modules: Iterable[str] = MODULES) -> list[Path]:
    """Return the files of Linacre that run inside machines, in a fixed order."""
    root = Path(linacre.__file__).parent
    return [root / "__init__.py", *(path for each in modules for path in _files(root / each))]


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.startswith(".")
        and not path.name.endswith(("~", ".pyc", ".swp"))
    ]


@dataclass(frozen=True)
class Recipe:
    """A folder with recipe.toml, requirements.txt, a customize script and a tree of files."""

    name: str
    folder: Path
    suite: str
    packages: tuple[str, ...]
    stand_ins: tuple[str, ...]
    exclude: tuple[str, ...]
    include_again: tuple[str, ...]
    python: str
    """The version of the image's Python, such as 3.13."""
    added: tuple[str, ...] = ()
    """Packages beside the recipe's own, sorted: those of a service."""
    over: Path | None = None
    """The folder of a recipe that stands on this one, with requirements and a script of its own."""
    modules: tuple[str, ...] = MODULES
    """The packages of Linacre that its machines run."""

    @classmethod
    def load(cls, name: str = "ioc", *, folder: Path | None = None) -> Recipe:
        """Read a recipe: one of Linacre's own by its name, or any folder."""
        folder = folder or _RECIPES / name
        with (folder / "recipe.toml").open("rb") as file:
            values = tomllib.load(file)
        if (base := values.get("base")) is not None:
            modules = (*MODULES, *values["modules"])
            return replace(cls.load(base), name=name, over=folder, modules=modules)
        return cls(
            name=name,
            folder=folder,
            suite=values["suite"],
            packages=tuple(values["packages"]),
            stand_ins=tuple(values.get("stand_ins", ())),
            exclude=tuple(values.get("exclude", ())),
            include_again=tuple(values.get("include_again", ())),
            python=values["python"],
        )

    def with_packages(self, names: Iterable[str]) -> Recipe:
        """Return the recipe of the image that has these Debian packages too.

        It is the same one whatever their order, and this one where it has them all.
        """
        added = tuple(sorted({*self.added, *names} - {*self.packages}))
        name = f"{self.name.partition(' with ')[0]} with {', '.join(added)}" if added else self.name
        return replace(self, name=name, added=added)

    @property
    def requirements(self) -> tuple[Path, ...]:
        """The files of pinned Python packages."""
        folders = [self.folder, *([] if self.over is None else [self.over])]
        return tuple(folder / "requirements.txt" for folder in folders)

    @property
    def files(self) -> Path:
        """The tree laid over the root file system."""
        return self.folder / "files"

    @property
    def customize(self) -> tuple[Path, ...]:
        """The scripts that finish the tree, one after the other."""
        folders = [self.folder, *([] if self.over is None else [self.over])]
        return tuple(folder / "customize" for folder in folders)

    def package_files(self) -> list[Path]:
        """Return the files of Linacre that its machines run, in a fixed order."""
        return package_files(self.modules)

    def digest(self) -> str:
        """Return 16 hexadecimal digits that change when the image would.

        It covers the recipe's files and Linacre's own that run inside machines; the compiled
        programs are covered by their sources, so that two compilers give one digest.
        """
        package = Path(linacre.__file__).parent
        programs = {package / module / "bin" for module in self.modules}
        own = [path for path in self.package_files() if programs.isdisjoint(path.parents)]
        parts = hashlib.sha256(f"build {BUILD_VERSION}\n".encode())
        parts.update(_digest(_files(self.folder), self.folder))
        parts.update(_digest(own, package))
        if self.over is not None:
            parts.update(_digest(_files(self.over), self.over))
        if self.added:
            parts.update(f"added {' '.join(self.added)}\n".encode())
        return parts.hexdigest()[:16]


def _digest(paths: Iterable[Path], base: Path) -> bytes:
    total = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(base).as_posix()} {content}\n".encode())
    return total.digest()
