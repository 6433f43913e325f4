"""Which commands there are, and in which module of `linacre.cli` each is written.

Nothing of them is imported here: a command pays for no other. A test holds this table to the
commands' own names and words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """Where a command is written."""

    module: str | None
    """Below `linacre.cli`; None for a noun, whose commands stand here under its name."""
    help: str | None
    """Its line in `linacre --help`; None where a help imports the command to have it."""


def _under_noun(modules: Mapping[str, str]) -> Iterable[tuple[str, Place]]:
    for module, names in modules.items():
        for name in names.split():
            yield name, Place(module, None)


COMMANDS: Mapping[str, Mapping[str, Place]] = {
    "linacre": {
        "up": Place(
            "facility",
            "Bring the facility to what its file says; what is right already is left alone.",
        ),
        "plan": Place("facility", "Show what `up` would do, and change nothing."),
        "down": Place(
            "facility", "Stop the facility and keep its data; with --purge, remove all of it."
        ),
        "status": Place(
            "facility",
            "Show a line for each IOC and service; exit status 1 where one is not as it should be.",
        ),
        "schema": Place(
            "facility",
            "Print the JSON Schema of the facility file, or of the lattice file, for editors.",
        ),
        "boot": Place(
            "boot",
            "Start every facility marked autostart, as after a power cut; nothing is changed.",
        ),
        "bundle": Place(
            "bundle",
            "Pack all that the facility needs, for ./linacre --bundle FILE up without a network.",
        ),
        "exec": Place("desk", "Run a command at a network's desk: `linacre exec -- caget X`."),
        "shell": Place("desk", "Open a shell at a network's desk."),
        "env": Place(
            "desk", "Print the EPICS variables for clients on this host: `eval $(linacre env)`."
        ),
        "doctor": Place(
            "doctor",
            "Find what is wrong with the facility and its host; the exit status is 1 where "
            "anything is.",
        ),
        "find": Place(
            "find",
            "Find PVs by their name, and IOCs by name, owner, area, device type or start error.",
        ),
        "test": Place(
            "develop",
            "Run the checks of the project: lint, format, layers, types, unit and system tests.",
        ),
        "bench": Place(
            "develop",
            "Run a benchmark and print JSON with its conditions: `linacre bench footprint -n 20`.",
        ),
        "catalogue": Place(None, "The database of what there is and was."),
        "ioc": Place(None, "One IOC at a time."),
        "service": Place(None, "One service at a time."),
        "archiver": Place(None, "Archivers, made on demand."),
        "sandbox": Place(None, "Copies of the facility that nothing leaves, with the same names."),
        "task": Place(None, "The long work that was done, and what came of it."),
    },
    "ioc": dict(
        _under_noun(
            {
                "ioc": "list show start stop restart console shell log diff",
                "new_iocs": "create clone rename delete",
                "ioc_templates": "templates",
                "twins": "twin swap promote plug unplug",
                "who": "who",
                "importing": "import",
                "history": "history rollback",
            }
        )
    ),
    "service": dict(_under_noun({"service": "list show start stop restart console shell log"})),
    "archiver": dict(
        _under_noun(
            {
                "archiver": "create list show open delete prepare "
                "start stop restart console shell log",
                "archiver_changes": "pause resume extend add remove",
            }
        )
    ),
    "sandbox": dict(_under_noun({"sandboxes": "create list show shell diff take delete"})),
    "task": dict(_under_noun({"task": "list show log"})),
    "catalogue": dict(_under_noun({"catalogue": "rebuild"})),
}
"""The commands by noun; those without one stand under `linacre`."""
