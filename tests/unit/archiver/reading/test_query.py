"""Reading by the boundary rule and in bins, against numpy, however samples lie in the store."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from archiver_fakes import SECOND, START, FakePart, RolledFakePart, columns, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from linacre.archiver.model import ChannelSpec, Kind
from linacre.archiver.reading.bins import edges_of
from linacre.archiver.reading.query import Query
from linacre.archiver.registry.registry import Registry
from linacre.archiver.registry.rows import Channel
from linacre.archiver.service import BIN_FIELDS, SAMPLE_FIELDS, NoSuchPvError
from linacre.archiver.store.part import Columns
from linacre.archiver.store.snapshot import Snapshot
from linacre.base.errors import UserError


def query_of(pieces: list[Columns], registry: Registry | None = None, pv: str = "A") -> Query:
    """Each piece in a segment of its own, the last one in the journal."""
    segments = [RolledFakePart({pv: [piece]}) for piece in pieces[:-1]]
    hot = FakePart({pv: pieces[-1:]})
    return Query(lambda: Snapshot(hot, segments), registry)


numbers = st.one_of(
    st.floats(-1e6, 1e6), st.just(float("nan")), st.sampled_from([1e9 + 0.001, 1e9 + 0.002, 0.0])
)
samples = st.lists(
    # Many exactly on a second, a minute, an hour: where roll-ups begin.
    st.tuples(
        st.one_of(
            st.integers(1, 3 * SECOND),
            st.sampled_from([SECOND // 2, SECOND, 60 * SECOND, 1800 * SECOND, 3600 * SECOND]),
        ),
        numbers,
        st.integers(0, 3),
    ),
    max_size=60,
)


def cut(whole: Columns, cuts: list[int]) -> list[Columns]:
    places = [0, *sorted(min(c, len(whole)) for c in cuts), len(whole)]
    return [rows(whole, slice(a, b)) for a, b in itertools.pairwise(places)]


def made(found: list[tuple[int, float, int]]) -> Columns:
    time = START + np.cumsum([step for step, _, _ in found], dtype=np.int64)
    return columns(Kind.FLOAT64, time, [v for _, v, _ in found], [s for _, _, s in found])


@settings(max_examples=150, deadline=None)
@given(samples, st.lists(st.integers(0, 60), max_size=4), st.data())
def test_samples_follow_the_boundary_rule(found, cuts, data) -> None:
    whole = made(found)
    query = query_of(cut(whole, cuts))
    if not len(whole):
        with pytest.raises(NoSuchPvError):
            query.samples("A", START, START + 1)
        return
    moments = st.one_of(st.sampled_from(list(whole.time)), st.integers(START, whole.time[-1] + 9))
    start, end = sorted((int(data.draw(moments)), int(data.draw(moments))))
    table = query.samples("A", start, end)
    first = max(int(np.searchsorted(whole.time, start, side="right")) - 1, 0)
    wanted = whole.time[first:]
    wanted = wanted[wanted <= end]
    assert table.column_names == list(SAMPLE_FIELDS)
    assert table["time"].to_pylist() == list(wanted)
    streamed = pa.Table.from_batches(query.stream("A", start, end))
    assert streamed.schema.equals(table.schema)
    assert streamed["time"].to_pylist() == list(wanted)
    np.testing.assert_array_equal(
        table["value"].to_numpy(), whole.value.to_numpy()[first : first + len(wanted)]
    )
    after = query.after("A", start, 3)
    assert after["time"].to_pylist() == list(whole.time[whole.time > start][:3])


@settings(max_examples=150, deadline=None)
@given(samples, st.lists(st.integers(0, 60), max_size=4), st.integers(1, 20), st.data())
def test_bins_are_those_of_numpy(found, cuts, n, data) -> None:
    whole = made([(1, 0.0, 0), *found])
    query = query_of(cut(whole, cuts))
    times = st.integers(START - SECOND, int(whole.time[-1]) + 1000 * SECOND)
    start, end = sorted((data.draw(times), data.draw(times)))
    end = max(end, start + n)
    table = query.bins("A", start, end, n)
    assert tuple(table.column_names) == BIN_FIELDS
    edges = np.append(table["start"].to_numpy(), table["end"].to_numpy()[-1])
    assert (edges[0], edges[-1]) == (start, end)
    assert (np.diff(edges) > 0).all()
    assert list(edges) == list(edges_of(start, end, n))
    value = whole.value.to_numpy()
    for row, (a, b) in zip(table.to_pylist(), itertools.pairwise(edges), strict=True):
        inside = (whole.time >= a) & (whole.time < b)
        assert row["severity"] == max(whole.severity[inside], default=0)
        v = value[inside & ~np.isnan(value)]
        assert row["count"] == len(v)
        if not len(v):
            assert row["mean"] is None and row["first"] is None
            continue
        exact = (v.min(), v.max(), v[0], v[-1])
        assert (row["min"], row["max"], row["first"], row["last"]) == exact
        near = {"rel": 1e-9, "abs": 1e-9 * max(1.0, float(np.abs(v).max()))}
        assert row["mean"] == pytest.approx(v.mean(), **near)
        assert row["sum"] == pytest.approx(v.sum(), rel=1e-9, abs=1e-3)
        assert row["sum_squares"] == pytest.approx((v * v).sum(), rel=1e-9)
        assert row["std"] == pytest.approx(v.std(), rel=1e-6, abs=1e-7 * max(1.0, np.abs(v).max()))


def test_a_small_noise_on_a_large_offset_keeps_its_deviation() -> None:
    noise = np.random.default_rng(1).normal(0, 1e-3, 20000)
    time = START + np.arange(20000) * SECOND // 10
    query = query_of(cut(columns(Kind.FLOAT64, time, 1e9 + noise), [7000, 15000]))
    table = query.bins("A", START, START + 2000 * SECOND, 10)
    assert table["std"].to_numpy() == pytest.approx(np.full(10, 1e-3), rel=0.1)


def test_bins_of_thirty_days_use_minutes() -> None:
    asked: list[int] = []

    class Counting(RolledFakePart):
        def rollups(self, pv, step_s, start_ns, end_ns):
            asked.append(step_s)
            return super().rollups(pv, step_s, start_ns, end_ns)

    day = 86400
    part = Counting({"A": [columns(Kind.FLOAT64, [START + i * day for i in range(30)], range(30))]})
    query = Query(lambda: Snapshot(FakePart({}), [part]), None)
    assert sum(query.bins("A", START, START + 30 * day * SECOND, 1000)["count"].to_pylist()) == 30
    assert asked == [60]


def test_kinds_that_change_are_read_as_one() -> None:
    pieces = [
        columns(Kind.INT32, [START + 1], [5]),
        columns(Kind.FLOAT64, [START + 2], [2.5]),
    ]
    table = query_of(pieces).samples("A", START, START + 9)
    assert table["value"].to_pylist() == [5.0, 2.5]
    assert table.schema.metadata[b"linacre.kind"] == b"float64"
    pieces.append(columns(Kind.STRING, [START + 3], ["off"]))
    pieces.append(columns(Kind.FLOAT64_ARRAY, [START + 4], [[1.0, 2.0]]))
    query = query_of(pieces)
    table = query.samples("A", START, START + 9)
    assert table["value"].to_pylist() == ["5", "2.5", "off", "[1.0, 2.0]"]
    assert pa.Table.from_batches(query.stream("A", START, START + 9)).equals(table)
    # Before the type changed, the samples are what they were.
    assert query.samples("A", START, START + 1)["value"].to_pylist() == [5]


def test_arrays_whose_type_changed_are_arrays() -> None:
    pieces = [
        columns(Kind.INT16_ARRAY, [START + 1], [[5]]),
        columns(Kind.FLOAT64_ARRAY, [START + 2], [[0.5, 1.0]]),
    ]
    table = query_of(pieces).samples("A", START, START + 9)
    assert table["value"].to_pylist() == [[5.0], [0.5, 1.0]]


def test_text_has_no_bins() -> None:
    query = query_of([columns(Kind.STRING, [START], ["a"])])
    with pytest.raises(UserError, match="A is of string"):
        query.bins("A", START, START + SECOND, 5)
    with pytest.raises(UserError, match="bins"):
        query.bins("A", START, START, 5)


def test_what_the_registry_knows(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path, now_ns=lambda: START)
    names = ("A", "NEVER:SEEN")
    registry.put([Channel(spec=ChannelSpec(pv=pv), added_ns=START) for pv in names])
    registry.series("NEVER:SEEN", Kind.ENUM, "DBR_ENUM")
    query = query_of([columns(Kind.FLOAT64, [START + i for i in range(5)], range(5))], registry)
    assert query.pvs() == ["A", "NEVER:SEEN"]
    assert query.pvs("N*") == ["NEVER:SEEN"]
    empty = query.samples("NEVER:SEEN", START, START + 1)
    assert (empty.num_rows, empty.schema.field("value").type) == (0, pa.int32())
    assert [batch.num_rows for batch in query.stream("NEVER:SEEN", START, START)] == [0]
    for call in (query.metadata, lambda pv: query.events(pv, 0, 1), query.samples):
        with pytest.raises(NoSuchPvError):
            call("B") if call != query.samples else call("B", 0, 1)
    registry.forget(["A"], erased_until_ns={"A": START + 2})
    with pytest.raises(NoSuchPvError):
        query.samples("A", START, START + 9)
    assert query.pvs() == ["NEVER:SEEN"]
    registry.put([Channel(spec=ChannelSpec(pv="A"), added_ns=START)])
    assert query.samples("A", START, START + 9)["value"].to_pylist() == [3, 4]
    assert query.after("A", 0, 1)["value"].to_pylist() == [3]
    assert query.bins("A", START, START + 9, 1)["count"].to_pylist() == [2]
    registry.close()


def test_a_part_that_another_process_replaces_is_read_on() -> None:
    whole = columns(Kind.FLOAT64, [START + i for i in range(9)], range(9))

    class Vanishing(FakePart):
        def read(self, pv, start_ns, end_ns):
            yield from list(super().read(pv, start_ns, START + 4))
            raise FileNotFoundError("gone")

    snapshots = [Snapshot(Vanishing({"A": [whole]}), []), Snapshot(FakePart({"A": [whole]}), [])]
    asked = iter([snapshots[0], snapshots[0], snapshots[1]])
    query = Query(lambda: next(asked), None)
    query._kind = lambda pv: Kind.FLOAT64
    assert query.samples("A", START, START + 8)["value"].to_pylist() == list(range(9))
