"""Which facility a command means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from linacre.base.errors import UserError

FILE = "facility.yaml"


@dataclass(frozen=True)
class FacilityChoice:
    """The facility a command acts on: by its file, or by the name of one that is up."""

    file: Path | None = None
    name: str | None = None


def find_facility(
    given: Path | None, *, here: Path, up: Callable[[], Iterable[str]]
) -> FacilityChoice:
    """Return the facility that a command means.

    `given` (from `-f`) is a facility file or its folder. Without it, the `facility.yaml` of the
    folder `here` or the nearest one above it; else the only facility of `up()`, the names of
    those that are up, which is asked only then. Raises `UserError` where none or several fit.
    """
    if given is not None:
        return FacilityChoice(file=_given(given))
    for folder in (here, *here.absolute().parents):
        if (folder / FILE).is_file():
            return FacilityChoice(file=folder / FILE)
    names = sorted(up())
    if len(names) == 1:
        return FacilityChoice(name=names[0])
    if not names:
        raise UserError(
            f"no {FILE} in {here} or above it, and no facility is up; "
            "write -f FILE, such as -f examples/clara"
        )
    raise UserError(
        f"no {FILE} in {here} or above it, and {len(names)} facilities are up "
        f"({', '.join(names)}); write -f FILE for the one you mean"
    )


def _given(path: Path) -> Path:
    if not path.is_dir():
        # A file that is not there is the loader's to report, with all else that can be wrong.
        return path
    file = path / FILE
    if file.is_file():
        return file
    others = sorted(p.name for p in path.iterdir() if p.suffix in (".yaml", ".yml"))
    advice = f"write -f {path / others[0]}" if others else f"write the folder that holds a {FILE}"
    raise UserError(f"{path} holds no {FILE}; {advice}")
