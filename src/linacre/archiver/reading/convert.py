"""Arrow tables as pandas, polars and xarray have them; each is imported only when it is asked for.

The column `time`, int64 nanoseconds, becomes the index or coordinate of times: UTC.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from linacre.archiver.history import MetadataHistory
from linacre.base.errors import LinacreError

FORMS = ("arrow", "pandas", "polars", "xarray")


def numpy_of(table: pa.Table, column: str) -> npt.NDArray[Any]:
    """Return a column as numpy has it: numbers as they are, text and arrays as objects."""
    return cast("Any", table).column(column).to_numpy()


def times_of(table: pa.Table, column: str = "time") -> npt.NDArray[np.datetime64]:
    """Return a column of times as datetime64[ns], which is UTC."""
    return numpy_of(table, column).astype("datetime64[ns]")


def to_pandas(table: pa.Table, index: str = "time") -> Any:
    """Return a DataFrame with an index of times in UTC."""
    pandas = library("pandas")
    times = pandas.DatetimeIndex(times_of(table, index), tz="UTC", name=index)
    frame = cast("Any", table).drop_columns([index]).to_pandas()
    frame.index = times
    return frame


def to_polars(table: pa.Table, times: Sequence[str] = ("time",)) -> Any:
    """Return a DataFrame whose columns of times are Datetime("ns", "UTC")."""
    polars = library("polars")
    frame = polars.from_arrow(table)
    kind = polars.Datetime("ns", "UTC")
    return frame.with_columns([polars.col(name).cast(kind) for name in times])


def to_xarray(table: pa.Table, metadata: Mapping[str, MetadataHistory]) -> Any:
    """Return a Dataset along `time`, which is datetime64[ns], UTC though it cannot say so.

    Arrays of one length are variables of two dimensions, the second `<PV>:element`; others are
    objects. Units and descriptions at the end are attributes; where the units changed,
    `units_from` has since when (ns) they were what.
    """
    xarray = library("xarray")
    variables: dict[str, Any] = {}
    for name in table.schema.names:
        if name == "time":
            continue
        values = numpy_of(table, name)
        dimensions = ["time"]
        if values.dtype == object and (stacked := stack(values)) is not None:
            values = stacked
            dimensions.append(f"{name}:element")
        history = metadata.get(name, MetadataHistory())
        known = history.said[-1]
        said = {"units": known.units, "long_name": known.description}
        attributes: dict[str, object] = {key: text for key, text in said.items() if text}
        if len(units := history.changes(lambda one: one.units)) > 1:
            attributes["units_from"] = [f"{at}: {text}" for at, text in units]
        variables[name] = (dimensions, values, attributes)
    return xarray.Dataset(variables, coords={"time": times_of(table)})


def stack(values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return arrays of one length and type as one of two dimensions; None where they are not."""
    first = values[0] if len(values) else None
    if not isinstance(first, np.ndarray):
        return None
    array = cast("npt.NDArray[Any]", first)
    for value in values:
        if (
            not isinstance(value, np.ndarray)
            or cast("npt.NDArray[Any]", value).shape != array.shape
        ):
            return None
    return np.stack(list(values))


def library(name: str) -> Any:
    """Import a library that not everybody has; `LinacreError` says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise LinacreError(f"{name} is not here: pip install 'linacre[analysis]'") from error
