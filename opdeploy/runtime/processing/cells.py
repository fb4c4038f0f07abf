"""The cells of a table's columns as numbers and text, a column or a run of columns at once."""

from __future__ import annotations

import math
import re
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.runtime.processing.records import shown, unfit
from opdeploy.runtime.processing.spec import Boolean, Category, Number, TextColumn, category_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.processing.records import Json, Row

    Cells = Callable[[Sequence[Row]], NDArray[Any]]
    """Returns an array of records by columns."""

MAX_NUMBER_CHARACTERS = 100

_SHOWN_CATEGORIES = 10
_KEY_BITS = 1024
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_BOOLEANS: dict[Json, bool] = {
    False: False, "false": False, "False": False, "FALSE": False, "0": False,
    True: True, "true": True, "True": True, "TRUE": True, "1": True,
}  # fmt: skip


class BadCellError(Exception):
    """A cell that its column does not take: the record, the column, and why."""

    def __init__(self, record: int, column: str, reason: str) -> None:
        super().__init__(f'column "{column}" {reason}')
        self.record = record


def numbers(columns: Sequence[Number], dtype: np.dtype[Any], nulls: frozenset[str]) -> Cells:
    """Return what reads a run of number columns."""
    return _Integers(columns, dtype, nulls) if dtype.kind in "iu" else _Floats(columns, dtype, nulls)


def one(column: Boolean | TextColumn | Category, dtype: np.dtype[Any], nulls: frozenset[str]) -> Cells:
    """Return what reads one column."""
    if isinstance(column, TextColumn):
        return _Texts(column)
    return _Booleans(column, dtype, nulls) if isinstance(column, Boolean) else _Categories(column, dtype, nulls)


def _gather(records: Sequence[Row], names: Sequence[str]) -> list[Json]:
    if len(names) == 1:
        return [record[names[0]] for record in records]
    return list(chain.from_iterable(map(itemgetter(*names), records)))


def _is_missing(value: Json, nulls: frozenset[str]) -> bool:
    return (
        value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and value in nulls)
    )


class _Floats:
    """Number columns of a tensor of fractions: a double first, then rounded to what the tensor holds."""

    def __init__(self, columns: Sequence[Number], dtype: np.dtype[Any], nulls: frozenset[str]) -> None:
        self._names = [column.name for column in columns]
        self._fills = np.array([np.nan if column.missing in (None, "nan") else column.missing for column in columns])
        self._required = np.array([column.missing is None for column in columns])
        self._dtype = dtype
        self._nulls = nulls
        for index, column in enumerate(columns):
            with np.errstate(over="ignore"):
                if np.isinf(self._fills[index].astype(dtype)):
                    raise BadCellError(0, column.name, "has a number for missing values that its tensor cannot hold")

    def __call__(self, records: Sequence[Row]) -> NDArray[Any]:
        values = _gather(records, self._names)
        doubles = self._doubles(values).reshape(len(records), len(self._names))
        gaps = np.isnan(doubles)
        if gaps.any():
            self._refuse(gaps & self._required, values, "is missing; give a number, or declare what stands for it")
            doubles = np.where(gaps, self._fills, doubles)
        with np.errstate(over="ignore"):
            cells = doubles.astype(self._dtype)
        self._refuse(np.isinf(cells), values, f"is {{}}, which is no finite number of {8 * self._dtype.itemsize} bits")
        return cells

    def _doubles(self, values: list[Json]) -> NDArray[np.float64]:
        if set(map(type, values)) <= {int, float}:
            try:
                return np.array(values, np.float64)
            except OverflowError:
                pass  # a whole number beyond all doubles
        width = len(self._names)
        doubles = np.empty(len(values))
        for index, value in enumerate(values):
            try:
                doubles[index] = math.nan if _is_missing(value, self._nulls) else _parsed(value)
            except OverflowError:
                doubles[index] = math.inf
            except ValueError as error:
                raise BadCellError(index // width, self._names[index % width], str(error)) from None
        return doubles

    def _refuse(self, cells: NDArray[np.bool_], values: list[Json], reason: str) -> None:
        if cells.any():
            index = int(cells.argmax())
            record, column = divmod(index, len(self._names))
            raise BadCellError(record, self._names[column], reason.format(shown(values[index])))


class _Integers:
    """Number columns of a tensor of whole numbers, which are exact to their last digit."""

    def __init__(self, columns: Sequence[Number], dtype: np.dtype[Any], nulls: frozenset[str]) -> None:
        self._columns = columns
        self._range = range(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max) + 1)
        self._dtype = dtype
        self._nulls = nulls
        for column in columns:
            if column.missing is not None:
                self._whole(0, column, column.missing)

    def __call__(self, records: Sequence[Row]) -> NDArray[Any]:
        rows = [
            [self._cell(index, column, record[column.name]) for column in self._columns]
            for index, record in enumerate(records)
        ]
        return np.array(rows, self._dtype).reshape(len(records), len(self._columns))

    def _cell(self, record: int, column: Number, value: Json) -> int:
        if not _is_missing(value, self._nulls):
            return self._whole(record, column, value)
        if column.missing is None:
            raise BadCellError(record, column.name, "is missing; give a number, or declare what stands for it")
        return self._whole(record, column, column.missing)

    def _whole(self, record: int, column: Number, value: Json) -> int:
        try:
            number = _parsed(value)
        except ValueError as error:
            raise BadCellError(record, column.name, str(error)) from None
        if isinstance(number, float) and not number.is_integer():
            raise BadCellError(record, column.name, f"is {shown(value)}, which is no whole number")
        if int(number) not in self._range:
            raise BadCellError(record, column.name, f"is {shown(value)}, which is no {self._dtype}")
        return int(number)


def _parsed(value: Json) -> int | float:
    """Return a number, or what a text writes out as JSON and CSV do: no spaces, underscores, "nan" or "inf"."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(value):
        raise ValueError(f"is {shown(value)}, which is no number")
    return int(value) if value.lstrip("+-").isdigit() else float(value)


class _Booleans:
    """A column of true and false, as 1 and 0 where its tensor holds numbers."""

    def __init__(self, column: Boolean, dtype: np.dtype[Any], nulls: frozenset[str]) -> None:
        self._column = column
        self._dtype = dtype
        self._nulls = nulls

    def __call__(self, records: Sequence[Row]) -> NDArray[Any]:
        cells = [self._cell(index, record[self._column.name]) for index, record in enumerate(records)]
        return np.array(cells, self._dtype).reshape(-1, 1)

    def _cell(self, record: int, value: Json) -> bool:
        if _is_missing(value, self._nulls):
            if self._column.missing is None:
                raise BadCellError(record, self._column.name, "is missing; give true or false")
            return self._column.missing
        if isinstance(value, (str, int, float)) and value in _BOOLEANS:
            return _BOOLEANS[value]
        raise BadCellError(record, self._column.name, f"is {shown(value)}, which is neither true nor false")


class _Categories:
    """A column of categories: a number, or a 1 among zeros."""

    def __init__(self, column: Category, dtype: np.dtype[Any], nulls: frozenset[str]) -> None:
        self._column = column
        self._nulls = nulls
        self._rows = {category_key(category): row for row, category in enumerate(column.categories)}
        self._codes = _codes(column, dtype)
        """A row for each category, and the last for a value that is none of them."""

    def __call__(self, records: Sequence[Row]) -> NDArray[Any]:
        name = self._column.name
        rows = [self._row(index, record[name]) for index, record in enumerate(records)]
        cells: NDArray[Any] = self._codes[rows]
        return cells

    def _row(self, record: int, value: Json) -> int:
        if _is_missing(value, self._nulls):
            if self._column.missing is None:
                raise BadCellError(record, self._column.name, "is missing; give one of its categories")
            value = self._column.missing
        if not isinstance(value, (str, int, float)):
            raise BadCellError(record, self._column.name, f"is {shown(value)}, which is no category")
        row = self._rows.get(value if isinstance(value, str) else _key(value))
        if row is not None:
            return row
        if self._column.unknown == "refuse":
            known = ", ".join(list(self._rows)[:_SHOWN_CATEGORIES]) + ", …" * (len(self._rows) > _SHOWN_CATEGORIES)
            raise BadCellError(
                record, self._column.name, f"is {shown(value)}, which is none of its categories: {known}"
            )
        return len(self._rows)


def _key(value: float) -> str:
    """Return the key of a number, but none for one that has more digits than Python will write."""
    return "" if isinstance(value, int) and value.bit_length() > _KEY_BITS else category_key(value)


def _codes(column: Category, dtype: np.dtype[Any]) -> NDArray[Any]:
    count = len(column.categories)
    if column.encode == "one_hot":
        return np.eye(count + 1, count).astype(dtype)
    codes = [*range(count), column.unknown if isinstance(column.unknown, int) else 0]
    with np.errstate(over="ignore"):
        cells: NDArray[Any] = np.array(codes, object).astype(np.float64).astype(dtype)
    if cells.tolist() != codes:
        raise BadCellError(0, column.name, f"has categories, or a number for unknown ones, that {dtype} cannot hold")
    return cells.reshape(-1, 1)


class _Texts:
    """A column of text, as it is."""

    def __init__(self, column: TextColumn) -> None:
        self._column = column
        self._nulls = frozenset(column.nulls)

    def __call__(self, records: Sequence[Row]) -> NDArray[Any]:
        cells = np.empty((len(records), 1), np.object_)
        for index, record in enumerate(records):
            cells[index, 0] = self._cell(index, record[self._column.name])
        return cells

    def _cell(self, record: int, value: Json) -> str:
        if _is_missing(value, self._nulls):
            if self._column.missing is None:
                raise BadCellError(record, self._column.name, "is missing; give a text, or declare what stands for it")
            return self._column.missing
        if not isinstance(value, str):
            raise BadCellError(record, self._column.name, f"is {shown(value)}, where a text is wanted")
        reason = unfit(value)
        if reason:
            raise BadCellError(record, self._column.name, reason)
        return value
