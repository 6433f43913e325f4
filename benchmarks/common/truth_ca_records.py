"""EPICS's own database in this process: its records, and what truth_post.so needs of each."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from common.truth_said import Said, ca_fields
from common.truth_values import element, is_array, item, pool
from linacre.base.errors import LinacreError

_STRING_BYTES = 40
_MOST = 1000
"""Elements of the longest arrays."""
_RECORDS = {"string": "stringin", "enum": "mbbi", "long": "longin", "double": "ai"}
_WAVES = {
    **{"string": "STRING", "short": "SHORT", "float": "FLOAT", "enum": "ENUM"},
    **{"char": "UCHAR", "long": "LONG", "double": "DOUBLE"},
}
_ALARMED = "".join(f' field({name}, "MAJOR")' for name in ("HHSV", "HSV", "LSV", "LLSV"))
_DBR_STRING = 0


class Address(ctypes.Structure):
    """EPICS's `struct dbAddr`."""

    _fields_ = (
        ("record", ctypes.c_void_p),
        ("field", ctypes.c_void_p),
        ("description", ctypes.c_void_p),
        ("elements", ctypes.c_long),
        ("kind", ctypes.c_short),
        ("size", ctypes.c_short),
        ("special", ctypes.c_short),
        ("request", ctypes.c_short),
    )


class Target(ctypes.Structure):
    """`struct target` of truth_post.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("record", "posted", "value", "elements", "time")),
        *((name, ctypes.c_void_p) for name in ("status", "severity", "watchers")),
        *((name, ctypes.c_void_p) for name in ("pool", "offset", "count")),
        ("last_ns", ctypes.c_int64),
        ("pv", ctypes.c_uint16),
        ("next", ctypes.c_uint16),
        ("said", ctypes.c_uint16),
        ("spare", ctypes.c_uint16),
    )


class Functions(ctypes.Structure):
    """`struct library` of truth_post.c."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("lock", "unlock", "post"))


def compiled(folder: Path) -> Any:
    """Compile truth_post.c, and load it; `LinacreError` without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LinacreError("no C compiler: apt-get install gcc")
    source, target = Path(__file__).with_name("truth_post.c"), folder / "truth_post.so"
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(target), str(source)]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(target))


def record_of(name: str, of: str, said: Said) -> str:
    """Return a record of a type for dbLoadRecords, that nothing but we ever processes."""
    kind, more = _RECORDS.get(of, "waveform"), ""
    if kind == "waveform":
        length = _MOST if is_array(of) else 1
        more = f' field(FTVL, "{_WAVES[element(of)]}") field(NELM, "{length}")'
    if kind in ("longin", "ai"):
        more = _ALARMED
    fields = "".join(f' field({key}, "{value}")' for key, value in ca_fields(of, said).items())
    return f'record({kind}, "{name}") {{ field(SCAN, "Event"){more}{fields} }}\n'


class Database:
    """EPICS's database, of which one process can have one."""

    def __init__(self) -> None:
        import epicscorelibs

        packages = Path(epicscorelibs.__file__).parent
        libraries = [
            ctypes.CDLL(str(packages / f"lib/lib{name}.so"), ctypes.RTLD_GLOBAL)
            for name in ("Com", "ca", "dbCore", "dbRecStd")
        ]
        self._core = core = libraries[2]
        core.dbel.argtypes = (ctypes.c_char_p, ctypes.c_uint)
        base = ctypes.c_void_p.in_dll(core, "pdbbase")
        texts = (b"base.dbd", str(packages / "dbd").encode(), None)
        if core.dbLoadDatabase(*texts) or core.registerAllRecordDeviceDrivers(base):
            raise LinacreError("EPICS's own record types cannot be loaded")

    def load(self, file: Path) -> None:
        """Load records, and make them ready; nobody is served yet."""
        if self._core.dbLoadRecords(str(file).encode(), None) or self._core.iocBuild():
            raise LinacreError(f"{file}: EPICS does not take these records")

    def run(self) -> None:
        """Begin to serve."""
        self._core.iocRun()

    def functions(self) -> Functions:
        """Return what truth_post.so calls."""
        names = ("dbScanLock", "dbScanUnlock", "db_post_events")
        pointers = (ctypes.cast(getattr(self._core, name), ctypes.c_void_p) for name in names)
        return Functions(*pointers)

    def address(self, field: str) -> Address:
        """Return where a field is."""
        found = Address()
        if self._core.dbNameToAddr(field.encode(), ctypes.byref(found)):
            raise LinacreError(f"there is no {field}")
        return found

    def put(self, name: str, fields: Mapping[str, str]) -> None:
        """Put text into fields of a record, as a client does."""
        for field, text in fields.items():
            where = self.address(f"{name}.{field}")
            value = ctypes.create_string_buffer(text.encode(), _STRING_BYTES)
            self._core.dbPutField(ctypes.byref(where), _DBR_STRING, value, ctypes.c_long(1))

    def list_monitors(self, name: str) -> None:
        """Let EPICS print a record's monitors, how many updates of each it replaced, its queue."""
        self._core.dbel(name.encode(), 4)


class Values:
    """The values of a type as they are in a record's memory; truth_post.so reads them in place."""

    def __init__(self, of: str) -> None:
        parts, counts = zip(*(_bytes(of, value) for value in pool(of).values), strict=True)
        self.data = np.frombuffer(b"".join(parts) or b"\0", np.uint8)
        self.offset = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype("i8")
        self.count = np.array(counts, np.uint32)


def _bytes(of: str, value: Any) -> tuple[bytes, int]:
    values: Sequence[Any] = value if is_array(of) else [value]
    if element(of) == "string":
        return b"".join(text.encode().ljust(_STRING_BYTES, b"\0") for text in values), len(values)
    return np.asarray(values).astype(item(of)).tobytes(), len(values)


def target_of(database: Database, name: str, of: str, values: Values, number: int) -> Target:
    """Return what truth_post.so needs to send updates of a record."""
    value = database.address(name)
    where = {field: database.address(f"{name}.{field}").field for field in _FIELDS}
    memory, elements = value.field, None
    if _RECORDS.get(of) is None:
        # What a waveform's VAL is in memory is a pointer, which BPTR is.
        bptr = database.address(f"{name}.BPTR").field
        memory = ctypes.c_void_p.from_address(bptr or 0).value
        elements = database.address(f"{name}.NORD").field
    return Target(
        record=value.record,
        posted=value.field,
        value=memory,
        elements=elements,
        time=where["TIME"],
        status=where["STAT"],
        severity=where["SEVR"],
        # ELLLIST: two pointers, then how many there are.
        watchers=(where["MLIS"] or 0) + 2 * ctypes.sizeof(ctypes.c_void_p),
        pool=values.data.ctypes.data,
        offset=values.offset.ctypes.data,
        count=values.count.ctypes.data,
        pv=number,
    )


_FIELDS = ("TIME", "STAT", "SEVR", "MLIS")
