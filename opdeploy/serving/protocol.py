"""The JSON documents of the Open Inference Protocol, version 2: requests to arrays, arrays to responses."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from reprlib import repr as short
from typing import TYPE_CHECKING, Any

import orjson

from opdeploy.serving.tensors import to_array, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import TensorSpec


class RequestError(Exception):
    """A request that cannot be answered: an HTTP status and one sentence for the client."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Signature:
    """The inputs a model takes and the outputs it gives."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


@dataclass(frozen=True)
class InferRequest:
    """A checked request: its id if it has one, an array for each input, and the outputs to return, in order."""

    id: str | None
    inputs: dict[str, NDArray[Any]]
    outputs: tuple[TensorSpec, ...]


def parse(body: bytes | bytearray, signature: Signature) -> InferRequest:
    """Return the inference request that the body holds, checked against the signature.

    Raises RequestError where the body is not JSON, breaks the protocol, or does not fit the signature.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise RequestError("the body must be a JSON object")
    identifier = document.get("id")
    if not isinstance(identifier, str | None):
        raise RequestError("id must be a string")
    return InferRequest(
        identifier,
        _inputs(_by_name(document.get("inputs"), "inputs"), signature.inputs),
        _outputs(_by_name(document.get("outputs") or [], "outputs"), signature.outputs),
    )


def render(model_name: str, model_version: str, request: InferRequest, arrays: Sequence[NDArray[Any]]) -> bytes:
    """Return the response body for the arrays, one for each output of the request.

    A value that is not finite becomes null, because JSON has neither NaN nor infinity.
    """
    outputs = [
        {"name": spec.name, "datatype": spec.datatype.name, "shape": array.shape, "data": to_json(array)}
        for spec, array in zip(request.outputs, arrays, strict=True)
    ]
    identifier = {} if request.id is None else {"id": request.id}
    document = {"model_name": model_name, "model_version": model_version, **identifier, "outputs": outputs}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def render_error(message: str) -> bytes:
    """Return the body of an error response."""
    return orjson.dumps({"error": message})


def _by_name(tensors: Any, field: str) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - any JSON value
    if not isinstance(tensors, list):
        raise RequestError(f"{field} must be an array of tensors")
    named: dict[str, dict[str, Any]] = {}
    for tensor in tensors:
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise RequestError(f"each of {field} must be an object with a name")
        if tensor["name"] in named:
            raise RequestError(f"{field} has {short(tensor['name'])} twice")
        named[tensor["name"]] = tensor
    return named


def _inputs(tensors: Mapping[str, dict[str, Any]], specs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    _require_known(tensors, specs, "input")
    sizes: dict[str, int] = {}
    arrays = {}
    for spec in specs:
        if spec.name not in tensors:
            raise RequestError(f"input {spec.name!r} is missing")
        try:
            arrays[spec.name] = _array(tensors[spec.name], spec, sizes)
        except ValueError as error:
            raise RequestError(f"input {spec.name!r}: {error}") from None
    return arrays


def _outputs(tensors: Mapping[str, dict[str, Any]], specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    _require_known(tensors, specs, "output")
    by_name = {spec.name: spec for spec in specs}
    return tuple(by_name[name] for name in tensors) or tuple(specs)


def _require_known(names: Iterable[str], specs: Sequence[TensorSpec], kind: str) -> None:
    known = [spec.name for spec in specs]
    for name in names:
        if name not in known:
            raise RequestError(f"unknown {kind} {short(name)}: the model has {', '.join(map(repr, known))}")


def _array(tensor: dict[str, Any], spec: TensorSpec, sizes: dict[str, int]) -> NDArray[Any]:
    if tensor.get("datatype") != spec.datatype.name:
        raise ValueError(f"datatype must be {spec.datatype.name}, not {short(tensor.get('datatype'))}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("shape must be an array of whole numbers")
    if len(shape) != len(spec.shape) or not all(map(_fits, shape, spec.shape)):
        raise ValueError(f"shape must be {spec.metadata()['shape']} (-1: any size), not {short(shape)}")
    for size, name in zip(shape, spec.shape, strict=True):
        if isinstance(name, str) and sizes.setdefault(name, size) != size:
            raise ValueError(f"size {name!r} of the shape is {size}, and {sizes[name]} elsewhere")
    return to_array(tensor.get("data"), shape, spec.datatype)


def _fits(size: int, expected: int | str | None) -> bool:
    return not isinstance(expected, int) or size == expected
