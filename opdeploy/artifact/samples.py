"""Records to try a model on: those that a user gives, else some that are drawn from its signature."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy.errors import InputError, OpdeployError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from opdeploy.runtime.session import Arrays, Session
    from opdeploy.runtime.tensors import TensorSpec

LABELS = "labels"
"""Name of the array in a data file that holds the right answers."""
SEED = 0
_FREE_SIZES = (16, 32, 64, 128, 224, 256, 8, 1)
"""Sizes to try for axes that are free beyond the batch, such as the length of a sequence or the edges of an image."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Records by input: the first axis of each array is the record."""

    inputs: Arrays
    source: str
    """Where they come from, in words."""
    synthetic: bool = False
    """Whether they were drawn at random: such records show that a model runs, not that its answers are right."""
    labels: NDArray[Any] | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(next(iter(self.inputs.values())))

    def take(self, index: NDArray[Any] | slice) -> Samples:
        """Return some of the records."""
        inputs = {name: array[index] for name, array in self.inputs.items()}
        return Samples(inputs, self.source, self.synthetic, None if self.labels is None else self.labels[index])

    def batches(self, size: int) -> Iterator[Arrays]:
        """Give the records in batches; the last one is smaller where they do not divide."""
        for start in range(0, len(self), size):
            yield {name: array[start : start + size] for name, array in self.inputs.items()}

    def batch(self, size: int) -> Arrays:
        """Return one batch, with records that stand in it several times where there are too few."""
        import numpy as np

        index = np.arange(size) % len(self)
        return {name: array[index] for name, array in self.inputs.items()}


def fixed_batch(specs: Sequence[TensorSpec]) -> int | None:
    """Return the number of records in every batch of a model that takes no other; None where it is free."""
    first = {spec.shape[0] for spec in specs if spec.shape}
    sizes = {size for size in first if isinstance(size, int)}
    return max(sizes) if len(sizes) == len(first) and sizes else None


def check_records(specs: Sequence[TensorSpec]) -> None:
    """Raise InputError for a model that takes no records: one with no inputs, or with one that has no axis for them."""
    if not specs:
        raise InputError("the model has no inputs; there is nothing to try it with")
    for spec in specs:
        if not spec.shape:  # which ONNX Runtime also says where the number of axes is open
            raise InputError(
                f"the model's input {spec.name!r} states no axes, so that none is that of the records; export the "
                "model with a batch axis"
            )


def read(path: Path, specs: Sequence[TensorSpec]) -> Samples:
    """Read a data file (`.npz`: an array for each input, and `labels` where there are any).

    Raises InputError for one that does not fit the model's inputs, or that holds what is not a number.
    """
    check_records(specs)
    arrays = read_npz(path)
    labels = arrays.pop(LABELS, None) if LABELS not in {spec.name for spec in specs} else None
    names = [spec.name for spec in specs]
    for name in arrays:
        if name not in names:
            raise InputError(f"{path}: {name!r} is no input of the model{nearest(name, names)}")
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(f"{path}: has no array for the input {missing[0]!r}; add it under that name")
    inputs = {spec.name: _fitted(path, spec, arrays[spec.name]) for spec in specs}
    counts = {name: len(array) for name, array in inputs.items()}
    if labels is not None:
        counts[LABELS] = len(labels) if labels.ndim else 0
        if labels.ndim and labels.size != len(labels):
            raise InputError(f"{path}: labels has the shape {list(labels.shape)}; give one class for each record")
    if len(set(counts.values())) != 1:
        said = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"{path}: its arrays have different numbers of records ({said}); make them equal")
    if not all(counts.values()):
        raise InputError(f"{path}: holds no records; put some in")
    return Samples(inputs, path.name, labels=labels)


def read_npz(path: Path) -> Arrays:
    """Read the arrays of an `.npz` file; nothing in it is executed.

    Raises InputError for what is no such file, or holds pickled objects.
    """
    import numpy as np

    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: is a single array; save arrays by name: numpy.savez(file, NAME=array)")
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a file that exists") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}; check the path") from None
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile, SyntaxError, KeyError) as error:
        why = "pickled objects, which are not loaded" if "pickle" in str(error) else "something else or only a part"
        raise InputError(f"{path}: is no .npz file of plain arrays, but {why}; write it with numpy.savez") from None


def _fitted(path: Path, spec: TensorSpec, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the type of an input; raises InputError where it does not fit."""
    import numpy as np

    wanted, where = spec.datatype.dtype, f"{path}: {spec.name}"
    if array.ndim != len(spec.shape) or any(
        isinstance(size, int) and size != found
        for size, found in zip(spec.shape[1:], array.shape[1:], strict=False)  # the first axis is that of the records
    ):
        axes = ", ".join(str(size) if size is not None else "?" for size in spec.shape)
        raise InputError(f"{where}: has the shape {list(array.shape)}, but the model takes [{axes}]; reshape it")
    text = wanted == np.dtype(object)
    kinds = {"U", "S", "T"} if text else {"f", "i", "u", "b"}
    if array.dtype.kind not in kinds or not (text or np.can_cast(array.dtype, wanted, "same_kind")):
        raise InputError(f"{where}: is of type {array.dtype}, but the model takes {spec.datatype.name}; convert it")
    if array.dtype.kind == "S":  # bytes, of which ONNX Runtime would take how Python writes them
        try:
            array = np.strings.decode(array, "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{where}: holds bytes that are no UTF-8 text; decode them") from None
    with np.errstate(over="ignore"):
        result = array.astype(wanted)
    if array.dtype.kind in "iu" and not np.array_equal(result, array):
        raise InputError(f"{where}: holds numbers too large for {spec.datatype.name}; convert them")
    if wanted.kind == "f" and not np.isfinite(result).all():
        raise InputError(f"{where}: holds what is not a finite number (NaN or infinity); replace it, or leave it out")
    return result


def synthetic(session: Session, records: int, seed: int = SEED) -> Samples:
    """Draw records from a model's signature: normally distributed numbers, zeros and ones for whole numbers.

    An axis that is free beyond the batch gets the first size with which the model runs. Raises InputError for a model
    that takes no records, OpdeployError where it runs with no size.
    """
    check_records(session.inputs)
    free = any(not isinstance(size, int) for spec in session.inputs for size in spec.shape[1:])
    failure = ""
    for size in _FREE_SIZES if free else (1,):
        inputs = {spec.name: _drawn(spec, records, size, seed + at) for at, spec in enumerate(session.inputs)}
        samples = Samples(inputs, f"drawn at random (seed {seed})", synthetic=True)
        try:
            session.run(samples.batch(fixed_batch(session.inputs) or min(2, records)))
        except OpdeployError as error:
            failure = str(error)
        else:
            return samples
    raise OpdeployError(f"with records drawn at random {failure}; give real ones with --data")


def _drawn(spec: TensorSpec, records: int, free: int, seed: int) -> NDArray[Any]:
    import numpy as np

    shape = (records, *(size if isinstance(size, int) else free for size in spec.shape[1:]))
    if math.prod(shape) > 2**30:
        raise OpdeployError(f"input {spec.name!r} is too large to draw at random; give real records with --data")
    generator = np.random.default_rng(seed)
    kind = spec.datatype.dtype.kind
    if kind == "f":
        return generator.standard_normal(shape, dtype=np.float32).astype(spec.datatype.dtype)
    if kind == "O":
        return np.full(shape, "a", dtype=object)
    return generator.integers(0, 2, shape).astype(spec.datatype.dtype)
