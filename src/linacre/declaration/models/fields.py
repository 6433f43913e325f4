"""The settings that everything has alike which has a machine of its own, with words for each.

A model names its fields in the order in which people read of them, and takes from here what they
are: the same key means the same thing in every section.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from linacre.declaration.models.settings import LimitSettings, LogSettings
from linacre.declaration.models.values import Seconds


def address(example: str) -> Any:
    """Return the field of a machine's address."""
    words = "The IPv4 address of its machine, free in its network's subnet."
    return Field(description=words, examples=[example])


def network(whose: str = "") -> Any:
    """Return the field of a machine's network; `whose` says what else it means."""
    words = f"The network its machine is on{whose}; not needed where the facility has one."
    return Field(default=None, description=words, examples=["controls"])


def host() -> Any:
    """Return the field of the host that a machine runs on."""
    words = "The host its machine runs on; without it, the engine chooses."
    return Field(default=None, description=words, examples=["srv1"])


def text(words: str, example: str) -> Any:
    """Return the field of a line for people, which may be left out."""
    return Field(default="", description=words, examples=[example])


def area(words: str = "The part of the machine it serves.") -> Any:
    """Return the field of the part of the accelerator that something is for."""
    return text(words, "S02")


def after(what: str = "IOCs and services that must run before this one starts.") -> Any:
    """Return the field of what must run before."""
    return Field(default=(), description=what, examples=[["s02-mag"]])


def limits(example: dict[str, Any], more: str = "") -> Any:
    """Return the field of a machine's ceilings."""
    words = f"Ceilings on what the machine may use{more}."
    return Field(default_factory=LimitSettings, description=words, examples=[example])


def hold_off(what: str, seconds: int = 15) -> Any:
    """Return the field of the time between starts of `what`."""
    words = f"Shortest time from one start of {what} to the next when it keeps ending."
    return Field(default=Seconds(seconds), description=words, examples=[f"{seconds}s"])


def log(what: str) -> Any:
    """Return the field of the log of `what`."""
    words = f"The rotated log of {what}."
    example = {"size": "1MiB", "files": 5}
    return Field(default_factory=LogSettings, description=words, examples=[example])


def mounts(host: str, path: str) -> Any:
    """Return the field of the folders of the host that a machine sees."""
    words = "Folders of the host that the machine sees read-only."
    return Field(default=(), description=words, examples=[[{"host": host, "path": path}]])


def devices() -> Any:
    """Return the field of the devices that a machine is given."""
    words = "Devices of the host given to the machine."
    return Field(default=(), description=words, examples=[[{"path": "/dev/ttyUSB0"}]])
