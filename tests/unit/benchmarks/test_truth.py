"""The truth suite: what is not as it was sent is found, and what lacks has a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from common.truth_bursts import Burst, Sent
from common.truth_compare import Comparison
from common.truth_log import HEAD, ROW, UNWATCHED, LogWriter, read_log
from common.truth_plan import NS, TruthPv
from common.truth_said import ca_metadata, pva_metadata
from common.truth_values import CA_ALL, PVA_TYPES, SIZE, digests_of, pool
from common.truth_verdict import Verdict
from linacre.archiver.history import MetadataHistory
from linacre.archiver.model import Kind, Metadata
from linacre.archiver.service import Event
from linacre.archiver.store.part import arrow_type

AT = 1_700_000_000 * NS
LONG = 40


@dataclass
class FakeArchive:
    """The samples of one PV, as a reader gives them."""

    kind: Kind
    rows: list[tuple[int, Any, int, int]]
    history: MetadataHistory
    dropped: dict[str, int] = field(default_factory=dict)

    def stream(self, pv: str, start_ns: int, end_ns: int) -> Iterator[pa.RecordBatch]:
        names = ("time", "value", "severity", "status")
        columns = list(zip(*self.rows, strict=True))
        types = (pa.int64(), arrow_type(self.kind), pa.int8(), pa.int16())
        arrays = [pa.array(column, of) for column, of in zip(columns, types, strict=True)]
        schema = pa.schema(
            list(zip(names, types, strict=True)), metadata={"linacre.kind": self.kind.value}
        )
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def metadata_history(self, pv: str, start_ns: int, end_ns: int) -> MetadataHistory:
        return self.history

    def events(self, pv: str | None, start_ns: int, end_ns: int) -> Sequence[Event]:
        return [Event("A", AT, "dropped", {**self.dropped, "count": 7})]


@dataclass
class Case:
    """A log of one PV that counts, and an archive that has all of it."""

    protocol: str = "ca"
    of: str = "long"
    burst: Burst = field(default_factory=lambda: Burst(0, 0, 0.0))
    replaced: int = 0

    def __post_init__(self) -> None:
        self.log = np.zeros(LONG, ROW)
        self.log["stamp"] = AT + np.arange(LONG)
        self.log["value"] = np.arange(LONG)
        self.log["said"] = np.arange(LONG) // 20
        self.log["severity"] = np.arange(LONG) % 4
        words = ca_metadata if self.protocol == "ca" else pva_metadata
        values = pool(self.of).values
        rows = [(AT + k, values[k], k % 4, 0) for k in range(LONG)]
        said = (words(self.of, 0), words(self.of, 1))
        self.archive = FakeArchive(pool(self.of).kind, rows, MetadataHistory((AT, AT + 20), said))

    def lose(self, *places: int) -> None:
        kept = [row for k, row in enumerate(self.archive.rows) if k not in places]
        self.archive.rows = kept

    def verdict(self) -> Verdict:
        pv = TruthPv("A", (self.of,), "plain")
        sent = Sent(
            self.protocol, [pv], [self.burst], [self.log], np.array([self.replaced]), np.array([0])
        )
        comparison = Comparison(sent, self.archive)
        assert list(comparison.compare([0])) == [0]
        return comparison.verdict


@pytest.mark.parametrize("protocol", ["ca", "pva"])
def test_what_agrees_is_right(protocol: str) -> None:
    found = Case(protocol, "long" if protocol == "ca" else "i").verdict()
    assert (found.sent, found.archived, found.wrong, found.named) == (LONG, LONG, 0, [])
    assert not found.missing


def test_another_value_alarm_type_or_word_is_found() -> None:
    case = Case()
    case.archive.rows[7] = (AT + 7, 12345, 3, 0)
    case.archive.rows[8] = (AT + 8, pool("long").values[8], 1, 0)
    case.archive.history = replace(
        case.archive.history, from_ns=(AT, AT + 22), said=case.archive.history.said
    )
    found = case.verdict()
    assert found.wrong_by == {"value": 1, "alarm": 1, "words": 2}
    assert found.named[0] == f"A at {AT + 7}: another value than was sent"
    assert found.named[1] == f"A at {AT + 8}: another severity than was sent"
    assert found.named[2] == f"A at {AT + 20}: units 'u0', sent as 'u1' (2 samples)"
    case = Case()
    case.archive.kind = Kind.INT64
    assert case.verdict().named[0] == "A: of kind int64, sent as int32"


def test_what_was_never_sent_is_found() -> None:
    case = Case()
    case.archive.rows.append((AT + LONG, 1, 0, 0))
    found = case.verdict()
    assert found.named == [f"A at {AT + LONG}: archived and never sent"]


def test_what_lacks_without_a_reason_is_found() -> None:
    case = Case("pva", "i")
    case.lose(3, LONG - 1)
    found = case.verdict()
    assert found.wrong == 2
    assert found.named == [f"A: 2 updates lack without a reason, the first of {AT + 3}, burst 0"]


def test_a_server_merges_but_for_the_last_and_its_count_is_held_against_it() -> None:
    case = Case(replaced=2)
    case.lose(3, 4)
    found = case.verdict()
    assert (found.wrong, found.missing) == (0, {"merged_by_server": 2})
    case = Case(replaced=1)
    case.lose(3, 4)
    assert case.verdict().named == [
        "A: 2 refused or merged by the log, 1 by the counts of the archive and the server"
    ]
    case = Case(replaced=1)
    case.lose(LONG - 1)
    assert case.verdict().wrong == 2


def test_of_pvaccess_only_bursts_above_the_queue_are_merged() -> None:
    case = Case("pva", "i", Burst(0, 0, 0.0, steep=True))
    case.lose(3, 4)
    assert case.verdict().missing == {"merged_by_server": 2}


def test_of_an_array_the_newest_comes_with_an_earlier_stamp() -> None:
    case = Case(of="long[]")
    values = pool("long[]").values
    case.archive.rows[30] = (AT + 30, values[LONG - 1], 30 % 4, 0)
    case.archive.rows = case.archive.rows[:31]
    found = case.verdict()
    assert found.missing == {"earlier_stamp": 1, "merged_by_server": 8}
    assert found.wrong == 0
    case = Case(of="long[]")
    case.archive.rows = case.archive.rows[:31]
    assert case.verdict().wrong_by == {"lacking": 9}, "the value of the last is not there"
    # As in a long burst: the value of the last is that of an earlier one too.
    case = Case(of="long[]")
    case.log["value"][LONG - 1] = 30
    case.archive.rows = case.archive.rows[:31]
    assert case.verdict().missing == {"earlier_stamp": 1, "merged_by_server": 8}
    case = Case()
    case.archive.rows[30] = (AT + 30, pool("long").values[31], 30 % 4, 0)
    assert case.verdict().wrong == 1, "of a number each is kept"


def test_what_is_refused_is_held_against_the_archives_count() -> None:
    for told, wrong in ((10, 0), (9, 1), (11, 1)):
        case = Case("pva", "i")
        case.log["stamp"][10:20] -= 5 * NS
        case.lose(*range(10, 20))
        case.archive.dropped = {"not_increasing": told}
        found = case.verdict()
        assert found.missing == {"not_increasing": 10}
        assert found.wrong == wrong
    case = Case("pva", "i")
    case.archive.dropped = {"disk": 1}
    assert case.verdict().named == ["A: the archive tells of samples refused as disk"]


def test_clocks_connections_and_kills_are_reasons() -> None:
    case = Case("pva", "i", Burst(0, 0, 20.0))
    case.lose(*range(LONG))
    case.archive.rows = [(AT + LONG - 1, pool("i").values[LONG - 1], (LONG - 1) % 4, 0)]
    case.archive.dropped = {"ahead": LONG - 1}
    assert case.verdict().missing == {"ahead": LONG - 1}
    case = Case("pva", "i")
    case.log["flags"][:5] = UNWATCHED
    case.lose(*range(4))
    assert case.verdict().missing == {"not_connected": 4}
    case = Case("pva", "i", Burst(0, 0, 0.0, killed=True))
    case.lose(*range(30, LONG))
    assert case.verdict().missing == {"killed": 10}


@pytest.mark.parametrize("name", sorted({*CA_ALL, *PVA_TYPES}))
def test_neighbours_differ(name: str) -> None:
    digests = pool(name).digests
    assert len(digests) == SIZE
    assert np.count_nonzero(digests[1:] == digests[:-1]) <= (2 if name in ("?[]", "enum[]") else 0)


def test_digests_are_of_what_stands_there() -> None:
    texts = pa.array(["", "a", "b", "ab", "ba", "a\0"], pa.string())
    assert len(set(digests_of(Kind.STRING, texts).tolist())) == 6
    lists: Any = pa.array([[], [1.0], [1.0, 0.0], [0.0, 1.0], [1.0]], pa.large_list(pa.float64()))
    found = digests_of(Kind.FLOAT64_ARRAY, lists)
    assert len(set(found.tolist())) == 4
    assert found[1] == found[4]
    assert digests_of(Kind.FLOAT64_ARRAY, lists.slice(1, 3)).tolist() == found[1:4].tolist()
    numbers = digests_of(Kind.FLOAT64, pa.array([0.0, -0.0, np.nan]))
    assert len(set(numbers.tolist())) == 3


def test_a_log_is_read_while_it_is_written(tmp_path) -> None:
    writer = LogWriter(tmp_path / "log", 10)
    assert len(read_log(tmp_path / "log")) == 0
    row = np.zeros(1, ROW)
    row["stamp"], row["pv"] = AT, 3
    writer.memory[HEAD : HEAD + ROW.itemsize] = row.tobytes()
    writer.memory[:8] = (1).to_bytes(8, "little")
    (found,) = read_log(tmp_path / "log")
    assert (int(found["stamp"]), int(found["pv"])) == (AT, 3)


def test_words_of_numbers_are_what_an_archive_has() -> None:
    assert ca_metadata("string", 1) == Metadata()
    assert ca_metadata("enum", 1).labels[0] == "1 off"
    assert pva_metadata("choice", 2).labels[1] == "2 on"
    assert pva_metadata("table", 3) == Metadata(description="d3")
