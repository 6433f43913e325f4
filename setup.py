"""Compiles the softIoc program into the package; all else is in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

SOURCE = Path("src/linacre/epics/softioc/main.c")
PROGRAM = Path("linacre/epics/bin/softIoc")


def find_compiler() -> str | None:
    """Return the C compiler: `$CC`, or the first of the usual ones."""
    candidates = [os.environ.get("CC", ""), "cc", "gcc", "g++", "clang"]
    return next((found for c in candidates if c and (found := shutil.which(c))), None)


class BuildWithSoftIoc(build_py):
    """Builds the Python files, then the program; without a compiler, only warns."""

    def run(self) -> None:
        """Build into the wheel's folder, or into the source tree where it is editable."""
        super().run()
        root = Path("src") if self.editable_mode else Path(self.build_lib)
        self.compile_program(root / PROGRAM)

    def compile_program(self, program: Path) -> None:
        """Compile the program, or warn that it cannot be."""
        program.parent.mkdir(parents=True, exist_ok=True)
        compiler = find_compiler()
        if compiler is None:
            program.unlink(missing_ok=True)
            self.warn(
                "no C compiler: IOCs of the kind softioc will not run; "
                "install gcc or g++ and install linacre again"
            )
            return
        where = [f'-DSITE_PACKAGES="{sysconfig.get_path("platlib")}"'] if self.editable_mode else []
        new = program.with_suffix(".new")  # a running softIoc cannot be written over
        command = [compiler, "-O2", "-Wall", *where, "-o", str(new), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)
        new.replace(program)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the program too, so that an editable installation knows it is complete."""
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib) / PROGRAM)]

    def get_output_mapping(self) -> dict[str, str]:
        """Map the program to where it stands in the source tree."""
        mapping = super().get_output_mapping()
        return {**mapping, str(Path(self.build_lib) / PROGRAM): str(Path("src") / PROGRAM)}


class PlatformWheel(bdist_wheel):
    """A wheel for one kind of machine and every Python: the program knows nothing of Python."""

    def finalize_options(self) -> None:
        """Say that there is a compiled program in it."""
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Return Python version, ABI and platform."""
        return "py3", "none", super().get_tag()[2]


setup(cmdclass={"build_py": BuildWithSoftIoc, "bdist_wheel": PlatformWheel})
