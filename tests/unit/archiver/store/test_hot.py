import threading

import journal_samples as some
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_samples import NOW, Clock

from linacre.archiver.model import Kind, Series
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.hot import open_hot
from linacre.archiver.store.journal.journal import Journal

CALM = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PV = "LIN:changing"
KINDS = [Kind.FLOAT64, Kind.INT32, Kind.STRING, Kind.FLOAT64_ARRAY]
CHANGING = {kind: Series(100 + k, PV, kind, kind) for k, kind in enumerate(KINDS)}
VALUES = {
    Kind.FLOAT64: lambda t: t / 4,
    Kind.INT32: lambda t: -t,
    Kind.STRING: lambda t: f"<{t}>",
    Kind.FLOAT64_ARRAY: lambda t: [float(t)] * (t % 5),
}


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path, files=OsFiles(), clock=Clock())
    some.declare_all(journal)
    yield journal
    journal.close()


@st.composite
def histories(draw):
    """Give a PV's samples, its type changing, among those of another; by file and by batch."""
    time = 0
    files = []
    for _ in range(draw(st.integers(1, 3))):
        batches = []
        for _ in range(draw(st.integers(0, 4))):
            kind = draw(st.sampled_from(KINDS))
            rows = []
            for _ in range(draw(st.integers(0, 5))):
                time += draw(st.integers(1, 3))
                rows.append(time)
            batches.append((kind, rows))
        files.append(batches)
    return files


def write(journal, files):
    for series in (*some.SERIES.values(), *CHANGING.values()):
        journal.declare(series)
    wanted = []
    for batches in files:
        for kind, times in batches:
            number = CHANGING[kind].id
            rows = [(number, t, some.coded(kind, VALUES[kind](t)), 1, 2, t) for t in times]
            if kind.is_scalar:
                other = [(some.NUMBER[Kind.INT64], NOW + t, t) for t in times]
                journal.append([some.scalar_batch(rows[:2] + other + rows[2:])], [])
            else:
                other = [(some.NUMBER[Kind.BYTES], NOW + t, bytes(t)) for t in times]
                journal.append([], [some.blob_batch(rows[:2] + other + rows[2:])])
            wanted += [(t, VALUES[kind](t), 1, 2, t) for t in times]
        journal.rotate()
    return wanted


@CALM
@given(history=histories(), start=st.integers(-1, 40), length=st.integers(0, 40))
def test_a_pv_is_read_in_the_order_of_time_whatever_its_types(
    tmp_path_factory, history, start, length
):
    journal = Journal(tmp_path_factory.mktemp("hot"), files=OsFiles(), clock=Clock())
    wanted = write(journal, history)
    part = journal.part()
    assert some.read(part, PV) == wanted
    inside = [row for row in wanted if start < row[0] <= start + length]
    assert some.read(part, PV, start, start + length) == inside
    last = part.last(PV, start)
    assert (some.rows_of(last) if last else []) == [row for row in wanted if row[0] <= start][-1:]
    for count in (1, 3):
        pieces = part.first(PV, start, count)
        after = [row for row in wanted if row[0] > start][:count]
        assert [row for piece in pieces for row in some.rows_of(piece)] == after
    span = (wanted[0][0], wanted[-1][0]) if wanted else None
    assert part.span(PV) == span
    assert (PV in part.pvs()) == bool(wanted)
    journal.close()


def test_a_pv_without_samples(journal):
    part = journal.part()
    assert part.pvs() == frozenset()
    assert part.span("NO:SUCH") is None
    assert part.last("NO:SUCH", NOW) is None
    assert list(part.first("NO:SUCH", 0)) == []
    assert list(part.read("LIN:int64", *some.EVER)) == []


def test_many_samples_come_in_pieces(journal):
    n = 150_000
    batch = some.counting(0, n)
    for at in range(0, n, 30_000):
        rows = slice(at, at + 30_000)
        part = some.scalar_batch([])
        journal.append([type(part)(*(column[rows] for column in vars(batch).values()))], [])
    pieces = list(journal.part().read("LIN:int64", *some.EVER))
    assert [len(piece) for piece in pieces] == [65_536, 65_536, 18_928]
    assert np.array_equal(np.concatenate([piece.value for piece in pieces]), np.arange(n))
    for at in (0, 70_000, n - 2):
        assert journal.part().last("LIN:int64", NOW + at).value.to_pylist() == [at]
        (after,) = journal.part().first("LIN:int64", NOW + at)
        assert after.value.to_pylist() == [at + 1]
    assert sum(len(piece) for piece in journal.part().first("LIN:int64", NOW, 70_000)) == 70_000


def test_large_values_come_in_small_pieces(journal):
    value = bytes(20 << 20)
    for k in range(7):
        journal.append([], [some.blob_batch([(some.NUMBER[Kind.BYTES], NOW + k, value)])])
    pieces = list(journal.part().read("LIN:bytes", *some.EVER))
    assert max(len(piece) for piece in pieces) <= 4
    assert sum(len(piece) for piece in pieces) == 7


def test_a_part_stays_as_it_was(journal):
    journal.append([some.counting(0)], [])
    part = journal.part()
    assert journal.part() is part
    for k in range(10, 5000, 10):
        journal.append([some.counting(k)], [])
    journal.append([], [some.blob_batch([(some.NUMBER[Kind.STRING], NOW, b"new")])])
    assert some.numbers(part) == list(range(10))
    assert part.pvs() == {"LIN:int64"}
    assert part.span("LIN:int64") == (NOW, NOW + 9)
    assert part.last("LIN:int64", NOW + 100).value.to_pylist() == [9]


def test_threads_read_while_another_writes(journal):
    ended = threading.Event()
    wrong = []

    def look():
        while not ended.is_set():
            part = journal.part()
            found = some.numbers(part)
            if found != list(range(len(found))):
                wrong.append(found)
            last = part.last("LIN:int64", some.EVER[1])
            if (last.value[0].as_py() if last else -1) != len(found) - 1:
                wrong.append(last)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for k in range(0, 3000, 10):
        journal.append([some.counting(k)], [])
        if k % 500 == 0:
            journal.rotate()
    ended.set()
    for thread in threads:
        thread.join(10)
    assert wrong == []
    assert some.numbers(journal.part()) == list(range(3000))


def test_a_part_can_be_read_when_its_file_is_gone(journal):
    journal.append([some.counting(0)], [])
    current = journal.part()
    journal.rotate()
    journal.forget(journal.closed()[0])
    assert some.numbers(current) == list(range(10))


def test_a_folder_is_read_while_an_archiver_writes_it(journal, tmp_path):
    journal.append([some.counting(0)], [])
    other = open_hot(tmp_path)
    journal.append([some.counting(10)], [])
    assert some.numbers(other) == list(range(10))
    assert some.numbers(open_hot(tmp_path)) == list(range(20))
    journal.rotate()
    journal.forget(journal.closed()[0])
    assert some.numbers(other) == list(range(10))
    assert open_hot(tmp_path).pvs() == frozenset()
