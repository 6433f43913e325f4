"""Samples of every kind for the journal's tests, and what is read of them."""

import struct

import numpy as np
from hypothesis import strategies as st

from linacre.archiver.model import BlobBatch, Kind, ScalarBatch, Series

EVER = (-(2**63), 2**63 - 1)
KINDS = list(Kind)
SERIES = {
    k + 1: Series(k + 1, f"LIN:{kind}", kind, f"native {kind}") for k, kind in enumerate(KINDS)
}
NUMBER = {kind: k + 1 for k, kind in enumerate(KINDS)}
SECOND = 1_000_000_000
NOW = 1_764_000_000 * SECOND


class Clock:
    """A clock that is moved by hand."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def scalar_batch(rows):
    """Make a batch of (series, time, bits[, severity, status, tag])."""
    rows = [(*row, 0, 0, 0)[:6] for row in rows]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    series, time, value, severity, status, tag = columns
    return ScalarBatch(
        series=np.array(series, np.int32),
        time=np.array(time, np.int64),
        value=np.array(value, np.int64),
        severity=np.array(severity, np.int8),
        status=np.array(status, np.int16),
        tag=np.array(tag, np.int32),
    )


def blob_batch(rows):
    """Make a batch of (series, time, bytes[, severity, status, tag])."""
    rows = [(*row, 0, 0, 0)[:6] for row in rows]
    columns = list(zip(*rows, strict=True)) or [()] * 6
    series, time, value, severity, status, tag = columns
    return BlobBatch(
        series=np.array(series, np.int32),
        time=np.array(time, np.int64),
        severity=np.array(severity, np.int8),
        status=np.array(status, np.int16),
        tag=np.array(tag, np.int32),
        count=np.array([len(v) for v in value], np.int32),
        offset=np.cumsum([0, *(len(v) for v in value)]).astype(np.int64),
        data=memoryview(b"".join(value)),
    )


def coded(kind, value):
    """Return a value as it stands in a batch: bits, or bytes."""
    if kind in (Kind.FLOAT64, Kind.FLOAT32):
        return struct.unpack("<q", struct.pack("<d", value))[0]
    if kind is Kind.UINT64:
        return value - (1 << 64) if value >= 1 << 63 else value
    if kind.is_scalar:
        return value
    if kind in (Kind.STRING, Kind.STRUCT):
        return value.encode()
    if kind is Kind.BYTES:
        return value
    if kind is Kind.STRING_ARRAY:
        texts = [text.encode() for text in value]
        return b"".join(struct.pack("<i", len(text)) + text for text in texts)
    return np.array(value, kind.item).tobytes()


def values(kind):
    """Give values of a kind."""
    if kind in (Kind.FLOAT64, Kind.FLOAT64_ARRAY):
        item = st.floats(allow_nan=False)
    elif kind in (Kind.FLOAT32, Kind.FLOAT32_ARRAY):
        item = st.floats(allow_nan=False, width=32)
    elif kind.item is not None:
        item = st.integers(int(np.iinfo(kind.item).min), int(np.iinfo(kind.item).max))
    elif kind is Kind.BYTES:
        item = st.binary(max_size=50)
    else:
        item = st.text(max_size=10)
    return st.lists(item, max_size=8) if kind.value.endswith("-array") else item


@st.composite
def samples(draw):
    """Give samples, in batches: lists of (kind, value, severity, status, tag)."""
    sample = st.sampled_from(KINDS).flatmap(
        lambda kind: st.tuples(
            st.just(kind),
            values(kind),
            st.integers(0, 3),
            st.integers(0, 22),
            st.integers(-(2**31), 2**31 - 1),
        )
    )
    return draw(st.lists(st.lists(sample, max_size=8), max_size=6))


def batches(rows, start=NOW):
    """Return the batches of such samples, at times that go up from the start."""
    numbers, others = [], []
    for k, (kind, value, *rest) in enumerate(rows):
        row = (NUMBER[kind], start + k, coded(kind, value), *rest)
        (numbers if kind.is_scalar else others).append(row)
    return [scalar_batch(numbers)], [blob_batch(others)]


def declare_all(journal):
    for series in SERIES.values():
        journal.declare(series)


def contents(part, start=EVER[0], end=EVER[1]):
    """Return by PV what is read of it: (time, value, severity, status, tag)."""
    return {pv: read(part, pv, start, end) for pv in part.pvs()}


def read(part, pv, start=EVER[0], end=EVER[1]):
    return [row for piece in part.read(pv, start, end) for row in rows_of(piece)]


def rows_of(piece):
    return list(
        zip(
            piece.time.tolist(),
            piece.value.to_pylist(),
            piece.severity.tolist(),
            piece.status.tolist(),
            piece.tag.tolist(),
            strict=True,
        )
    )


def numbers(part, pv="LIN:int64"):
    """Return the values that are read of a PV."""
    return [row[1] for row in read(part, pv)]


def counting(first, n=10, kind=Kind.INT64):
    """Make a batch of numbers that count up, at times that do the same."""
    return scalar_batch([(NUMBER[kind], NOW + k, k) for k in range(first, first + n)])
