"""Columns of HDF5 files that grow by Arrow arrays.

Numbers are datasets of one dimension, with nulls as NaN (integers that have nulls are float64);
text is variable-length UTF-8; arrays of one length are datasets of two dimensions, and of
several lengths variable-length ones; arrays of texts are JSON text.
"""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pt

from linacre.archiver.reading.convert import library

_CHUNK_BYTES = 256 << 10
_COPIED_ROWS = 4096


class Growing:
    """One dataset, made with the first rows; `nullable` numbers are float64."""

    def __init__(self, group: Any, name: str, of: pa.DataType, *, nullable: bool = False) -> None:
        self._h5py = library("h5py")
        self._group, self._name = group, name
        self._nested = pt.is_large_list(of) or pt.is_list(of)
        self._text = pt.is_string(of) or (self._nested and pt.is_string(cast("Any", of).value_type))
        self._item = _item(of, nullable)
        self._ragged = False
        self._length: int | None = None
        self._rows = 0
        if self._text:
            self._make((0,), (None,), self._h5py.string_dtype())
        elif not self._is_array:
            self._make((0,), (None,), self._item)

    @property
    def dataset(self) -> Any:
        """The dataset; None before the first rows of arrays."""
        return self._group.get(self._name)

    def append(self, values: pa.Array[Any]) -> None:
        """Add rows."""
        if self._text:
            self._write([_text(value) for value in values.to_pylist()])
        elif not self._is_array:
            numbers = cast("Any", values).to_numpy(zero_copy_only=False)
            self._write(numbers.astype(self._item, copy=False))
        else:
            self._append_arrays(_arrays(values, self._item))

    def close(self) -> None:
        """Make an empty dataset where there were no rows."""
        if self.dataset is None:
            self._make((0, 0), (None, None), self._item)

    @property
    def _is_array(self) -> bool:
        return self._nested or self._item == np.uint8

    def _append_arrays(self, arrays: list[npt.NDArray[Any]]) -> None:
        if not arrays:
            return
        if self._length is None and not self._ragged:
            self._length = len(arrays[0])
            self._make((0, self._length), (None, self._length), self._item)
        if not self._ragged and any(len(array) != self._length for array in arrays):
            self._make_ragged()
        if self._ragged:
            self._write_ragged(arrays)
        else:
            self._write(np.stack(arrays))

    def _make_ragged(self) -> None:
        """Go over to rows of any length; HDF5 does not give back what the old ones took."""
        self._group.move(self._name, f"{self._name}.equal")
        old = self._group[f"{self._name}.equal"]
        self._ragged, rows, self._rows = True, self._rows, 0
        self._make((0,), (None,), self._h5py.vlen_dtype(self._item))
        for k in range(0, rows, _COPIED_ROWS):
            self._write_ragged(list(old[k : min(k + _COPIED_ROWS, rows)]))
        del self._group[f"{self._name}.equal"]

    def _make(self, shape: tuple[int, ...], most: tuple[int | None, ...], of: Any) -> None:
        variable = self._text or self._ragged
        width = 16 if variable else max(1, int(np.prod(shape[1:]))) * np.dtype(of).itemsize
        rows = max(1, min(16 * 1024, _CHUNK_BYTES // width))
        empty = 0 in shape[1:]
        packed = {} if variable or empty else {"compression": "gzip", "compression_opts": 1}
        self._group.create_dataset(
            self._name,
            shape=shape,
            maxshape=most,
            dtype=of,
            chunks=(rows, *(max(1, size) for size in shape[1:])),
            shuffle=not variable and not empty,
            **packed,
        )

    def _write(self, rows: Any) -> None:
        if not len(rows):
            return
        dataset = self._group[self._name]
        dataset.resize(self._rows + len(rows), axis=0)
        dataset[self._rows :] = rows
        self._rows += len(rows)

    def _write_ragged(self, arrays: list[npt.NDArray[Any]]) -> None:
        dataset = self._group[self._name]
        dataset.resize(self._rows + len(arrays), axis=0)
        # One by one: h5py takes rows that happen to be of one length for a dataset of two
        # dimensions.
        for array in arrays:
            dataset[self._rows] = array
            self._rows += 1


def _item(of: pa.DataType, nullable: bool) -> np.dtype[Any]:
    if pt.is_large_list(of) or pt.is_list(of):
        of = cast("Any", of).value_type
    elif nullable and (pt.is_integer(of) or pt.is_floating(of)):
        return np.dtype(np.float64)
    if pt.is_string(of):
        return np.dtype(object)
    if pt.is_large_binary(of) or pt.is_binary(of):
        return np.dtype(np.uint8)
    return np.dtype(cast("Any", of).to_pandas_dtype())


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _arrays(values: pa.Array[Any], item: np.dtype[Any]) -> list[npt.NDArray[Any]]:
    """Return the rows; a null is an array of nothing."""
    rows: list[npt.NDArray[Any]] = []
    for value in cast("Any", values).to_numpy(zero_copy_only=False):
        if value is None:
            rows.append(np.zeros(0, dtype=item))
        elif isinstance(value, bytes):
            rows.append(np.frombuffer(value, dtype=np.uint8))
        else:
            rows.append(np.asarray(value, dtype=item))
    return rows
