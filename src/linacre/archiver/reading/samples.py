"""What an archive answers, in the forms in which people go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.history import MetadataHistory
from linacre.archiver.reading.convert import library, numpy_of, times_of, to_pandas, to_polars
from linacre.archiver.reading.damage import damage_of

Times = npt.NDArray[np.datetime64]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one PV in the order of time; n of them."""

    pv: str
    arrow: pa.Table
    """Columns `time` (int64 ns since 1970, UTC), `value`, `severity`, `status`, `tag`."""

    def __len__(self) -> int:
        return self.arrow.num_rows

    def __repr__(self) -> str:
        kind = self.kind or "unknown"
        if not len(self):
            return f"<no samples of {self.pv} ({kind})>"
        return f"<{len(self)} samples of {self.pv} ({kind}), {self.time[0]} to {self.time[-1]}>"

    @property
    def kind(self) -> str:
        """What the values are, as `linacre.archiver.model.Kind` names it."""
        return ((self.arrow.schema.metadata or {}).get(b"linacre.kind") or b"").decode()

    @property
    def damaged(self) -> int:
        """How many blocks of the archive's files lack in this answer since they are damaged."""
        return damage_of(self.arrow.schema)

    @property
    def time(self) -> Times:
        """The times, as datetime64[ns] in UTC."""
        return times_of(self.arrow)

    @property
    def time_ns(self) -> npt.NDArray[np.int64]:
        """The times, as nanoseconds since 1970 (UTC)."""
        return numpy_of(self.arrow, "time")

    @property
    def value(self) -> npt.NDArray[Any]:
        """The values; of arrays and texts an array of objects."""
        return numpy_of(self.arrow, "value")

    @property
    def severity(self) -> npt.NDArray[np.int8]:
        """0 no alarm, 1 minor, 2 major, 3 invalid."""
        return numpy_of(self.arrow, "severity")

    def to_numpy(self) -> tuple[Times, npt.NDArray[Any]]:
        """Return times and values, ready to be plotted."""
        return self.time, self.value

    def labels(self, history: MetadataHistory) -> npt.NDArray[Any]:
        """Return the labels of an enum's values, each as it was at its time."""
        return cast("Any", history.texts(self.time_ns, self.value)).to_numpy(zero_copy_only=False)

    def to_pandas(self, *, labels: Sequence[str] | MetadataHistory = ()) -> Any:
        """Return a DataFrame with an index of times in UTC.

        With an enum's `labels` its values are a Categorical of them: of some that hold for all
        samples, or of `Archive.metadata_history`, each as it was at its time.
        """
        frame = to_pandas(self.arrow)
        if isinstance(labels, MetadataHistory):
            frame["value"] = library("pandas").Categorical(self.labels(labels))
        elif labels:
            known = [code if 0 <= code < len(labels) else -1 for code in self.value.tolist()]
            frame["value"] = library("pandas").Categorical.from_codes(known, list(labels))
        return frame

    def to_polars(self) -> Any:
        """Return a polars DataFrame; its times are in UTC."""
        return to_polars(self.arrow)


@dataclass(frozen=True, eq=False)
class Bins:
    """What numbers of one PV did in each of n steps of time."""

    pv: str
    arrow: pa.Table
    """Columns as `linacre.archiver.service.BIN_FIELDS`; a bin is [start, end)."""

    def __len__(self) -> int:
        return self.arrow.num_rows

    def __repr__(self) -> str:
        return f"<{len(self)} bins of {self.pv}>"

    @property
    def damaged(self) -> int:
        """How many blocks of the archive's files lack in this answer since they are damaged."""
        return damage_of(self.arrow.schema)

    @property
    def start(self) -> Times:
        """When each bin begins, as datetime64[ns] in UTC."""
        return times_of(self.arrow, "start")

    @property
    def end(self) -> Times:
        """When each bin ends."""
        return times_of(self.arrow, "end")

    def column(self, name: str) -> npt.NDArray[Any]:
        """Return one of `mean`, `std`, `min`, `max`, `count`, ...; NaN in empty bins."""
        return numpy_of(self.arrow, name)

    def to_pandas(self) -> Any:
        """Return a DataFrame whose index is the bins' start, in UTC."""
        frame = to_pandas(self.arrow, "start")
        frame["end"] = to_pandas(self.arrow.select(["end"]), "end").index
        return frame

    def to_polars(self) -> Any:
        """Return a polars DataFrame; its times are in UTC."""
        return to_polars(self.arrow, ("start", "end"))
