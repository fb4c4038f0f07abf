"""The inputs on which source and result are compared: the user's own, or drawn from a fixed seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert.exported import need, one_line
from opdeploy.artifact.samples import read_npz
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from opdeploy.artifact.convert.exported import Exported
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

SEED = 0
BATCHES = (1, 2, 5, 64)
"""Records of each batch that is drawn, where the batch axis is free."""
FIXED_BATCHES = 4
"""Batches that are drawn, where it is not."""
OTHER_AXIS = 8
"""Size of an axis that is free, other than the batch."""
CHUNK = 256
"""Most records of the user's own in a batch."""


def read(path: Path) -> Arrays:
    """Return the arrays of an `.npz` file, or the columns of a `.csv` table, by name.

    Raises InputError for any other file, and for one that cannot be read; arrays of objects are not loaded, since that
    would run a pickle.
    """
    import numpy as np

    if not path.is_file():
        raise InputError(f"{path}: no such file; name a .npz or .csv file")
    if path.suffix.lower() == ".npz":
        return {name: np.atleast_1d(array) for name, array in read_npz(path).items()}
    try:
        if path.suffix.lower() == ".csv":
            table = need("pandas", "sklearn", str(path)).read_csv(path)
            return {str(name): table[name].to_numpy() for name in table}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: cannot be read: {one_line(error)}; write it again") from None
    raise InputError(f"{path}: is neither .npz nor .csv; write the inputs to one of these")


def fitted(data: Arrays, specs: Sequence[TensorSpec], path: Path) -> Arrays:
    """Return the user's arrays as the model takes them: by name, in its types and shapes.

    A table's columns are put beside each other for a model that takes one matrix; a missing text becomes the empty one.
    Raises InputError for what is missing, and for shapes and types that do not fit.
    """
    import numpy as np

    found: Arrays = {}
    for spec in specs:
        array = data.get(spec.name)
        if array is None and len(specs) == 1:
            columns = list(data.values())
            if len(columns) > 1 and len({column.shape for column in columns}) > 1:
                raise InputError(f"{path}: its arrays have different shapes; name the one for {spec.name!r} so")
            array = columns[0] if len(columns) == 1 else np.column_stack(columns)
        if array is None:
            raise InputError(
                f"{path}: has no input {spec.name!r}, only {', '.join(data)}; name its arrays as the model does"
            )
        found[spec.name] = _as(array, spec, path)
    if len({len(array) for array in found.values()}) != 1 or not len(next(iter(found.values()))):
        raise InputError(f"{path}: its inputs have no records, or not equally many; write it again")
    return found


def _as(array: NDArray[Any], spec: TensorSpec, path: Path) -> NDArray[Any]:
    import numpy as np

    if array.ndim < len(spec.shape):
        array = array.reshape(*array.shape, *[1] * (len(spec.shape) - array.ndim))
    wanted = spec.shape[1:]
    if array.ndim != len(spec.shape) or any(
        isinstance(size, int) and size != had for size, had in zip(wanted, array.shape[1:], strict=True)
    ):
        raise InputError(
            f"{path}: {spec.name!r} has the shape {list(array.shape)}, not {list(spec.shape)}; write it so"
        )
    if spec.datatype.name == "BYTES":
        flat = ["" if value is None or value != value else str(value) for value in array.reshape(-1).tolist()]  # noqa: PLR0124 - NaN
        return np.array(flat, object).reshape(array.shape)
    try:
        cast = array.astype(spec.datatype.dtype)
    except (TypeError, ValueError):
        raise InputError(
            f"{path}: {spec.name!r} holds {array.dtype}, not {spec.datatype.name}; write numbers"
        ) from None
    if cast.dtype.kind in "iub" and not np.array_equal(cast, array):
        raise InputError(f"{path}: {spec.name!r} holds numbers that {spec.datatype.name} cannot; write whole ones")
    return cast


def batches(arrays: Arrays, size: int | None) -> Iterator[Arrays]:
    """Give the user's records in batches of the model's size; where it is free, the first alone, then all in chunks."""
    count = len(next(iter(arrays.values())))
    if size is None:
        yield {name: array[:1] for name, array in arrays.items()}
    step = size or CHUNK
    for start in range(0, count - (count % step if size else 0), step):
        yield {name: array[start : start + step] for name, array in arrays.items()}


def drawn(specs: Sequence[TensorSpec], exported: Exported, size: int | None) -> Iterator[Arrays]:
    """Give batches from a fixed seed: around what the source told of itself, else normally distributed numbers."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    for at, count in enumerate([size] * FIXED_BATCHES if size else BATCHES):
        yield {spec.name: _values(rng, spec, count, exported, shorter=at) for spec in specs}


def _values(
    rng: np.random.Generator, spec: TensorSpec, count: int, exported: Exported, *, shorter: int = 0
) -> NDArray[Any]:
    """Draw an input; axes that the source says are free are so much shorter than in its example, which it takes."""
    import numpy as np

    example = (exported.examples or {}).get(spec.name)
    sizes = [axis if isinstance(axis, int) else OTHER_AXIS for axis in spec.shape]
    if example is not None and example.ndim == len(sizes):
        sizes = [
            max(1, had - shorter) if axis in exported.free else had
            for axis, had in zip(spec.shape, example.shape, strict=True)
        ]
    shape = (count, *sizes[1:]) if sizes and not isinstance(spec.shape[0], int) else tuple(sizes)
    known = (exported.ranges or {}).get(spec.name)
    dtype = spec.datatype.dtype
    if spec.datatype.name == "BYTES":
        return _texts(rng, shape, known)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        pool = known if known is not None else example if example is not None else np.arange(2)
        return rng.choice(np.asarray(pool).reshape(-1), shape).astype(dtype)
    if known is not None:
        return _around(rng, shape, known).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _around(rng: np.random.Generator, shape: tuple[int, ...], known: NDArray[Any]) -> NDArray[Any]:
    """Draw numbers near the thresholds of each feature, on both sides and on them."""
    import numpy as np

    table = np.asarray(known, np.float64).reshape(len(known), -1)
    rows = rng.integers(0, len(table), shape)
    at = np.take_along_axis(table, rows.reshape(-1, table.shape[1]), axis=0).reshape(shape)
    return np.asarray(at + rng.choice([0, 1], shape) * rng.standard_normal(shape) * table.std(axis=0))


def _texts(
    rng: np.random.Generator, shape: tuple[int, ...], known: Mapping[Any, Any] | NDArray[Any] | None
) -> NDArray[Any]:
    """Draw known categories, one that nobody knows, and the empty text; of texts several words each."""
    import numpy as np

    pool = np.array(["a", "b"] if known is None or not len(known) else list(known), object)
    if len(shape) > 1:
        return rng.choice(pool, shape).astype(object)
    return np.array([" ".join(rng.choice(pool, 5)) for _ in range(shape[0])], object)
