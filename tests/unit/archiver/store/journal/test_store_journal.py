import subprocess
import sys
from datetime import UTC, datetime

import journal_samples as some
import pytest
from hypothesis import HealthCheck, given, settings
from journal_samples import Clock

from linacre.archiver.model import Kind, Series
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.hot import open_hot
from linacre.archiver.store.journal.journal import Journal
from linacre.base.errors import LinacreError

CALM = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def open_journal(folder, clock=None, **limits):
    journal = Journal(folder, files=OsFiles(), clock=clock or Clock(), **limits)
    some.declare_all(journal)
    return journal


def expected(groups):
    wanted = {}
    for k, group in enumerate(groups):
        for j, (kind, *rest) in enumerate(group):
            wanted.setdefault(f"LIN:{kind}", []).append((some.NOW + 1000 * k + j, *rest))
    return wanted


@CALM
@given(groups=some.samples())
def test_samples_of_every_kind_come_back(tmp_path_factory, groups):
    folder = tmp_path_factory.mktemp("journal")
    journal = open_journal(folder)
    for k, group in enumerate(groups):
        journal.append(*some.batches(group, some.NOW + 1000 * k))
    assert some.contents(journal.part()) == expected(groups)
    journal.close()
    assert some.contents(open_hot(folder)) == expected(groups)
    again = Journal(folder, files=OsFiles(), clock=Clock())
    assert some.contents(again.part()) == expected(groups)
    assert not again.damage
    again.close()


@CALM
@given(groups=some.samples())
def test_a_closed_file_gives_its_batches_and_series(tmp_path_factory, groups):
    journal = open_journal(tmp_path_factory.mktemp("journal"))
    for k, group in enumerate(groups):
        journal.append(*some.batches(group, some.NOW + 1000 * k))
    journal.rotate()
    kinds = {kind for group in groups for kind, *_ in group}
    assert len(journal.closed()) == (1 if kinds else 0)
    for file in journal.closed():
        assert file.opened_ns == some.NOW
        assert dict(file.series) == {
            some.NUMBER[kind]: some.SERIES[some.NUMBER[kind]] for kind in kinds
        }
        written = [
            batch
            for k, group in enumerate(groups)
            for batch in some.batches(group, some.NOW + 1000 * k)
        ]
        scalars = [batch for (batch,) in written[::2] if len(batch)]
        blobs = [batch for (batch,) in written[1::2] if len(batch)]
        for wanted, found in ((scalars, list(file.scalars())), (blobs, list(file.blobs()))):
            assert joined(found) == joined(wanted)
        assert b"".join(b.data for b in file.blobs()) == b"".join(b.data for b in blobs)
    journal.close()


def joined(batches):
    columns = {}
    for batch in batches:
        for name, column in vars(batch).items():
            if name not in ("offset", "data"):
                columns.setdefault(name, []).extend((column.dtype, v) for v in column.tolist())
    return columns


def test_large_batches_are_given_without_a_copy(tmp_path):
    journal = open_journal(tmp_path)
    for k in range(0, 60_000, 20_000):
        journal.append([some.counting(k, 20_000)], [])
    journal.rotate()
    batches = list(journal.closed()[0].scalars())
    assert [len(batch) for batch in batches] == [20_000] * 3
    assert not any(column.flags.owndata for batch in batches for column in vars(batch).values())
    assert not any(column.flags.writeable for batch in batches for column in vars(batch).values())
    journal.close()


def test_batches_may_be_altered_as_soon_as_they_are_appended(tmp_path):
    journal = open_journal(tmp_path)
    batch = some.counting(0)
    journal.append([batch], [])
    batch.value[:] = -1
    assert some.numbers(journal.part()) == list(range(10))
    journal.close()


def test_a_series_that_was_not_declared_is_refused(tmp_path):
    journal = Journal(tmp_path, files=OsFiles(), clock=Clock())
    with pytest.raises(KeyError, match="series 3 was not declared"):
        journal.append([some.counting(0)], [])
    assert journal.part().pvs() == frozenset()
    journal.close()


def test_a_number_means_one_series_only(tmp_path):
    journal = open_journal(tmp_path)
    with pytest.raises(LinacreError, match="series 1 is LIN:float64"):
        journal.declare(Series(1, "OTHER", Kind.INT32, "DBR_LONG"))
    journal.close()


def test_series_are_known_again_from_the_files(tmp_path):
    journal = open_journal(tmp_path)
    journal.append([some.counting(0)], [])
    journal.close()
    again = Journal(tmp_path, files=OsFiles(), clock=Clock())
    assert again.series == {some.NUMBER[Kind.INT64]: some.SERIES[some.NUMBER[Kind.INT64]]}
    again.append([some.counting(10)], [])
    assert some.numbers(again.part()) == list(range(20))
    again.close()


def test_a_second_archiver_is_refused(tmp_path):
    journal = open_journal(tmp_path)
    journal.append([some.counting(0)], [])
    with pytest.raises(LinacreError, match="is written by another archiver"):
        open_journal(tmp_path)
    script = f"""
import time
from pathlib import Path
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.journal.journal import Journal
from linacre.base.errors import LinacreError
try:
    Journal(Path({str(tmp_path)!r}), files=OsFiles(), clock=time.time_ns)
except LinacreError as error:
    print(error)
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert len(found.stdout.splitlines()) == 1
    assert "is written by another archiver" in found.stdout
    journal.close()
    open_journal(tmp_path).close()


def at(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * some.SECOND


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((2026, 11, 24, 10, 59, 59), (2026, 11, 24, 11, 0, 0)),
        ((2026, 11, 30, 23, 59, 59), (2026, 12, 1, 0, 0, 0)),
        ((2026, 12, 31, 23, 59, 59), (2027, 1, 1, 0, 0, 0)),
        ((2028, 2, 28, 23, 59, 59), (2028, 2, 29, 0, 0, 0)),
    ],
)
def test_a_file_ends_with_its_hour(tmp_path, before, after):
    clock = Clock(at(*before))
    journal = open_journal(tmp_path, clock)
    journal.append([some.counting(0)], [])
    assert not journal.rotate_if_due()
    assert journal.closed() == []
    clock.now = at(*after)
    journal.append([some.counting(10)], [])
    assert journal.rotate_if_due()
    assert not journal.rotate_if_due()
    (old,) = journal.closed()
    assert old.opened_ns == at(*before)
    assert [batch.value.tolist() for batch in old.scalars()] == [list(range(10))]
    journal.rotate()
    assert [file.opened_ns for file in journal.closed()] == [at(*before), at(*after)]
    journal.close()


def test_an_hour_without_samples_leaves_no_file(tmp_path):
    clock = Clock()
    journal = open_journal(tmp_path, clock)
    clock.now += 3600 * some.SECOND
    assert not journal.rotate_if_due()
    journal.rotate()
    assert journal.closed() == []
    assert not list(tmp_path.glob("*.journal"))
    journal.close()


def test_a_file_ends_when_it_is_large(tmp_path):
    journal = open_journal(tmp_path, scalar_limit=1000, blob_limit=5000)
    for k in range(0, 100, 10):
        journal.append([some.counting(k)], [])
    assert len(journal.closed()) > 1
    assert some.numbers(journal.part()) == list(range(100))
    some_blob = some.blob_batch([(some.NUMBER[Kind.BYTES], some.NOW, bytes(6000))])
    files = len(journal.closed())
    journal.append([], [some_blob])
    assert journal.rotate_if_due()
    assert len(journal.closed()) > files
    journal.close()


def test_a_forgotten_file_goes_and_its_name_never_comes_again(tmp_path):
    journal = open_journal(tmp_path)
    journal.append([some.counting(0)], [])
    journal.rotate()
    before = journal.part()
    (old,) = journal.closed()
    journal.forget(old)
    assert journal.closed() == []
    assert not old.path.exists()
    assert journal.part().span("LIN:int64") is None
    assert some.numbers(before) == list(range(10))
    journal.close()
    again = open_journal(tmp_path)
    again.append([some.counting(10)], [])
    again.rotate()
    assert again.closed()[0].name > old.name
    again.close()


def test_names_go_on_from_what_segments_know(tmp_path):
    journal = open_journal(tmp_path, newest=41)
    journal.append([some.counting(0)], [])
    journal.rotate()
    assert journal.closed()[0].name == "00000042.journal"
    journal.close()
