"""Programs of people on this host: their environment, and the tools of a desk."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from linacre import WITHOUT_PLUGINS
from linacre.engines.process.program import GUEST, MARK

_TOOLS = ("caget", "caput", "camonitor", "pvget", "pvput", "pvmonitor")


def user_environment(
    given: Mapping[str, str], *, machine: Path, clients: Mapping[str, str], tools: Path | None
) -> dict[str, str]:
    """Return the environment of a command that a person runs at a desk, or beside an IOC.

    The Python programs of Linacre's own environment come first on PATH, stand-ins in `tools`
    last, so that the real EPICS tools win wherever they are installed.
    """
    ours = {(MARK, given.get(MARK)), ("PYDANTIC_DISABLE_PLUGINS", WITHOUT_PLUGINS)}
    environment = dict(each for each in given.items() if each not in ours)
    environment[GUEST] = str(machine)
    path = [str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
    if tools is not None:
        path.append(str(tools))
    return environment | dict(clients) | {"PATH": os.pathsep.join(path)}


def lay_tools(folder: Path) -> None:
    """Write the stand-ins for the EPICS command-line tools into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for tool in _TOOLS:
        script = folder / tool
        script.write_text(
            f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m linacre.epics.tools {tool} "$@"\n'
        )
        script.chmod(0o755)
