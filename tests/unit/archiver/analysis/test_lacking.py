"""Those who study data are told what lacks of them: by a warning, an error, or not at all."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pyarrow.parquet as pq
import pytest
from client_fakes import FakeReader, samples_of

from linacre.archiver import Archive
from linacre.archiver.errors import LackingError, LackingWarning
from linacre.archiver.model import Kind
from linacre.base.errors import UserError

T0 = 1_764_000_000_000_000_000
END = T0 + 100


def the_reader() -> FakeReader:
    return FakeReader(
        {
            pv: samples_of(Kind.FLOAT64, range(T0, T0 + 9), range(9))
            for pv in ("WHOLE", "BAD", "C/D")
        },
        damaged={"BAD": 2, "C/D": 1},
    )


ASK: list[Callable[[Archive, str], Any]] = [
    lambda archive, pv: archive.samples(pv, T0, END),
    lambda archive, pv: list(archive.stream(pv, T0, END)),
    lambda archive, pv: archive.after(pv, T0, 3),
    lambda archive, pv: archive.bins(pv, T0, END, 5),
    lambda archive, pv: archive.table(pv, T0, END, period="10ns"),
    lambda archive, pv: archive.table(pv, T0, END, align="nearest", as_="pandas"),
    lambda archive, pv: list(archive.stream_table(pv, T0, END, window_bytes=200)),
]


@pytest.mark.parametrize("ask", ASK)
def test_each_answer_that_lacks_samples_says_so(ask: Callable[[Archive, str], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(Archive(the_reader()), "WHOLE")
        ask(Archive(the_reader(), on_damage="ignore"), "BAD")
        ask(Archive(the_reader(), on_damage="raise"), "WHOLE")
    with pytest.warns(LackingWarning, match=r"samples lack.*: BAD \(2\)$"):
        ask(Archive(the_reader()), "BAD")
    with pytest.raises(LackingError, match=r"BAD \(2\)$"):
        ask(Archive(the_reader(), on_damage="raise"), "BAD")


def test_the_warning_is_of_the_line_that_asked() -> None:
    with pytest.warns(LackingWarning) as told:
        Archive(the_reader()).samples("BAD", T0, END)
    assert told[0].filename == __file__


def test_answers_have_the_count() -> None:
    archive = Archive(the_reader(), on_damage="ignore")
    assert archive.samples("BAD", T0, END).damaged == 2
    assert archive.samples("WHOLE", T0, END).damaged == 0
    assert archive.bins("BAD", T0, END, 5).damaged == 2
    assert [piece.damaged for piece in archive.stream("BAD", T0, END)] == [0, 0, 0, 2]
    said = archive.table("*", T0, END, period="10ns").schema.metadata
    assert said[b"linacre.damaged"] == b"3"
    assert json.loads(said[b"linacre.damaged.by_pv"]) == {"BAD": 2, "C/D": 1}


@pytest.mark.parametrize("options", [{}, {"period": "10ns"}])
def test_files_have_it_too(tmp_path: Path, options: Any) -> None:
    archive = Archive(the_reader(), on_damage="ignore")

    parquet = archive.export("*", T0, END, tmp_path / "a.parquet", **options)
    hdf5 = archive.export("*", T0, END, tmp_path / "a.h5", **options)

    said = pq.read_metadata(parquet).metadata
    assert said[b"linacre.damaged"] == b"3"
    assert json.loads(said[b"linacre.damaged.by_pv"]) == {"BAD": 2, "C/D": 1}
    with h5py.File(hdf5) as root:
        of = root["table"] if options else root
        assert of["BAD"].attrs["damaged"] == 2
        assert of["C%2FD"].attrs["damaged"] == 1
        assert "damaged" not in of["WHOLE"].attrs


@pytest.mark.parametrize("name", ["a.parquet", "a.h5"])
@pytest.mark.parametrize("options", [{}, {"period": "10ns"}])
def test_no_file_is_made_where_it_is_an_error(tmp_path: Path, name: str, options: Any) -> None:
    archive = Archive(the_reader(), on_damage="raise")
    with pytest.raises(LackingError):
        archive.export("*", T0, END, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []
    archive.export("WHOLE", T0, END, tmp_path / name, **options)


def test_another_word_is_refused() -> None:
    with pytest.raises(UserError, match="write one of warn, raise, ignore"):
        Archive(the_reader(), on_damage="cry")  # type: ignore[arg-type]  # as a user may
