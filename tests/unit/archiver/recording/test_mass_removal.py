"""Removing many PVs with their data gives their room on the disk back."""

from __future__ import annotations

import random
from pathlib import Path

from archiver_bench import Bench
from archiver_fakes import SECOND

from linacre.archiver.model import ChannelSpec, NoticeKind

PVS = [f"MANY:{number}" for number in range(800)]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_room_of_samples_and_of_the_registry_is_given_back(bench: Bench) -> None:
    """Also of samples that are in the present journal still, and of the registry's copy."""
    archiver = bench.open(pvs=tuple(ChannelSpec(pv=pv) for pv in ["KEPT", *PVS]))
    noise = random.Random(1)
    for number, pv in enumerate(["KEPT", *PVS]):
        series = bench.source.connect(pv)
        about = {"units": "mm", "labels": [f"{number} {noise.random()}" for _ in range(16)]}
        bench.source.tell(NoticeKind.METADATA, pv, about, series)
        times = [bench.now + n * SECOND // 1000 for n in range(150)]
        bench.source.put(series, times, [noise.random() for _ in times])
    bench.turn()
    assert archiver.maintain()
    before = {
        path.name: size(path) if path.is_dir() else path.stat().st_size
        for path in bench.folder.iterdir()
    }
    whole = size(bench.folder)
    archiver.control.remove(PVS, delete_data=True)
    for _ in range(20):
        bench.turn()
    assert not archiver.control.wishes
    assert archiver.maintain()
    assert size(bench.folder) < whole / 5, before
    assert len(bench.values("KEPT")) == 150
    assert archiver.reader.pvs() == ["KEPT"]
    bench.close()
    bench.open(pvs=())
    assert len(bench.values("KEPT")) == 150


def test_a_removal_that_leaves_the_data_takes_nothing(bench: Bench) -> None:
    archiver = bench.open()
    series = bench.source.connect("A")
    bench.source.put(series, [bench.now], [1.0])
    bench.turn()
    archiver.control.remove(["A"])
    bench.turn()
    assert archiver.maintain()
    assert bench.values("A") == [1.0]
