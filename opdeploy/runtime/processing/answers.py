"""What a model gives, as answers: labels with scores, a number, a vector, or the tensors as they are.

Exponentials, sums and roots are taken in double precision and rounded to single precision at the end, so that the
last digits of a machine's mathematics do not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.processing.signature import FLOATS, INTEGERS, check_rank, check_size, find, read_file
from opdeploy.runtime.processing.spec import Classification, Embedding, Regression, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from opdeploy.runtime.processing.records import Json
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

    Answer = dict[str, Json]
    Outputs = Mapping[str, NDArray[Any]]
    Answers = Callable[[Outputs, Arrays], list[Answer]]
    """Returns an answer for each record of a batch, of its outputs and inputs."""

_FIELD = "processing.output"
_SMALLEST_NORM = 1e-12
"""What a norm is at least, as in torch.nn.functional.normalize (documentation of PyTorch 2.13)."""
_SMALLEST_COUNT = 1e-9
"""What a number of tokens is at least: a text of none has the vector 0."""
_MATRIX, _SEQUENCE = 2, 3


def answers(
    processing: Processing, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], files: Path
) -> Answers:
    """Return what makes answers; raises InputError where the declaration does not fit the model."""
    declared = processing.output
    if isinstance(declared, Classification):
        return _Classes(declared, outputs, files)
    if isinstance(declared, Regression):
        return _Numbers(declared, outputs)
    if isinstance(declared, Embedding):
        mask = processing.input.mask if isinstance(processing.input, Text) else None
        return _Vectors(declared, inputs, outputs, mask)
    return _Raw(outputs)


class _Classes:
    """The best label with its score; of equal scores the first."""

    def __init__(self, declared: Classification, outputs: Sequence[TensorSpec], files: Path) -> None:
        self._declared = declared
        labels = declared.labels
        if isinstance(labels, str):
            lines = read_file(files, labels, f"{_FIELD}.labels").removesuffix("\n").split("\n")
            labels = tuple(line.removesuffix("\r") for line in lines)
            if not all(labels):
                raise InputError(f"{_FIELD}.labels: a line of the file is empty; write one label in each line")
        self._labels = labels
        spec = find(outputs, declared.tensor, f"{_FIELD}.tensor", FLOATS)
        check_rank(spec, (1, 2, 3, 4), f"{_FIELD}.tensor")
        size = 1 if len(spec.shape) == 1 else spec.shape[1] if spec.shape else None
        if size == 1 and declared.activation == "softmax":
            raise InputError(
                f"{_FIELD}.activation: {spec.name!r} has one score, of which softmax makes 1; take sigmoid"
            )
        count = 2 if size == 1 else size
        if isinstance(count, int) and labels and len(labels) != count:
            raise InputError(f"{_FIELD}.labels: are {len(labels)}, where {spec.name!r} tells {count} apart")
        if isinstance(count, int) and declared.top_k > count:
            raise InputError(f"{_FIELD}.top_k: is {declared.top_k}, where {spec.name!r} tells {count} apart")

    def __call__(self, outputs: Outputs, inputs: Arrays) -> list[Answer]:
        name = self._declared.tensor
        scores = _scores(_flat(name, _rows(name, outputs, inputs)), self._declared.activation)
        _check_finite(name, scores)
        if self._labels and len(self._labels) != scores.shape[1]:
            raise OpdeployError(
                f"{name!r} tells {scores.shape[1]} classes apart, where {len(self._labels)} have labels"
            )
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._declared.top_k]
        return [
            self._answer(places, values)
            for places, values in zip(best.tolist(), np.take_along_axis(scores, best, 1).tolist(), strict=True)
        ]

    def _answer(self, places: list[int], scores: list[float]) -> Answer:
        labels: list[Json] = [self._labels[place] if self._labels else place for place in places]
        best: Answer = {"label": labels[0], "score": scores[0]}
        if self._declared.top_k == 1:
            return best
        top = zip(labels, scores, strict=True)
        return {**best, "top": [{"label": label, "score": score} for label, score in top]}


def _scores(values: NDArray[Any], activation: str) -> NDArray[Any]:
    """Return the score of each class; one score is that of the second of two classes."""
    if activation != "none":
        values = values.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused afterwards
            values = _softmax(values) if activation == "softmax" else _sigmoid(values)
    if values.shape[1] == 1:
        values = np.concatenate([1 - values, values], axis=1)
    return values if activation == "none" else values.astype(np.float32)


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(-np.abs(values))
    shares: NDArray[np.float64] = np.where(values >= 0, 1, powers) / (1 + powers)
    return shares


class _Numbers:
    """One number, with its unit where one is declared."""

    def __init__(self, declared: Regression, outputs: Sequence[TensorSpec]) -> None:
        self._declared = declared
        spec = find(outputs, declared.tensor, f"{_FIELD}.tensor", (*FLOATS, *INTEGERS))
        check_rank(spec, (1, 2), f"{_FIELD}.tensor")
        if len(spec.shape) == _MATRIX:
            check_size(spec, 1, 1, f"{_FIELD}.tensor")
        if declared.name == "unit":
            raise InputError(f"{_FIELD}.name: is unit, which is a field of its own; take another")

    def __call__(self, outputs: Outputs, inputs: Arrays) -> list[Answer]:
        name = self._declared.tensor
        values = _flat(name, _rows(name, outputs, inputs))
        _check_finite(name, values)
        if values.shape[1] != 1:
            raise OpdeployError(f"{name!r} has {values.shape[1]} numbers for a record, where one is wanted")
        unit: Answer = {"unit": self._declared.unit} if self._declared.unit else {}
        return [{self._declared.name: value, **unit} for value in values[:, 0].tolist()]


class _Vectors:
    """A vector: the model's own, that of its first token, or the mean of those of all its tokens."""

    def __init__(
        self, declared: Embedding, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], mask: str | None
    ) -> None:
        self._declared = declared
        spec = find(outputs, declared.tensor, f"{_FIELD}.tensor", FLOATS)
        check_rank(spec, (_MATRIX if declared.pool == "none" else _SEQUENCE,), f"{_FIELD}.pool")
        self._mask = declared.mask or mask
        if declared.pool == "mean":
            if self._mask is None:
                raise InputError(f"{_FIELD}.mask: the mean needs an input that tells tokens from padding; name it")
            find(inputs, self._mask, f"{_FIELD}.mask", ("BOOL", *FLOATS, *INTEGERS))

    def __call__(self, outputs: Outputs, inputs: Arrays) -> list[Answer]:
        name = self._declared.tensor
        vectors = self._pooled(_rows(name, outputs, inputs), inputs)
        _check_finite(name, vectors)
        if self._declared.normalize == "l2":
            doubles = vectors.astype(np.float64)
            norms = np.sqrt((doubles * doubles).sum(axis=1, keepdims=True))
            vectors = (doubles / np.maximum(norms, _SMALLEST_NORM)).astype(np.float32)
        return [{"embedding": vector} for vector in vectors.tolist()]

    def _pooled(self, vectors: NDArray[Any], inputs: Arrays) -> NDArray[Any]:
        pool = self._declared.pool
        if vectors.ndim != (_MATRIX if pool == "none" else _SEQUENCE):
            raise OpdeployError(
                f"{self._declared.tensor!r} has the shape {list(vectors.shape)}, which is not for {pool}"
            )
        if pool == "none":
            return vectors
        if pool == "cls":
            return vectors[:, 0]
        mask = inputs[self._mask or ""].astype(np.float64)[:, :, None]
        if mask.shape[:2] != vectors.shape[:2]:
            raise OpdeployError(f"{self._declared.tensor!r} has {vectors.shape[1]} vectors for {mask.shape[1]} tokens")
        means: NDArray[np.float64] = (vectors * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), _SMALLEST_COUNT)
        return means if self._declared.normalize == "l2" else means.astype(np.float32)


class _Raw:
    """Every output by name."""

    def __init__(self, outputs: Sequence[TensorSpec]) -> None:
        self._names = [spec.name for spec in outputs]

    def __call__(self, outputs: Outputs, inputs: Arrays) -> list[Answer]:
        lists = {}
        for name in self._names:
            array = _rows(name, outputs, inputs)
            _check_finite(name, array)
            lists[name] = array.tolist()
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _rows(name: str, outputs: Outputs, inputs: Arrays) -> NDArray[Any]:
    """Return an output, which has as many rows as there are records."""
    array = outputs[name]
    count = len(next(iter(inputs.values())))
    if not array.ndim or len(array) != count:
        raise OpdeployError(f"{name!r} has the shape {list(array.shape)} for {count} records; its first axis is theirs")
    return array


def _flat(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return rows of numbers, without axes of one element behind them."""
    if array.size != len(array) * (array.shape[1] if array.ndim > 1 else 1):
        raise OpdeployError(f"{name!r} has the shape {list(array.shape)}, where one row for each record is wanted")
    return array.reshape(len(array), -1)


def _check_finite(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        record = int(np.argwhere(~np.isfinite(array))[0][0])
        raise OpdeployError(f"record {record}: the model's answer {name!r} is not finite, which no score can be")
