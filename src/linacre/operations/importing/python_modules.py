"""Which Python modules an IOC's machine has, and how it is given others."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from linacre.images.recipe import Recipe

_PACKAGES = """
aioca caproto epicscorelibs epicsdbbuilder linacre numpy p4p ply pvxslibs setuptools setuptools_dso
softioc yaml
"""
_REMOVED = """
aifc asynchat asyncore audioop cgi cgitb chunk crypt distutils imghdr imp lib2to3 mailcap nis
nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
"""
IN_IMAGE = frozenset(_PACKAGES.split())
"""Packages that the image of IOC machines has (images/recipes/ioc/requirements.txt)."""
GONE = frozenset(_REMOVED.split())
"""Modules that were Python's own up to 3.11, and are not those of the image's."""
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "at": "accelerator-toolbox",
    "cgi": "legacy-cgi",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "distutils": "setuptools",
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


def has_module(name: str, *, engine: str) -> bool:
    """Tell whether the Python that runs an IOC on an engine has a top-level module."""
    if engine == "process":
        return name in sys.stdlib_module_names or find_spec(name) is not None
    return name in IN_IMAGE or (name in sys.stdlib_module_names and name not in GONE)


def how_to_have(name: str, folder: Path, *, engine: str) -> str:
    """Return the command that lays a module's package beside a script, which then finds it."""
    package = _DISTRIBUTIONS.get(name, name)
    which = ""
    if engine != "process":
        which = f" --only-binary :all: --python-version {Recipe.load().python}"
    return f"pip install --target {folder}{which} {package}"
