"""Compiles the C programs into the package; all else is in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

EPICS, INCUS = Path("linacre/epics"), Path("linacre/engines/incus")
ARCHIVER = Path("linacre/archiver")
PROGRAMS = {
    EPICS / "bin/softIoc": (EPICS / "softioc/main.c", EPICS / "softioc/first-pause.c"),
    EPICS / "bin/console-keeper": (
        EPICS / "softioc/console-keeper.c",
        EPICS / "softioc/procserv-watch.c",
        EPICS / "softioc/start-errors.c",
    ),
    EPICS / "bin/procserv-at-once.so": (EPICS / "softioc/procserv-at-once.c",),
    ARCHIVER / "bin/capture.so": tuple(
        ARCHIVER / "channels" / name
        for name in ("capture.c", "columns.c", "holding.c", "words.c", "client.c")
    ),
    INCUS / "bin/incus-fork": (INCUS / "forkstart/incus-fork.c",),
}


def find_compiler() -> str | None:
    """Return the C compiler: `$CC`, or the first of the usual ones."""
    candidates = [os.environ.get("CC", ""), "cc", "gcc", "g++", "clang"]
    return next((found for c in candidates if c and (found := shutil.which(c))), None)


class BuildWithPrograms(build_py):
    """Builds the Python files, then the programs; without a compiler, only warns."""

    def run(self) -> None:
        """Build into the wheel's folder, or into the source tree where it is editable."""
        super().run()
        top = Path("src" if self.editable_mode else self.build_lib)
        compiler = find_compiler()
        for program, sources in PROGRAMS.items():
            (top / program).parent.mkdir(parents=True, exist_ok=True)
            if compiler is None:
                (top / program).unlink(missing_ok=True)
            else:
                self.compile_program(compiler, sources, top / program)
        if compiler is None:
            self.warn(
                "no C compiler: IOCs of the kind softioc will not run, others have no port 7001 "
                "and no rotated log, and archivers take nothing from Channel Access; install g++ "
                "and install linacre again"
            )

    def compile_program(self, compiler: str, sources: Sequence[Path], program: Path) -> None:
        """Compile one program."""
        where = [f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'] if self.editable_mode else []
        # The libraries that softIoc opens are to find its own symbols before theirs.
        kind = ["-shared", "-fPIC"] if program.suffix == ".so" else ["-rdynamic"]
        new = program.with_suffix(".new")  # a program that runs cannot be written over
        options = ["-O2", "-Wall", *kind, *where, "-o", str(new)]
        command = [compiler, *options, *(str("src" / source) for source in sources), "-ldl"]
        subprocess.run(command, check=True)
        new.replace(program)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the programs too, so that an editable installation knows it is complete."""
        built = Path(self.build_lib)
        return [*super().get_outputs(include_bytecode), *(str(built / p) for p in PROGRAMS)]

    def get_output_mapping(self) -> dict[str, str]:
        """Map each program to where it stands in the source tree."""
        mine = {str(Path(self.build_lib) / p): str("src" / p) for p in PROGRAMS}
        return {**super().get_output_mapping(), **mine}


class PlatformWheel(bdist_wheel):
    """A wheel for one kind of machine and every Python: its programs know nothing of Python."""

    def finalize_options(self) -> None:
        """Say that there is a compiled program in it."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Return Python version, ABI and platform."""
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildWithPrograms, "bdist_wheel": PlatformWheel})
