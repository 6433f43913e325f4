import errno
import os

import journal_samples as some
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_samples import SECOND, Clock

from linacre.archiver.model import Kind
from linacre.archiver.store.faults import FaultyFiles
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.hot import open_hot
from linacre.archiver.store.journal.journal import Journal

NUMBER = some.NUMBER[Kind.INT64]
CALM = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Rig:
    """A journal on files that fail when told, and a clock."""

    def __init__(self, folder, **limits):
        self.folder = folder
        self.files = FaultyFiles()
        self.faults = self.files.faults
        self.clock = Clock()
        self.journal = Journal(folder, files=self.files, clock=self.clock, **limits)
        some.declare_all(self.journal)
        self.next = 0

    def append(self, n=10):
        self.journal.append([some.counting(self.next, n)], [])
        self.next += n

    def later(self, seconds=1.0):
        self.clock.now += int(seconds * SECOND)

    def stored(self):
        return some.numbers(self.journal.part())

    def reopened(self):
        """What another process finds."""
        self.journal.close()
        return some.numbers(open_hot(self.folder))


@pytest.fixture
def rig(tmp_path):
    rig = Rig(tmp_path)
    yield rig
    rig.journal.close()


def test_short_writes_are_finished(rig):
    rig.faults.most = 7
    for _ in range(3):
        rig.append()
    assert rig.stored() == list(range(30))
    assert not rig.journal.full
    assert rig.reopened() == list(range(30))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_what_cannot_be_written_waits_and_is_written_later(rig, number):
    rig.append()
    rig.journal.sync()
    rig.faults.write_errors = [number] * 2
    rig.append()
    assert rig.journal.full
    assert rig.journal.why == os.strerror(number)
    assert rig.stored() == list(range(10))
    rig.append()
    rig.later()
    rig.append()
    assert rig.journal.full
    rig.later()
    rig.append()
    assert not rig.journal.full
    assert rig.journal.why == ""
    assert rig.stored() == list(range(50))
    assert rig.journal.dropped == {}
    assert rig.reopened() == list(range(50))


def test_a_write_that_failed_is_not_tried_more_than_once_a_second(rig):
    rig.append()
    rig.faults.room = 0
    rig.append()
    rig.faults.room = None
    rig.later(0.5)
    rig.append()
    assert rig.journal.full
    rig.later(0.5)
    rig.journal.sync()
    assert not rig.journal.full
    assert rig.stored() == list(range(30))


def test_a_clock_that_steps_back_does_not_end_the_trying(rig):
    rig.append()
    rig.faults.room = 0
    rig.append()
    rig.faults.room = None
    rig.later(-600)
    rig.append()
    assert rig.stored() == list(range(30))


@pytest.mark.parametrize("room", range(0, 700, 37))
def test_a_full_disk_leaves_whole_blocks(tmp_path, room):
    rig = Rig(tmp_path)
    rig.faults.room = room
    for _ in range(4):
        rig.append()
    assert rig.journal.full
    rig.journal.sync()
    (tmp_path / "lock").unlink()
    stored = rig.stored()
    assert stored == list(range(len(stored)))
    assert some.numbers(open_hot(tmp_path)) == stored
    rig.faults.room = None
    rig.later()
    rig.append()
    assert rig.stored() == list(range(50))
    assert rig.reopened() == list(range(50))


def test_beyond_the_limit_samples_are_dropped_and_counted(tmp_path):
    rig = Rig(tmp_path, waiting_limit=2000)
    rig.append()
    rig.faults.room = 0
    for _ in range(20):
        rig.append()
    kept = 200 - rig.journal.dropped[NUMBER]
    assert 0 < kept < 200
    assert rig.journal.dropped == {}
    rig.faults.room = None
    rig.later()
    rig.append()
    last = list(range(210, 220))
    assert rig.stored() == list(range(10 + kept)) + last
    assert rig.reopened() == list(range(10 + kept)) + last


def test_no_write_is_tried_while_there_is_less_room_than_it_needs(rig):
    rig.append()
    rig.faults.room = 100
    rig.append()
    deeds = len(rig.files.deeds)
    for _ in range(5):
        rig.later()
        rig.append()
    assert len(rig.files.deeds) == deeds


def test_a_file_that_cannot_even_be_cut_is_left(rig):
    rig.append()
    rig.faults.room = 100
    rig.faults.truncate_errors = [errno.EIO]
    rig.append()
    rig.faults.room = None
    rig.later()
    rig.append()
    assert rig.stored() == list(range(30))
    assert len(list(rig.folder.glob("*.journal"))) == 2
    assert rig.reopened() == list(range(30))


@pytest.mark.parametrize("failures", [1, 2, 3, 5])
@pytest.mark.parametrize("safe", [True, False])
def test_after_a_sync_that_failed_all_is_written_again(rig, failures, safe):
    if safe:
        rig.append()
        rig.journal.sync()
    rig.append()
    rig.append()
    rig.faults.sync_errors = [errno.EIO] * failures
    for _ in range(failures):
        rig.journal.sync()
        rig.later()
        rig.append()
    rig.journal.sync()
    assert rig.journal.sync_failures == failures
    assert rig.journal.unsynced_since_ns is None
    assert not rig.journal.full
    everything = list(range(rig.next))
    assert rig.stored() == everything
    assert some.numbers(open_hot(rig.folder)) == everything
    rig.files.cut_power()
    assert some.numbers(open_hot(rig.folder)) == everything


def test_a_sync_that_fails_for_long_is_told(rig):
    rig.append()
    rig.faults.sync_errors = [errno.EIO] * 2
    rig.journal.sync()
    assert rig.journal.full
    assert rig.journal.why == os.strerror(errno.EIO)
    assert rig.journal.unsynced_since_ns == some.NOW


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_written_again_comes_once_when_files_are_forgotten(rig, order):
    rig.append()
    rig.journal.sync()
    rig.append()
    rig.faults.sync_errors = [errno.EIO]
    rig.journal.sync()
    rig.journal.rotate()
    first, second = rig.journal.closed()
    assert [b.value.tolist() for b in first.scalars()] == [list(range(10))]
    assert [b.value.tolist() for b in second.scalars()] == [list(range(10, 20))]
    gone = (first, second)[::order][0]
    rig.journal.forget(gone)
    rest = list(range(10, 20)) if gone is first else list(range(10))
    assert rig.stored() == rest
    assert rig.reopened() == rest


def test_much_that_is_not_synced_is_synced_at_once(tmp_path):
    rig = Rig(tmp_path, waiting_limit=1000)
    for _ in range(10):
        rig.append()
        (path,) = rig.files.synced
        assert path.stat().st_size - rig.files.synced[path] < 1500
    assert sum(deed.what == "sync" for deed in rig.files.deeds) > 1
    rig.journal.close()


def test_a_new_file_is_safe_with_its_name(rig):
    rig.append()
    rig.journal.sync()
    what = [deed.what for deed in rig.files.deeds]
    assert what == ["create", "append", "sync", "sync_folder"]
    rig.append()
    rig.journal.sync()
    assert [deed.what for deed in rig.files.deeds][4:] == ["append", "sync"]
    rig.journal.sync()
    assert len(rig.files.deeds) == 6


@CALM
@given(pauses=st.lists(st.sampled_from([0.05, 0.1, 0.1, 0.2, 0.4]), max_size=60))
def test_no_sample_is_older_than_a_second_without_a_sync(tmp_path_factory, pauses):
    """The recorder's rule: sync when the oldest batch is half a second old."""
    rig = Rig(tmp_path_factory.mktemp("bound"))
    accepted = []
    for pause in pauses:
        rig.journal.rotate_if_due()
        rig.append()
        last = [deed for deed in rig.files.deeds if deed.what == "append"][-1]
        accepted.append((rig.clock.now, last.path, last.size))
        rig.later(pause)
        since = rig.journal.unsynced_since_ns
        if since is not None and rig.clock.now - since >= SECOND // 2:
            rig.journal.sync()
        for when, path, size in accepted:
            if rig.clock.now - when > SECOND:
                assert rig.files.synced[path] >= size
    rig.journal.close()


STEPS = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 30)),
    st.tuples(st.just("sync"), st.just(0)),
    st.tuples(st.just("rotate"), st.just(0)),
    st.tuples(st.just("later"), st.sampled_from([1, 3600])),
    st.tuples(st.just("room"), st.one_of(st.none(), st.integers(0, 3000))),
    st.tuples(st.just("most"), st.one_of(st.none(), st.integers(1, 300))),
    st.tuples(st.just("write"), st.integers(1, 3)),
    st.tuples(st.just("fsync"), st.integers(1, 4)),
    st.tuples(st.just("cut"), st.integers(1, 2)),
)


@CALM
@given(steps=st.lists(STEPS, max_size=40), power=st.booleans())
def test_whatever_fails_what_is_safe_is_there_exactly_once(tmp_path_factory, steps, power):
    rig = Rig(tmp_path_factory.mktemp("chaos"))
    safe = 0
    for what, n in steps:
        match what:
            case "append":
                rig.append(n)
            case "sync":
                rig.journal.sync()
            case "rotate":
                rig.journal.rotate()
            case "later":
                rig.later(n)
            case "room":
                rig.faults.room = n
            case "most":
                rig.faults.most = n
            case "write":
                rig.faults.write_errors = [errno.EIO] * n
            case "fsync":
                rig.faults.sync_errors = [errno.EIO] * n
            case "cut":
                rig.faults.truncate_errors = [errno.EIO] * n
        stored = rig.stored()
        assert stored == list(range(len(stored)))
        if rig.journal.unsynced_since_ns is None:
            safe = rig.next
        assert rig.journal.dropped == {}
    if power:
        rig.files.cut_power()
    found = some.numbers(open_hot(rig.folder))
    assert found == list(range(len(found)))
    assert len(found) >= safe
    if not power:
        rig.faults.__init__()
        rig.later(2)
        rig.journal.sync()
        assert rig.stored() == list(range(rig.next))
        assert rig.reopened() == list(range(rig.next))
    else:
        rig.faults.__init__()
        rig.journal.close()


def test_a_real_volume_that_is_full(small_volume):
    folder = small_volume("256k")
    clock = Clock()
    journal = Journal(folder / "journal", files=OsFiles(), clock=clock)
    some.declare_all(journal)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(100_000))
    done = 0
    while not journal.full:
        assert done < 100_000
        journal.append([some.counting(done, 100)], [])
        done += 100
    journal.append([some.counting(done, 100)], [])
    journal.sync()
    assert journal.why == os.strerror(errno.ENOSPC)
    stored = some.numbers(journal.part())
    assert stored == list(range(done - 100))
    assert some.numbers(open_hot(folder / "journal")) == stored
    ballast.unlink()
    clock.now += SECOND
    journal.sync()
    assert not journal.full
    assert some.numbers(journal.part()) == list(range(done + 100))
    journal.close()
    assert some.numbers(open_hot(folder / "journal")) == list(range(done + 100))
