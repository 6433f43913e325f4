"""What the runner changes in softioc, caproto, p4p and pcaspy when an IOC imports them.

Their names are looked up at run time: each is there only if the IOC uses it.
"""

from __future__ import annotations

import ctypes
import functools
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

PVS = "pvs"
BOOTED = "booted"


@dataclass(frozen=True)
class IocState:
    """What the runner knows of the IOC, and where it tells the world about it."""

    run: Path | None
    """The folder for the list of PVs; None where nobody reads it."""
    access_security: str | None

    def tell_pvs(self, lines: Iterable[str]) -> None:
        """Write a line for each PV served; a full disk must not stop the IOC."""
        if self.run is None:
            return
        with suppress(OSError):
            new = self.run / f"{PVS}.new"
            new.write_text("".join(f"{line}\n" for line in lines))
            new.replace(self.run / PVS)

    def add_pvs(self, names: Iterable[str]) -> None:
        """Write the names of more PVs beside those of another server in the same IOC."""
        known: list[str] = []
        if self.run is not None:
            with suppress(OSError):
                known = (self.run / PVS).read_text().splitlines()
        there = {line.partition(", ")[0] for line in known}
        self.tell_pvs([*known, *(name for name in dict.fromkeys(names) if name not in there)])

    def tell_booted(self) -> None:
        """Say that the IOC serves."""
        if self.run is not None:
            with suppress(OSError):
                (self.run / BOOTED).write_text("booted\n")


def patches(ioc: IocState) -> Mapping[str, Callable[[ModuleType], None]]:
    """Return what to do with which module."""
    return {
        "softioc.softioc": functools.partial(_patch_softioc, ioc),
        "caproto.server.common": functools.partial(_patch_caproto, ioc),
        "p4p.server": functools.partial(_patch_p4p, ioc),
        "pcaspy.driver": functools.partial(_patch_pcaspy, ioc),
    }


def _patch_softioc(ioc: IocState, softioc: ModuleType) -> None:
    imports: Any = softioc.imports
    ioc_init = softioc.iocInit

    @functools.wraps(ioc_init)
    def init(*args: Any, **kwargs: Any) -> None:
        if ioc.access_security is not None:
            imports.dbCore.asSetFilename(ioc.access_security.encode())
        ioc_init(*args, **kwargs)
        if ioc.run is not None:
            listing = ioc.run / f"{PVS}.new"
            imports.Com.iocshCmd(f'dbl "" "recordType DESC" > "{listing}"'.encode())
            with suppress(OSError):
                listing.replace(ioc.run / PVS)
        ioc.tell_booted()

    def shell(context: object = None, call_exit: bool = True) -> None:
        """Run the IOC shell on standard input; what procServ's user expects there."""
        iocsh(imports.Com)
        if call_exit:
            softioc.safeEpicsExit(0)

    vars(softioc).update(iocInit=init, interactive_ioc=shell, non_interactive_ioc=shell)


def iocsh(com: Any) -> None:
    """Run the IOC shell until `exit` is typed; at the end of input, wait for ever."""
    sys.stdout.flush()
    com.iocsh(None)
    libc = ctypes.CDLL(None)
    stdin = ctypes.c_void_p.in_dll(libc, "stdin")
    if libc.feof(stdin) or libc.ferror(stdin):
        threading.Event().wait()


def _patch_caproto(ioc: IocState, common: ModuleType) -> None:
    context: Any = common.Context
    context_init = context.__init__

    @functools.wraps(context_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        context_init(self, *args, **kwargs)
        ioc.tell_pvs(_caproto_line(name, channel) for name, channel in self.pvdb.items())
        ioc.tell_booted()

    context.__init__ = init


def _caproto_line(name: str, channel: Any) -> str:
    """Return a PV as `dbl` would list it; its doc serves as the description."""
    spec = getattr(channel, "pvspec", None)
    text = str(getattr(spec, "doc", None) or "")
    description = " ".join(text.split())
    return f'{name}, "{getattr(spec, "record", None) or ""}", "{description}"'


def _patch_p4p(ioc: IocState, server: ModuleType) -> None:
    context: Any = vars(server)["Server"]
    context_init = context.__init__

    @functools.wraps(context_init)
    def init(self: Any, providers: Iterable[Any], *args: Any, **kwargs: Any) -> None:
        there = list(providers)
        context_init(self, there, *args, **kwargs)
        if (names := _static_names(there)) is not None:
            ioc.add_pvs(names)
        ioc.tell_booted()

    context.__init__ = init


def _static_names(providers: Iterable[Any]) -> list[str] | None:
    """Return the names of p4p's PVs; None where a provider makes PVs as they are asked for."""
    names: list[str] = []
    for given in providers:
        provider: Any = cast(Any, given[0]) if isinstance(given, tuple) else given
        keys = getattr(provider, "keys", None)
        if keys is None:
            return None
        names += map(str, keys())
    return names


def _patch_pcaspy(ioc: IocState, driver: ModuleType) -> None:
    server: Any = vars(driver)["SimpleServer"]
    create, process = server.createPV, server.process

    @functools.wraps(create)
    def create_pvs(prefix: str, pvdb: Mapping[str, Any]) -> None:
        create(prefix, pvdb)
        ioc.add_pvs(f"{prefix}{name}" for name in pvdb)

    @functools.wraps(process)
    def process_first(delay: float) -> None:
        # It serves as long as the script calls this, again and again.
        server.process = staticmethod(process)
        ioc.tell_booted()
        process(delay)

    server.createPV, server.process = staticmethod(create_pvs), staticmethod(process_first)
