"""Compares what the truth suite's IOC has logged with what an archive has, sample by sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from common.truth_bursts import Sent
from common.truth_log import Rows
from common.truth_plan import CLOCKS, NS, TruthPv
from common.truth_reasons import Found, Missing, disagreement, later_in, missing_of
from common.truth_said import ca_metadata, pva_metadata
from common.truth_values import CA_BY_VALUE, SIZE, digests_of, pool
from common.truth_verdict import Verdict
from linacre.archiver.model import AHEAD_NS, Kind, Metadata
from linacre.archiver.service import Reader

_EVER = (10**18, 4 * 10**18)
"""2001 to 2096, ns."""


@dataclass(frozen=True)
class Samples:
    """The samples of one PV; n of each."""

    time: npt.NDArray[np.int64]
    digest: npt.NDArray[np.uint64]
    severity: npt.NDArray[np.int64]
    status: npt.NDArray[np.int64]


class Comparison:
    """What was sent, beside what a reader of the archive gives."""

    def __init__(self, sent: Sent, reader: Reader) -> None:
        self._sent, self._reader = sent, reader
        self.verdict = Verdict()
        self._told: Mapping[str, Mapping[str, int]] | None = None
        self._metadata: dict[tuple[str, int], Metadata] = {}

    def compare(self, numbers: Iterable[int], *, counts: bool = True) -> Iterator[int]:
        """Compare PVs by their numbers, and give each number when it is done.

        Without `counts` the archive may not have told all its own yet.
        """
        for number in numbers:
            self._compare(number, counts=counts)
            yield number

    def _compare(self, number: int, *, counts: bool) -> None:
        pv, verdict = self._sent.pvs[number], self.verdict
        lives = [log[log["pv"] == number] for log in self._sent.logs]
        rows: Rows = np.concatenate(lives)
        life = np.repeat(np.arange(len(lives)), [len(each) for each in lives])
        samples = self._read(pv, lives)
        place = self._places(pv, rows["stamp"], samples.time)
        known = place >= 0
        expected = self._digests(pv, rows, life)
        is_archived = np.zeros(len(rows), np.bool_)
        is_archived[place[known]] = True
        by_copy = self._by_copy(pv)[life]
        # Values come again: of the last that came of a burst, the latest is looked for.
        is_last = is_archived & ~later_in(is_archived, rows["burst"].astype(np.int64))
        odd = (expected[place] != samples.digest) | (by_copy & is_last)[place]
        is_moved = np.zeros(len(rows), np.bool_)
        for k in np.flatnonzero(known & odd).tolist():
            at = int(place[k])
            same = np.flatnonzero(
                (rows["burst"][at:] == rows["burst"][at]) & (expected[at:] == samples.digest[k])
            )
            # Of one that came late, the value may be of the burst that followed.
            soon = slice(at, at + SIZE)
            next_too = (life[soon] == life[at]) & (expected[soon] == samples.digest[k])
            if by_copy[at] and len(same):
                is_moved[at + same[-1 if is_last[at] else 0]] = True
            elif by_copy[at] and next_too.any():
                is_moved[at + int(np.argmax(next_too))] = True
            elif expected[at] != samples.digest[k]:
                text = f"{pv.name} at {samples.time[k]}: another value than was sent"
                verdict.blame("value", 1, text)
        self._check_alarms(pv, rows, samples, place)
        self._check_words(number, rows, life, samples.time, place)
        found = self._found(pv, rows, life, is_archived, is_moved)
        missing = missing_of(found)
        self._count(pv, number, found, missing, counts=counts)

    # -- What the archive has

    def _read(self, pv: TruthPv, lives: Sequence[Rows]) -> Samples:
        if len(pv.types) == 1:
            return self._stream(pv, pool(pv.types[0]).kind, *_EVER)
        pieces: list[Samples] = []
        for number, rows in enumerate(lives):
            # By lives: samples of several types would come as one that holds them all.
            first, last = int(rows["stamp"].min()), int(rows["stamp"].max())
            begin = self._reader.after(pv.name, first - 1, 1).column("time").to_pylist()
            if begin and begin[0] <= last:
                kind = pool(pv.type_in(number)).kind
                pieces.append(self._stream(pv, kind, begin[0], last))
        whole = _joined(pieces)
        total = sum(batch.num_rows for batch in self._reader.stream(pv.name, *_EVER))
        if total != len(whole.time):
            text = f"{pv.name}: {total} samples, {len(whole.time)} of them in the times of its IOC"
            self.verdict.blame("life", abs(total - len(whole.time)), text)
        return whole

    def _stream(self, pv: TruthPv, kind: Kind, start_ns: int, end_ns: int) -> Samples:
        pieces: list[Samples] = []
        for batch in self._reader.stream(pv.name, start_ns, end_ns):
            columns: Any = batch
            if not len(columns):
                continue
            is_kind = (columns.schema.metadata or {}).get(b"linacre.kind", b"").decode()
            if is_kind != kind:
                self.verdict.blame(
                    "type", len(columns), f"{pv.name}: of kind {is_kind}, sent as {kind}"
                )
                continue
            marks = (columns.column(name).to_numpy() for name in ("severity", "status"))
            digests = digests_of(kind, columns.column("value"))
            pieces.append(Samples(columns.column("time").to_numpy(), digests, *marks))
        return _joined(pieces)

    # -- Whether it is what was sent

    def _places(self, pv: TruthPv, stamp: Any, time: Any) -> npt.NDArray[np.int64]:
        """Return the place of each sample among the updates; -1: it was never sent."""
        order = np.argsort(stamp, kind="stable")
        at = np.minimum(np.searchsorted(stamp[order], time), len(stamp) - 1)
        place = np.where(stamp[order][at] == time, order[at], -1)
        if strange := int(np.count_nonzero(place < 0)):
            first = int(time[place < 0][0])
            self.verdict.blame("unsent", strange, f"{pv.name} at {first}: archived and never sent")
        inward = place[place >= 0]
        if turned := int(np.count_nonzero(np.diff(inward) <= 0)):
            self.verdict.blame(
                "order", turned, f"{pv.name}: {turned} samples in another order than sent"
            )
        return place

    def _digests(self, pv: TruthPv, rows: Rows, life: Any) -> npt.NDArray[np.uint64]:
        found = np.zeros(len(rows), np.uint64)
        for number in np.unique(life).tolist():
            mine = life == number
            found[mine] = pool(pv.type_in(number)).digests[rows["value"][mine]]
        return found

    def _by_copy(self, pv: TruthPv) -> npt.NDArray[np.bool_]:
        """Return in which lives its server has but the newest of its values."""
        is_ca = self._sent.protocol == "ca"
        lives = range(len(self._sent.logs))
        return np.array([is_ca and pv.type_in(k) not in CA_BY_VALUE for k in lives], np.bool_)

    def _check_alarms(self, pv: TruthPv, rows: Rows, samples: Samples, place: Any) -> None:
        known = place >= 0
        for name, have in (("severity", samples.severity), ("status", samples.status)):
            wrong = np.flatnonzero(have[known] != rows[name][place[known]])
            if len(wrong):
                at = samples.time[known][wrong[0]]
                self.verdict.blame(
                    "alarm", len(wrong), f"{pv.name} at {at}: another {name} than was sent"
                )

    def _check_words(self, number: int, rows: Rows, life: Any, time: Any, place: Any) -> None:
        """Check labels, units, limits and precision at the time of each sample."""
        pv = self._sent.pvs[number]
        history = self._reader.metadata_history(pv.name, *_EVER)
        known = place >= 0
        at = np.searchsorted(np.array(history.from_ns, np.int64), time[known], side="right") - 1
        said = rows["said"][place[known]].astype(np.int64)
        lives = life[place[known]]
        apart = np.array([(one, number) in self._sent.apart for one in range(len(self._sent.logs))])
        # What was said before, with the first value after it: the server sent that first.
        before = np.concatenate([said[:1], said[:-1]])
        excused = np.where((before != said) & apart[lives], before, -1)
        all_of = np.stack([np.maximum(at, 0), said, lives, excused])
        pairs, first, count = np.unique(all_of, axis=1, return_index=True, return_counts=True)
        for (k, new, one, old), begin, many in zip(pairs.T.tolist(), first, count, strict=True):
            sent = self._words(pv.type_in(one), new)
            if history.said[k] == sent:
                continue
            if old >= 0 and history.said[k] == self._words(pv.type_in(one), old):
                self.verdict.words_apart += int(many)
            else:
                text = f"{pv.name} at {time[known][begin]}: {_difference(history.said[k], sent)}"
                self.verdict.blame("words", int(many), f"{text} ({many} samples)")

    def _words(self, of: str, number: int) -> Metadata:
        if (of, number) not in self._metadata:
            words = ca_metadata if self._sent.protocol == "ca" else pva_metadata
            self._metadata[of, number] = words(of, number)
        return self._metadata[of, number]

    # -- What lacks

    def _found(self, pv: TruthPv, rows: Rows, life: Any, is_archived: Any, is_moved: Any) -> Found:
        bursts = self._sent.bursts
        if self._sent.protocol == "ca":
            may_merge, is_counted = np.ones(len(rows), np.bool_), ~self._by_copy(pv)[life]
        else:
            may_merge = np.array([burst.steep for burst in bursts])[rows["burst"]]
            is_counted = np.zeros(len(rows), np.bool_)
        return Found(pv, rows, life, is_archived, is_moved, bursts, may_merge, is_counted)

    def _count(
        self, pv: TruthPv, number: int, found: Found, missing: Missing, *, counts: bool
    ) -> None:
        verdict, rows = self.verdict, found.rows
        replaced = int(self._sent.replaced[number]) if counts else 0
        verdict.sent += len(rows)
        verdict.archived += int(np.count_nonzero(found.is_archived))
        verdict.replaced += replaced
        verdict.missing.update({str(why): count for why, count in missing.by_reason.items()})
        if lost := missing.unexplained:
            at = rows[lost[0]]
            text = f"{pv.name}: {len(lost)} updates lack without a reason, the first of "
            verdict.blame("lacking", len(lost), f"{text}{at['stamp']}, burst {at['burst']}")
        if not counts:
            return
        if self._told is None:
            self._told = _refused(self._reader)
        told = self._told.get(pv.name, {})
        text = disagreement(
            missing,
            told,
            replaced=replaced,
            again=self._again(pv, number, found),
            is_counted=self._sent.protocol == "pva" or bool(found.is_counted.all()),
        )
        if text:
            verdict.blame("counts", 1, f"{pv.name}: {text}")

    def _again(self, pv: TruthPv, number: int, found: Found) -> int:
        """Return how many updates may have come once more, and been refused again.

        An update that was doubted and archived was refused first, and asked for. The present value
        that a connection begins with is refused where it is none of a right clock.
        """
        ahead = np.array([burst.ahead_of(pv) * NS > AHEAD_NS for burst in found.bursts])
        doubted = int(np.count_nonzero(found.is_archived & ahead[found.rows["burst"]]))
        joins = self._sent.joins if pv.group in CLOCKS else 0
        return doubted + joins + int(self._sent.repeated[number])


def _joined(pieces: Sequence[Samples]) -> Samples:
    names: Mapping[str, Callable[[Samples], Any]] = {
        "time": lambda one: one.time,
        "digest": lambda one: one.digest,
        "severity": lambda one: one.severity,
        "status": lambda one: one.status,
    }
    types = {"time": np.int64, "digest": np.uint64, "severity": np.int64, "status": np.int64}
    return Samples(
        **{
            name: np.concatenate([np.zeros(0, types[name]), *map(of, pieces)])
            for name, of in names.items()
        }
    )


def _refused(reader: Reader) -> Mapping[str, Mapping[str, int]]:
    """Return what the archive tells that it refused, by PV and reason."""
    found: dict[str, Counter[str]] = {}
    for event in reader.events(None, *_EVER):
        if event.kind == "dropped":
            counts = {
                reason: int(str(count))
                for reason, count in event.detail.items()
                if reason not in ("stamp_ns", "count", "since_ns")
            }
            found.setdefault(event.pv, Counter()).update(counts)
    return found


def _difference(has: Metadata, sent: Metadata) -> str:
    for name in sent.__dataclass_fields__:
        if getattr(has, name) != getattr(sent, name):
            return f"{name} {getattr(has, name)!r}, sent as {getattr(sent, name)!r}"
    return "the same words"
