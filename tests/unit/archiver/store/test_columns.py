import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.archiver.errors import DamagedError
from linacre.archiver.model import BlobBatch, Kind, ScalarBatch
from linacre.archiver.store.columns import blob_columns, scalar_columns
from linacre.archiver.store.part import arrow_type

FLOATS = st.floats(width=64)


def scalars(bits):
    n = len(bits)
    return ScalarBatch(
        series=np.ones(n, np.int32),
        time=np.arange(n, dtype=np.int64),
        value=np.asarray(bits, np.int64),
        severity=np.zeros(n, np.int8),
        status=np.zeros(n, np.int16),
        tag=np.arange(n, dtype=np.int32),
    )


def blobs(values):
    n = len(values)
    return BlobBatch(
        series=np.ones(n, np.int32),
        time=np.arange(n, dtype=np.int64),
        severity=np.zeros(n, np.int8),
        status=np.zeros(n, np.int16),
        tag=np.arange(n, dtype=np.int32),
        count=np.array([len(v) for v in values], np.int32),
        offset=np.concatenate([[0], np.cumsum([len(v) for v in values])]).astype(np.int64),
        data=memoryview(b"".join(values)),
    )


@settings(deadline=None)
@given(st.lists(FLOATS))
def test_float64_comes_back_bit_for_bit(values):
    bits = np.array(values, np.float64).view(np.int64)
    columns = scalar_columns(Kind.FLOAT64, scalars(bits), slice(None))
    assert columns.value.type == arrow_type(Kind.FLOAT64)
    assert columns.value.null_count == 0
    assert np.array_equal(columns.value.to_numpy().view(np.int64), bits)


@settings(deadline=None)
@given(st.lists(st.floats(width=32)), st.data())
def test_float32_comes_back(values, data):
    bits = np.array(values, np.float64).view(np.int64)
    rows = np.array(
        sorted(data.draw(st.sets(st.sampled_from(range(len(values)))))) if values else [], int
    )
    columns = scalar_columns(Kind.FLOAT32, scalars(bits), rows)
    assert columns.value.type == arrow_type(Kind.FLOAT32)
    assert np.array_equal(
        columns.value.to_numpy(), np.array(values, np.float32)[rows], equal_nan=True
    )
    assert columns.tag.tolist() == rows.tolist()


def test_a_float64_beyond_float32_is_infinite():
    bits = np.array([1e300]).view(np.int64)
    assert scalar_columns(Kind.FLOAT32, scalars(bits), slice(None)).value.to_pylist() == [np.inf]


def test_unsigned_integers_come_back():
    values = [0, 5, 2**63 - 1, 2**63, 2**64 - 1]
    bits = np.array(values, np.uint64).view(np.int64)
    columns = scalar_columns(Kind.UINT64, scalars(bits), slice(None))
    assert columns.value.type == arrow_type(Kind.UINT64)
    assert columns.value.to_pylist() == values


@pytest.mark.parametrize("kind", [Kind.INT64, Kind.INT32, Kind.ENUM])
def test_integers_come_back(kind):
    limits = np.iinfo(kind.item)
    values = [limits.min, -1, 0, 5, limits.max]
    columns = scalar_columns(kind, scalars(values), slice(1, 5))
    assert columns.value.type == arrow_type(kind)
    assert columns.value.to_pylist() == values[1:]


ROWS = st.one_of(
    st.just(slice(None)),
    st.tuples(st.integers(0, 5), st.integers(0, 9)).map(lambda ab: slice(*ab)),
    st.lists(st.booleans(), min_size=30, max_size=30).map(np.flatnonzero),
)


def pick(values, rows):
    if isinstance(rows, slice):
        return values[rows], rows
    rows = rows[rows < len(values)]
    return [values[k] for k in rows], rows


@settings(deadline=None)
@given(st.lists(st.text(), max_size=20), ROWS)
def test_text_comes_back(values, rows):
    wanted, rows = pick(values, rows)
    columns = blob_columns(Kind.STRING, blobs([v.encode() for v in values]), rows)
    assert columns.value.type == arrow_type(Kind.STRING)
    assert columns.value.to_pylist() == wanted


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20), ROWS)
def test_bytes_come_back(values, rows):
    wanted, rows = pick(values, rows)
    columns = blob_columns(Kind.BYTES, blobs(values), rows)
    assert columns.value.type == arrow_type(Kind.BYTES)
    assert columns.value.to_pylist() == wanted


@settings(deadline=None)
@given(st.lists(st.lists(st.text(), max_size=5), max_size=20), ROWS)
def test_arrays_of_text_come_back(values, rows):
    wanted, rows = pick(values, rows)
    coded = [b"".join(struct.pack("<i", len(t.encode())) + t.encode() for t in v) for v in values]
    columns = blob_columns(Kind.STRING_ARRAY, blobs(coded), rows)
    assert columns.value.type == arrow_type(Kind.STRING_ARRAY)
    assert columns.value.to_pylist() == wanted


@pytest.mark.parametrize(
    "kind",
    [
        Kind.FLOAT64_ARRAY,
        Kind.FLOAT32_ARRAY,
        Kind.INT64_ARRAY,
        Kind.INT32_ARRAY,
        Kind.INT16_ARRAY,
    ],
)
@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-999, 999), max_size=40), max_size=20), ROWS)
def test_arrays_of_numbers_come_back(kind, values, rows):
    wanted, rows = pick(values, rows)
    columns = blob_columns(kind, blobs([np.array(v, kind.item).tobytes() for v in values]), rows)
    assert columns.value.type == arrow_type(kind)
    assert columns.value.to_pylist() == wanted
    columns.value.validate(full=True)


def test_neighbours_are_not_copied():
    batch = blobs([np.arange(1000.0).tobytes()] * 3)
    columns = blob_columns(Kind.FLOAT64_ARRAY, batch, slice(1, 3))
    place = np.frombuffer(batch.data, np.uint8).ctypes.data
    assert columns.value.values.buffers()[1].address == place + 8000


def test_numbers_behind_an_odd_text_are_aligned():
    numbers = np.arange(7.0).tobytes()
    columns = blob_columns(Kind.FLOAT64_ARRAY, blobs([b"odd", numbers]), slice(1, 2))
    assert columns.value.to_pylist() == [list(range(7))]
    assert columns.value.values.buffers()[1].address % 8 == 0


def test_text_that_is_no_utf8_is_kept_as_far_as_it_goes():
    columns = blob_columns(Kind.STRING, blobs([b"good", b"\xb0C", b"too"]), slice(None))
    assert columns.value.to_pylist() == ["good", "�C", "too"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.FLOAT64_ARRAY, b"1234567"),
        (Kind.STRING_ARRAY, b"\x09\x00\x00\x00abc"),
        (Kind.STRING_ARRAY, b"\x09\x00"),
        (Kind.STRING_ARRAY, b"\xff\xff\xff\xff"),
    ],
)
def test_values_that_are_not_of_their_kind_are_refused(kind, value):
    with pytest.raises(DamagedError):
        blob_columns(kind, blobs([value]), slice(None))
