"""Rows of a table: columns of numbers, true and false, categories and text, side by side in the model's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError, closest
from opdeploy.runtime.processing import cells
from opdeploy.runtime.processing.cells import BadCellError
from opdeploy.runtime.processing.records import refused, shown
from opdeploy.runtime.processing.signature import FLOATS, INTEGERS, check_rank, check_size, find
from opdeploy.runtime.processing.spec import Boolean, Category, Number, TextColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.runtime.processing.cells import Cells
    from opdeploy.runtime.processing.records import Record, Row
    from opdeploy.runtime.processing.spec import Column, Table
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

_FIELD = "processing.input"
_DATATYPES: dict[type[Column], tuple[str, ...]] = {
    Number: (*FLOATS, *INTEGERS),
    Boolean: ("BOOL", *FLOATS, *INTEGERS),
    Category: (*FLOATS, *INTEGERS),
    TextColumn: ("BYTES",),
}


class Tables:
    """Makes the tensors of rows."""

    def __init__(self, declared: Table, inputs: Sequence[TensorSpec]) -> None:
        """Check the declaration against the model; raises InputError where they do not fit."""
        self._declared = declared
        self._names = {column.name for column in declared.columns}
        nulls = frozenset(declared.nulls)
        columns: dict[str, list[Column]] = {}
        specs: dict[str, TensorSpec] = {}
        for index, column in enumerate(declared.columns):
            tensor = column.tensor or declared.tensor or column.name
            specs[tensor] = find(inputs, tensor, f"{_FIELD}.columns[{index}]", _DATATYPES[type(column)])
            columns.setdefault(tensor, []).append(column)
        try:
            self._tensors = [_Tensor(specs[name], held, nulls) for name, held in columns.items()]
        except BadCellError as error:
            raise InputError(f"{_FIELD}: {error}") from None
        self.tensors_fed = set(columns)

    def tensors(self, records: Sequence[Record]) -> Arrays:
        """Return the batch: for each tensor its columns, in the order of the declaration."""
        rows = [self._row(*each) for each in enumerate(records)]
        try:
            return {tensor.name: tensor(rows) for tensor in self._tensors}
        except BadCellError as error:
            raise refused(error.record, str(error)) from None

    def _row(self, index: int, record: Record) -> Row:
        if not isinstance(record, Mapping):
            raise refused(index, f"is {shown(record)}, where a row has a value for each column")
        if not self._names <= record.keys():
            raise refused(index, _absent(self._names, record))
        if self._declared.extra == "refuse" and len(record) > len(self._names):
            strange = sorted(str(name) for name in record.keys() - self._names)
            raise refused(index, f"has a column {shown(strange[0])}, which is not declared")
        return record


_LOOKED_AT = 1000
"""How many names are compared for the nearest one."""


def _absent(names: set[str], row: Row) -> str:
    """Return what is said of a row that lacks a column: perhaps it has it under a misspelt name."""
    absent = min(names - row.keys())
    misspelt = closest(absent, sorted(str(name) for name in row.keys() - names)[:_LOOKED_AT])
    if misspelt is None:
        return f'has no column "{absent}"'
    return f'has no column "{absent}", but {shown(misspelt)}; did you mean "{absent}"?'


class _Tensor:
    """One tensor, and the columns that stand in it."""

    def __init__(self, spec: TensorSpec, columns: Sequence[Column], nulls: frozenset[str]) -> None:
        self.name = spec.name
        self._dtype = spec.datatype.dtype
        self._flat = len(spec.shape) == 1
        self._width = sum(column.width if isinstance(column, Category) else 1 for column in columns)
        check_rank(spec, (1, 2) if self._width == 1 else (2,), f"{_FIELD}.columns")
        if not self._flat:
            check_size(spec, 1, self._width, f"{_FIELD}.columns")
        self._blocks = _blocks(columns, self._dtype, nulls)

    def __call__(self, rows: Sequence[Row]) -> np.ndarray[Any, np.dtype[Any]]:
        blocks = [block(rows) for block in self._blocks]
        table = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
        return table[:, 0] if self._flat else table


def _blocks(columns: Sequence[Column], dtype: np.dtype[Any], nulls: frozenset[str]) -> list[Cells]:
    """Return what reads the columns; numbers that stand side by side are read at once."""
    blocks: list[Cells] = []
    for _, run in groupby(columns, key=lambda column: isinstance(column, Number)):
        held = list(run)
        run_of_numbers = [column for column in held if isinstance(column, Number)]
        if run_of_numbers:
            blocks.append(cells.numbers(run_of_numbers, dtype, nulls))
        blocks.extend(cells.one(column, dtype, nulls) for column in held if not isinstance(column, Number))
    return blocks
