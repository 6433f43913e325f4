"""Runs a Python IOC as procServ's child: `python -m linacre.epics.runner SCRIPT | -m MODULE ...`.

The IOC's own code is not changed. What it imports is: the moment softioc, caproto, p4p or pcaspy is
imported, `frameworks.py` gives it the IOC shell, access security and the list of PVs.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from linacre.epics import frameworks

Patch = Callable[[ModuleType], None]

USAGE = "usage: python -m linacre.epics.runner SCRIPT [ARGUMENT...] | -m MODULE [ARGUMENT...]"


class _PatchingLoader(Loader):
    """Loads a module as its own loader does, then changes it."""

    def __init__(self, loader: Loader, patch: Patch) -> None:
        self._loader = loader
        self._patch = patch

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._patch(module)


class PatchingFinder(MetaPathFinder):
    """Changes modules as they are imported; one that is never imported costs nothing."""

    def __init__(self, patches: Mapping[str, Patch]) -> None:
        self._patches = dict(patches)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Find a module that is to be changed; each is found here once."""
        patch = self._patches.pop(fullname, None)
        spec = find_spec(fullname) if patch else None
        if patch is None or spec is None or spec.loader is None:
            return None
        spec.loader = _PatchingLoader(spec.loader, patch)
        return spec


def main(argv: Sequence[str]) -> int:
    """Run the script or module; it ends as the IOC does."""
    if not argv or argv == ["-m"]:
        print(USAGE, file=sys.stderr)
        return 2
    run = os.environ.get("LINACRE_RUN_DIR")
    ioc = frameworks.IocState(
        run=Path(run) if run else None,
        access_security=os.environ.get("LINACRE_ACCESS_SECURITY"),
    )
    sys.meta_path.insert(0, PatchingFinder(frameworks.patches(ioc)))
    if argv[0] == "-m":
        sys.argv = [argv[1], *argv[2:]]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(argv)
        sys.path[0] = str(Path(argv[0]).resolve().parent)
        runpy.run_path(argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
