import shutil

import journal_samples as some
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journal_samples import Clock

from linacre.archiver.model import Kind
from linacre.archiver.store.files import OsFiles
from linacre.archiver.store.hot import HotPart
from linacre.archiver.store.journal.format import HEADER
from linacre.archiver.store.journal.journal import Journal
from linacre.archiver.store.journal.read import read_folder

CALM = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small journal: its bytes, and its blocks of samples as (begin, end, PV, rows)."""
    folder = tmp_path_factory.mktemp("written")
    journal = Journal(folder, files=OsFiles(), clock=Clock())
    some.declare_all(journal)
    for k in range(3):
        journal.append([some.counting(3 * k, 3)], [])
        journal.append(
            [some.scalar_batch([(some.NUMBER[Kind.ENUM], some.NOW + k, k)])],
            [some.blob_batch([(some.NUMBER[Kind.STRING], some.NOW + k, b"text" * k)])],
        )
    journal.rotate()
    (file,) = journal.closed()
    part = some.contents(journal.part())
    size = file.path.stat().st_size
    journal.close()
    view = file.view()
    blocks = []
    for index in (view.scalars, view.blobs):
        for body, rows, first in zip(
            index.body, np.diff(index.first), index.first[:-1], strict=True
        ):
            pv = some.SERIES[int(index.series[first])].pv
            before = int((index.series[:first] == index.series[first]).sum())
            begin = int(body) - HEADER.size
            length = HEADER.unpack_from(file.path.read_bytes(), begin)[3]
            blocks.append((begin, int(body) + length, pv, part[pv][before : before + rows]))
    assert max(end for _, end, *_ in blocks) == size
    return file.path.read_bytes(), blocks


def recover(folder, content):
    """Open a journal with such a file, and return what is read and what is damaged."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "00000001.journal").write_bytes(content)
    journal = Journal(folder, files=OsFiles(), clock=Clock())
    some.declare_all(journal)
    found = some.contents(journal.part())
    damage = journal.damage
    # It can be written on, behind.
    journal.append([some.counting(100)], [])
    assert some.numbers(journal.part())[-10:] == list(range(100, 110))
    journal.close()
    return found, damage


def wanted_of(blocks):
    wanted = {}
    for _, _, pv, rows in sorted(blocks):
        wanted.setdefault(pv, []).extend(rows)
    return wanted


def test_a_file_cut_at_any_byte_keeps_its_whole_blocks(tmp_path, written):
    content, blocks = written
    path = tmp_path / "00000001.journal"
    for size in range(len(content), -1, -1):
        path.write_bytes(content[:size])
        files, names, damage = read_folder(tmp_path)
        found = some.contents(HotPart([file.view() for file in files], names))
        assert found == wanted_of(b for b in blocks if b[1] <= size), size
        assert damage == [], size


@pytest.mark.parametrize("lack", range(0, 200, 13))
def test_a_file_that_was_cut_short_does_not_stop_the_journal(tmp_path, written, lack):
    content, blocks = written
    size = len(content) - lack
    found, damage = recover(tmp_path / "cut", content[:size])
    assert found == wanted_of(b for b in blocks if b[1] <= size)
    assert damage == []


@pytest.mark.parametrize("zeros", [1, 7, 8, 31, 32, 33, 4096])
def test_zeros_behind_the_last_block_are_no_damage(tmp_path, written, zeros):
    content, blocks = written
    found, damage = recover(tmp_path / "zeros", content + bytes(zeros))
    assert found == wanted_of(blocks)
    assert damage == []


@CALM
@given(data=st.data())
def test_a_flipped_bit_costs_its_block_only_and_is_reported(tmp_path, written, data):
    content, blocks = written
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = bytearray(content)
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    found, damage = recover(tmp_path / "flip", flipped)
    assert found == wanted_of(b for b in blocks if not b[0] <= place < b[1])
    assert len(damage) == 1
    assert damage[0].file == "00000001.journal"
    assert damage[0].offset <= place < damage[0].offset + damage[0].length
    for begin, end, *_ in blocks:
        if begin <= place < end:
            assert (damage[0].offset, damage[0].length) == (begin, end - begin)


@CALM
@given(
    places=st.lists(
        st.tuples(st.integers(0, 10_000), st.binary(min_size=1, max_size=300)), max_size=4
    )
)
def test_overwritten_bytes_cost_no_block_that_they_do_not_touch(tmp_path, written, places):
    content, blocks = written
    spoilt = bytearray(content)
    touched = np.zeros(len(content), bool)
    for place, other in places:
        place %= len(content)
        end = min(place + len(other), len(content))
        spoilt[place:end] = other[: end - place]
        touched[place:end] = True
    touched &= np.frombuffer(content, np.uint8) != np.frombuffer(spoilt, np.uint8)
    found, damage = recover(tmp_path / "spoilt", spoilt)
    assert found == wanted_of(b for b in blocks if not touched[b[0] : b[1]].any())
    # What is spoilt is reported, but at the end it may look like what a kill left.
    tail = max((end for begin, end, *_ in blocks if not touched[begin:end].any()), default=0)
    for place in np.flatnonzero(touched[:tail]):
        assert any(d.offset <= place < d.offset + d.length for d in damage)


def test_samples_whose_series_is_lost_are_left_out(tmp_path, written):
    content, _ = written
    at = content.index(b'"pv": "LIN:int64"')
    spoilt = bytearray(content)
    spoilt[at] ^= 1
    (tmp_path / "00000001.journal").write_bytes(spoilt)
    (file,), names, damage = read_folder(tmp_path)
    assert len(damage) == 1
    assert HotPart([file.view()], names).pvs() == {"LIN:enum", "LIN:string"}
    known = {series.pv for series in file.series.values()}
    assert known == {"LIN:enum", "LIN:string"}
    for batch in (*file.scalars(), *file.blobs()):
        assert set(batch.series.tolist()) <= set(file.series)
    assert sum(len(batch) for batch in file.scalars()) == 3


def test_blobs_whose_series_is_lost_are_left_out(tmp_path, written):
    content, _ = written
    spoilt = bytearray(content)
    spoilt[content.index(b'"pv": "LIN:string"')] ^= 1
    (tmp_path / "00000001.journal").write_bytes(spoilt)
    (file,), _, _ = read_folder(tmp_path)
    assert [len(batch) for batch in file.blobs()] == []
    assert sum(len(batch) for batch in file.scalars()) == 12


def test_a_file_of_nothing_but_damage_is_kept_under_another_name(tmp_path):
    (tmp_path / "00000001.journal").write_bytes(b"not a journal" * 10)
    journal = Journal(tmp_path, files=OsFiles(), clock=Clock())
    assert len(journal.damage) == 1
    journal.close()
    assert (tmp_path / "00000001.damaged").exists()
    again = Journal(tmp_path, files=OsFiles(), clock=Clock())
    assert again.damage == []
    again.close()
