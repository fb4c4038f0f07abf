"""The documents of the Open Inference Protocol, version 2: requests to arrays, arrays to responses.

A tensor's elements stand in the JSON, or, by the binary tensor extension, behind it as they lie in memory
(github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md, read 2026-11-25).
"""

from __future__ import annotations

from dataclasses import dataclass
from reprlib import repr as short
from typing import TYPE_CHECKING, Any

import orjson

from opdeploy.serving import documents
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.tensors import fits, from_bytes, to_array, to_bytes, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import TensorSpec

HEADER_LENGTH = "inference-header-content-length"
"""The HTTP header that tells how many bytes of a body are JSON, where tensors follow."""
EXTENSIONS = ["binary_tensor_data"]
_LARGEST_EMPTY = 1024
"""Size of an axis where a tensor has no elements: such a one costs its client no bytes, and the model runs."""


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
    binary: frozenset[str] = frozenset()
    """Outputs to be returned as they lie in memory."""


def parse(
    body: bytes | bytearray, signature: Signature, header_length: str | None = None, max_json: int = 16_000_000
) -> InferRequest:
    """Return the inference request that the body holds, checked against the signature.

    `header_length` is the HTTP header of the binary extension, `max_json` the most bytes that are parsed as JSON.

    Raises RequestError where the body is too large, is not JSON, breaks the protocol, or does not fit the signature.
    """
    length = len(body) if header_length is None else _length(header_length, len(body))
    document = documents.parse(body, length, max_json)
    if not isinstance(document, dict):
        raise RequestError("the body must be a JSON object")
    identifier = document.get("id")
    if not isinstance(identifier, str | None):
        raise RequestError("id must be a string")
    tensors = _by_name(document.get("inputs"), "inputs")
    outputs = _by_name([] if document.get("outputs") is None else document["outputs"], "outputs")
    wanted = _outputs(outputs, signature.outputs)
    blobs = _blobs(tensors, memoryview(body)[length:])
    return InferRequest(
        identifier, _inputs(tensors, blobs, signature.inputs), wanted, _binary(document, outputs, wanted)
    )


def render(
    model_name: str, model_version: str, request: InferRequest, arrays: Sequence[NDArray[Any]]
) -> tuple[bytes, int | None]:
    """Return the response body for the arrays, one for each output of the request, and how much of it is JSON.

    The length is None where all is JSON. In JSON, a value that is not finite becomes null, because it has neither NaN
    nor infinity.
    """
    outputs, blobs = [], []
    for spec, array in zip(request.outputs, arrays, strict=True):
        output = {"name": spec.name, "datatype": spec.datatype.name, "shape": array.shape}
        if spec.name in request.binary:
            blobs.append(to_bytes(array, spec.datatype))
            outputs.append({**output, "parameters": {"binary_data_size": len(blobs[-1])}})
        else:
            outputs.append({**output, "data": to_json(array)})
    identifier = {} if request.id is None else {"id": request.id}
    document = {"model_name": model_name, "model_version": model_version, **identifier, "outputs": outputs}
    text = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (b"".join((text, *blobs)), len(text)) if blobs else (text, None)


def render_error(message: str) -> bytes:
    """Return the body of an error response."""
    return orjson.dumps({"error": message})


def _length(text: str, most: int) -> int:
    # The length first: Python refuses to make a number of thousands of digits.
    if len(text) > len(str(most)) or not (text.isascii() and text.isdecimal()) or int(text) > most:
        raise RequestError(f"{HEADER_LENGTH} is {short(text)}, and the body has {most} bytes")
    return int(text)


def _parameters(item: Mapping[str, Any]) -> dict[str, Any]:
    found = item.get("parameters")
    if not isinstance(found, dict | None):
        raise RequestError("parameters must be an object")
    return found or {}


def _flag(value: Any, name: str) -> bool:  # noqa: ANN401 - any JSON value
    if not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false")
    return value


def _binary(document: Mapping[str, Any], outputs: Mapping[str, Any], wanted: Sequence[TensorSpec]) -> frozenset[str]:
    """Return the outputs that are wanted as they lie in memory."""
    if not outputs and "parameters" not in document:
        return frozenset()
    default = _parameters(document).get("binary_data_output", False)
    told = {spec.name: _parameters(outputs.get(spec.name, {})).get("binary_data", default) for spec in wanted}
    return frozenset(name for name, value in told.items() if _flag(value, "binary_data"))


def _blobs(tensors: Mapping[str, Mapping[str, Any]], data: memoryview) -> dict[str, memoryview]:
    """Cut what follows the JSON into the tensors that say how many bytes they have, in the order of the request."""
    blobs = {}
    start = 0
    for name, tensor in tensors.items():
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            continue
        if type(size) is not int or not 0 <= size <= len(data) - start:
            left = len(data) - start
            raise RequestError(f"input {short(name)}: binary_data_size is {short(size)}, and {left} bytes are there")
        blobs[name] = data[start : start + size]
        start += size
    if start < len(data):
        raise RequestError(f"{len(data) - start} bytes follow that no input's binary_data_size accounts for")
    return blobs


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


def _inputs(
    tensors: Mapping[str, dict[str, Any]], blobs: Mapping[str, memoryview], specs: Sequence[TensorSpec]
) -> dict[str, NDArray[Any]]:
    _require_known(tensors, specs, "input")
    sizes: dict[str, int] = {}
    arrays = {}
    for spec in specs:
        if spec.name not in tensors:
            raise RequestError(f"input {spec.name!r} is missing")
        try:
            arrays[spec.name] = _array(tensors[spec.name], blobs.get(spec.name), spec, sizes)
        except ValueError as error:
            raise RequestError(f"input {spec.name!r}: {error}") from None
    return arrays


def _outputs(tensors: Mapping[str, dict[str, Any]], specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
    if not tensors:
        return tuple(specs)
    _require_known(tensors, specs, "output")
    by_name = {spec.name: spec for spec in specs}
    return tuple(by_name[name] for name in tensors)


def _require_known(names: Iterable[str], specs: Sequence[TensorSpec], kind: str) -> None:
    known = [spec.name for spec in specs]
    for name in names:
        if name not in known:
            raise RequestError(f"unknown {kind} {short(name)}: the model has {', '.join(map(repr, known))}")


def _array(tensor: dict[str, Any], blob: memoryview | None, spec: TensorSpec, sizes: dict[str, int]) -> NDArray[Any]:
    if tensor.get("datatype") != spec.datatype.name:
        raise ValueError(f"datatype must be {spec.datatype.name}, not {short(tensor.get('datatype'))}")
    shape = tensor.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError("shape must be an array of whole numbers")
    if not fits(shape, spec):
        raise ValueError(f"shape must be {spec.metadata()['shape']} (-1: any size), not {short(shape)}")
    if 0 in shape and max(shape) > _LARGEST_EMPTY:
        raise ValueError(f"shape {short(shape)} has no elements, and a size over {_LARGEST_EMPTY}")
    for size, name in zip(shape, spec.shape, strict=True):
        if isinstance(name, str) and sizes.setdefault(name, size) != size:
            raise ValueError(f"size {name!r} of the shape is {size}, and {sizes[name]} elsewhere")
    if blob is None:
        return to_array(tensor.get("data"), shape, spec.datatype)
    if "data" in tensor:
        raise ValueError("has data and binary_data_size; give one of the two")
    return from_bytes(blob, shape, spec.datatype)
