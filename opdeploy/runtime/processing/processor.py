"""What makes tensors of records, and answers of tensors: the same for the server, batch jobs and databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError
from opdeploy.runtime.processing.answers import answers
from opdeploy.runtime.processing.images import Images
from opdeploy.runtime.processing.spec import Image, Table
from opdeploy.runtime.processing.tables import Tables
from opdeploy.runtime.processing.texts import Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from opdeploy.runtime.processing.answers import Answer
    from opdeploy.runtime.processing.records import Record
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec


class Processor:
    """Makes tensors of records and answers of tensors, as declared; it may be called from several threads at once."""

    def __init__(
        self, processing: Processing, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], files: Path
    ) -> None:
        """Check a declaration against the tensors of a model; `files` is the folder of the package.

        Raises InputError where they do not fit, a file is not there, or a package is missing that it needs.
        """
        self._inputs = tuple(inputs)
        self._before = _before(processing, inputs, files)
        self._after = answers(processing, inputs, outputs, files)
        unfed = [spec.name for spec in inputs if spec.name not in self._before.tensors_fed]
        if unfed:
            raise InputError(f"processing.input: nothing goes to the model's input {unfed[0]!r}; declare what does")

    def tensors(self, records: Sequence[Record]) -> Arrays:
        """Return a batch: for each input of the model an array whose first axis is that of the records.

        Raises InputError for a record that does not fit, with its place in the batch and what is wrong.
        """
        for spec in self._inputs:
            size = spec.shape[0] if spec.shape else None
            if isinstance(size, int) and size != len(records):
                raise InputError(f"these are {len(records)} records, where the model takes {size} at once")
        if not records:
            raise InputError("there are no records; give at least one")
        return self._before.tensors(records)

    def answers(self, outputs: Mapping[str, NDArray[Any]], inputs: Arrays) -> list[Answer]:
        """Return an answer for each record; `inputs` are the tensors that the model made these outputs of.

        Raises OpdeployError where the outputs have other shapes than declared, or are not finite.
        """
        return self._after(outputs, inputs)


def _before(processing: Processing, inputs: Sequence[TensorSpec], files: Path) -> Images | Tables | Texts:
    declared = processing.input
    if isinstance(declared, Image):
        return Images(declared, inputs)
    return Tables(declared, inputs) if isinstance(declared, Table) else Texts(declared, inputs, files)
