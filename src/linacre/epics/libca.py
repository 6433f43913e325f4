"""A Channel Access client of one thread, straight on libca: each read on the circuit it is given.

A server serves a client's circuit in one thread, in order: one PV that hangs holds all that are
asked for after it. Circuits are told apart by their priority, which aioca does not offer.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PRIORITIES = range(1, 100)
"""Priorities of circuits beside the ordinary one, 0 (cadef.h)."""

_ECA_NORMAL, _ECA_DISCONN, _ECA_NORDACCESS = 1, 192, 368
_CONNECTED = 6
_DBR_STRING, _DBR_DOUBLE = 0, 6


class _ConnectionArgs(ctypes.Structure):
    _fields_ = (("channel", ctypes.c_void_p), ("operation", ctypes.c_long))


class _EventArgs(ctypes.Structure):
    _fields_ = (
        ("user", ctypes.c_void_p),
        ("channel", ctypes.c_void_p),
        ("type", ctypes.c_long),
        ("count", ctypes.c_long),
        ("data", ctypes.c_void_p),
        ("status", ctypes.c_int),
    )


_ConnectionHandler = ctypes.CFUNCTYPE(None, _ConnectionArgs)
_EventHandler = ctypes.CFUNCTYPE(None, _EventArgs)


def find_libca() -> Path:
    """Return libca's file; `OSError` where it is not installed."""
    # epicscorelibs would tell the path, and import setuptools first: half a second.
    package = find_spec("epicscorelibs")
    folders = (package.submodule_search_locations or []) if package else []
    found = sorted(path for folder in folders for path in Path(folder).glob("lib/libca.so*"))
    if not found:
        raise OSError("libca is not installed: it comes with epicscorelibs")
    return found[0]


def _load() -> Any:
    library = ctypes.CDLL(str(find_libca()))
    pointer, number, whole = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    library.ca_context_create.argtypes = [whole]
    library.ca_pend_event.argtypes = [ctypes.c_double]
    library.ca_create_channel.argtypes = [
        *(ctypes.c_char_p, _ConnectionHandler, pointer, ctypes.c_uint, pointer)
    ]
    library.ca_clear_channel.argtypes = [pointer]
    library.ca_field_type.argtypes, library.ca_field_type.restype = [pointer], ctypes.c_short
    library.ca_host_name.argtypes, library.ca_host_name.restype = [pointer], ctypes.c_char_p
    library.ca_puser.argtypes, library.ca_puser.restype = [pointer], pointer
    library.ca_array_get_callback.argtypes = [number, number, pointer, _EventHandler, pointer]
    library.ca_message.argtypes, library.ca_message.restype = [number], ctypes.c_char_p
    return library


@dataclass(eq=False)
class Channel:
    """One PV on one circuit."""

    name: str
    circuit: Circuit
    handle: int = 0
    host: str = ""
    """The server that it was found on, as libca names it."""


@dataclass(eq=False)
class Circuit:
    """PVs that are read over one connection to a server."""

    priority: int
    changed_at: float
    """When one of them last connected or answered, of `time.monotonic`."""
    searching: dict[str, Channel] = field(default_factory=dict[str, Channel])
    """Those that nobody has answered the search for."""
    waiting: dict[str, Channel] = field(default_factory=dict[str, Channel])
    """Those that were asked for their value and gave none yet, in the order of asking."""
    answered: dict[str, Channel] = field(default_factory=dict[str, Channel])
    unknown: list[str] = field(default_factory=list[str])
    """Those that a server that was asked alone does not have."""
    refused: dict[str, str] = field(default_factory=dict[str, str])
    """Those that answered with an error, which is kept."""
    channels: list[Channel] = field(default_factory=list["Channel"])


class ChannelAccess:
    """The client. Everything happens inside `run_for`, in the thread that calls it."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._library = _load()
        self._library.ca_context_create(0)
        self._channels: dict[int, Channel] = {}
        # Kept here: C holds nothing but their addresses.
        self._on_connection = _ConnectionHandler(self._connection)
        self._on_event = _EventHandler(self._event)

    def circuit(self, priority: int) -> Circuit:
        """Return a new circuit; one is made to each server that answers for its PVs."""
        return Circuit(priority, self._now())

    def read(self, circuit: Circuit, names: list[str]) -> None:
        """Search PVs and ask each for its value as soon as it is found."""
        for name in names:
            number = len(self._channels) + 1
            channel = self._channels[number] = Channel(name, circuit)
            handle = ctypes.c_void_p()
            circuit.searching[name] = channel
            circuit.channels.append(channel)
            status = self._library.ca_create_channel(
                *(name.encode(), self._on_connection, number),
                *(circuit.priority, ctypes.byref(handle)),
            )
            channel.handle = handle.value or 0
            if status != _ECA_NORMAL:
                del circuit.searching[name]
                circuit.refused[name] = self.describe(status)

    def clear(self, circuit: Circuit) -> None:
        """Let go of a circuit's PVs, which closes it."""
        for channel in circuit.channels:
            if channel.handle:
                self._library.ca_clear_channel(channel.handle)
        circuit.channels.clear()

    def run_for(self, seconds: float) -> None:
        """Send what is to be sent and take what comes, for so long."""
        self._library.ca_pend_event(seconds)

    def describe(self, status: int) -> str:
        """Return a status in words."""
        return self._library.ca_message(status).decode(errors="replace")

    def _connection(self, told: _ConnectionArgs) -> None:
        channel = self._channels[self._library.ca_puser(told.channel)]
        circuit = channel.circuit
        if told.operation != _CONNECTED or circuit.searching.pop(channel.name, None) is None:
            return
        circuit.changed_at = self._now()
        circuit.waiting[channel.name] = channel
        channel.host = self._library.ca_host_name(told.channel).decode(errors="replace")
        kind = self._library.ca_field_type(told.channel)
        kind = kind if _DBR_STRING <= kind <= _DBR_DOUBLE else _DBR_STRING
        # One element tells as much as all of a large array.
        status = self._library.ca_array_get_callback(
            kind, 1, told.channel, self._on_event, self._library.ca_puser(told.channel)
        )
        if status != _ECA_NORMAL:
            self._ended(channel, status)

    def _event(self, told: _EventArgs) -> None:
        self._ended(self._channels[told.user], told.status)

    def _ended(self, channel: Channel, status: int) -> None:
        circuit = channel.circuit
        # A server that goes away meanwhile gives no value: that is for the next look to tell.
        if status == _ECA_DISCONN or circuit.waiting.pop(channel.name, None) is None:
            return
        circuit.changed_at = self._now()
        if status in (_ECA_NORMAL, _ECA_NORDACCESS):
            circuit.answered[channel.name] = channel
        else:
            circuit.refused[channel.name] = self.describe(status)
