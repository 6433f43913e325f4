"""How a Python IOC is given a package that its machine does not have."""

from __future__ import annotations

import re
from pathlib import Path

from linacre.images.recipe import Recipe

_DISTRIBUTIONS = {
    "PIL": "pillow",
    "at": "accelerator-toolbox",
    "cgi": "legacy-cgi",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "epics": "pyepics",
    "serial": "pyserial",
    "tango": "pytango",
    "telnetlib": "standard-telnetlib",
    "usb": "pyusb",
    "visa": "pyvisa",
    "vxi11": "python-vxi11",
    "zmq": "pyzmq",
}
"""What packages of modules are called where it is not the module's own name."""
_NO_MODULE = re.compile(r"No module named '(\w+)")
_NO_ARGUMENTS = "the following arguments are required: "


def how_to_have(module: str, folder: Path | str, *, engine: str) -> str:
    """Return the command that lays a module's package beside a script, which then finds it."""
    package = _DISTRIBUTIONS.get(module, module)
    which = ""
    if engine != "process":
        which = f" --only-binary :all: --python-version {Recipe.load().python}"
    return f"pip install --target {folder}{which} {package}"


def remedy_for(last_words: str, *, engine: str) -> str | None:
    """Return what to do about what a Python IOC said when it ended; None where that is unknown."""
    if (match := _NO_MODULE.search(last_words)) is not None:
        command = how_to_have(match[1], "FOLDER", engine=engine)
        return f"lay it beside its script, in FOLDER: {command}"
    if _NO_ARGUMENTS in last_words:
        return "write them into its entry in the facility file, as args"
    return None
