from __future__ import annotations

import math
import struct

import pytest

from linacre.archiver.channels._dbr import NATIVE, kind_of, metadata_of
from linacre.archiver.model import Kind, Metadata


def test_each_native_type_has_a_kind_and_its_arrays_another() -> None:
    kinds = [kind_of(n, is_array=False) for n in range(7)]
    arrays = [kind_of(n, is_array=True) for n in range(7)]
    assert None not in (*kinds, *arrays)
    assert not set(kinds) & set(arrays)
    assert arrays[4] is Kind.BYTES
    assert (kind_of(7, is_array=False), kind_of(-1, is_array=True)) == (None, None)
    assert NATIVE[6] == "DBR_DOUBLE"


@pytest.mark.parametrize(("native", "form"), [(1, "=hh8s8h"), (4, "=hh8s8B"), (5, "=hh8s8i")])
def test_limits_of_whole_numbers(native: int, form: str) -> None:
    raw = struct.pack(form, 0, 0, b"counts\0\0", 100, 0, 90, 80, 20, 10, 99, 1)
    assert metadata_of(native, raw) == Metadata(
        units="counts", display=(0, 100), alarm=(10, 90), warning=(20, 80), control=(1, 99)
    )


@pytest.mark.parametrize(("native", "form"), [(2, "=hhhh8s8f"), (6, "=hhhh8s8d")])
def test_limits_that_are_not_set_are_none(native: int, form: str) -> None:
    nan = math.nan
    raw = struct.pack(form, 0, 0, 4, 0, b"\xb5m", 0, 0, nan, nan, nan, nan, 2, -2)
    assert metadata_of(native, raw) == Metadata(units="µm", precision=4, control=(-2, 2))


def test_labels_of_an_enum() -> None:
    raw = struct.pack("=hhh", 0, 0, 3) + b"".join(
        label.ljust(26, b"\0") for label in (b"off", b"", b"x" * 26, b"not one")
    )
    assert metadata_of(3, raw.ljust(424, b"\0")).labels == ("off", "", "x" * 26)


def test_text_has_no_metadata() -> None:
    assert metadata_of(0, b"") == Metadata()
