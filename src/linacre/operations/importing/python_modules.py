"""Which Python modules the machine of an IOC has."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_PACKAGES = """
aioca caproto epicscorelibs epicsdbbuilder linacre numpy p4p ply pvxslibs setuptools setuptools_dso
softioc yaml
"""
_REMOVED = """
aifc asynchat asyncore audioop cgi cgitb chunk crypt imghdr imp lib2to3 mailcap nis
nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib uu xdrlib
"""
IN_IMAGE = frozenset(_PACKAGES.split())
"""Packages that the image of IOC machines has (images/recipes/ioc/requirements.txt)."""
GONE = frozenset(_REMOVED.split())
"""Modules that were Python's own up to 3.11, and are not those of the image's."""


def has_module(name: str, *, engine: str) -> bool:
    """Tell whether the Python that runs an IOC on an engine has a top-level module."""
    if engine == "process":
        return name in sys.stdlib_module_names or find_spec(name) is not None
    return name in IN_IMAGE or (name in sys.stdlib_module_names and name not in GONE)
