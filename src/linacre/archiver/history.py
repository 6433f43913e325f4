"""What was known of a PV over a time: each sample has the words that held when it was made."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.model import Int64s, Metadata


@dataclass(frozen=True)
class MetadataHistory:
    """Metadata, and since when each held, ns: n of both, at least one, in the order of time.

    The first held before its time too: a set point's first sample may be older than its first
    connection, and has units too.
    """

    from_ns: tuple[int, ...] = (0,)
    said: tuple[Metadata, ...] = (Metadata(),)

    def at(self, time_ns: int) -> Metadata:
        """Return what held at a time."""
        return self.said[max(0, bisect_right(self.from_ns, time_ns) - 1)]

    @property
    def is_labelled(self) -> bool:
        """Whether there were ever labels."""
        return any(one.labels for one in self.said)

    def texts(self, time: Int64s, index: Sequence[int] | npt.NDArray[Any]) -> pa.Array[Any]:
        """Return the labels of an enum's n values at their times; the number where it has none."""
        place = np.searchsorted(np.array(self.from_ns, np.int64), time, side="right") - 1
        pairs = np.stack([np.maximum(place, 0), np.asarray(index, np.int64)])
        different, at = np.unique(pairs, axis=1, return_inverse=True)
        places: list[list[int]] = different.T.tolist()
        texts = [label_of(self.said[k], value) for k, value in places]
        return pa.array(texts, pa.string()).take(cast("Any", pa).array(at.reshape(-1)))

    def changes(self, of: Callable[[Metadata], object]) -> list[tuple[int, Any]]:
        """Return something of it as it began, and each change: since when, and what."""
        found: list[tuple[int, Any]] = []
        for from_ns, one in zip(self.from_ns, self.said, strict=True):
            if not found or of(one) != found[-1][1]:
                found.append((from_ns, of(one)))
        return found


def label_of(said: Metadata, index: int) -> str:
    """Return the label of an enum's value; the number where it has none."""
    return said.labels[index] if 0 <= index < len(said.labels) else str(index)
