"""`POST /score`: what people send as records, and answers as they read them; docs/serving.md has every form."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from reprlib import repr as short
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.processing.records import record_of, refused, shown
from opdeploy.runtime.processing.spec import Classification, Image, Table, Text
from opdeploy.serving import documents, forms, limits
from opdeploy.serving.exchange import RequestError
from opdeploy.serving.tensors import fits, to_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.processing.answers import Answer
    from opdeploy.runtime.processing.processor import Processor
    from opdeploy.runtime.processing.records import Json, Record
    from opdeploy.runtime.processing.spec import Input, Processing
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

JSON, FORM = "application/json", "multipart/form-data"
IMAGES = ("image/jpeg", "image/png", "image/bmp", "image/webp", "application/octet-stream")


class Model(Protocol):
    """What a server shows of the model that it serves."""

    @property
    def name(self) -> str:
        """Its name in paths."""

    @property
    def version(self) -> str:
        """Its version in paths."""

    @property
    def variant(self) -> str | None:
        """Which variant of an artefact runs."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that it takes."""

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The tensors that it gives."""

    @property
    def processing(self) -> Processing | None:
        """What is declared to be done before and after it."""

    @property
    def processor(self) -> Processor | None:
        """What does that."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be scored: records, or tensors where the model has no processing."""

    records: tuple[Record, ...] = ()
    arrays: Arrays | None = None
    names: tuple[str, ...] | None = None
    """Of the records, in the form of named images, which is answered in its own form."""


def media_types(model: Model) -> tuple[str, ...]:
    """Return what the Content-Type of a request may be."""
    if model.processing is None:
        return (JSON,)
    return (JSON, FORM, *IMAGES) if isinstance(model.processing.input, Image) else (JSON, FORM)


def parse(content_type: str | None, body: bytes | bytearray, model: Model, max_json: int = 16_000_000) -> Request:
    """Return what a body holds; records are checked only when `tensors` are made of them.

    Raises RequestError where the content type is none of `media_types`, the body has none of the forms, or it is more
    bytes of JSON than the most: lists take many times their length in memory.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    known = media_types(model)
    if kind not in known:
        given = f"is {shown(kind)}" if kind else "is missing"
        raise RequestError(f"Content-Type {given}; send {' or '.join(known)}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        if model.processing is None:
            return Request(arrays=_arrays(documents.parse(body, len(body), max_json), model.inputs))
        declared = model.processing.input
        if kind == JSON:
            return _of_json(documents.parse(body, len(body), max_json), declared)
        if kind == FORM:
            return Request(_of_parts(forms.parts(content_type or "", body, limits.MAX_RECORDS), declared))
        return Request((bytes(body),))
    except InputError as error:
        raise RequestError(str(error)) from None


def tensors(request: Request, model: Model) -> Arrays:
    """Return the tensors of a request; this decodes images, so it takes milliseconds each.

    Raises RequestError for records that do not fit, or that are more than one request may have.
    """
    if request.arrays is not None:
        return request.arrays
    processing, processor = _processed(model)
    limits.check(processing.input, request.records)
    try:
        return processor.tensors(request.records)
    except InputError as error:
        raise RequestError(str(error)) from None


def render(
    request: Request, model: Model, arrays: Arrays, outputs: Mapping[str, NDArray[Any]], milliseconds: float
) -> bytes:
    """Return the body of the response: JSON, in which what is not finite is null.

    `arrays` are the tensors that the model made these outputs of. Raises RequestError where the outputs are no answers.
    """
    if request.arrays is not None:
        lists = {name: _nested(array) for name, array in outputs.items()}
        return orjson.dumps({"outputs": lists}, option=orjson.OPT_SERIALIZE_NUMPY)
    processing, processor = _processed(model)
    try:
        answers = processor.answers(outputs, arrays)
    except OpdeployError as error:
        raise RequestError(str(error)) from None
    if request.names is None:
        return orjson.dumps({"predictions": answers})
    pairs = isinstance(processing.output, Classification)
    held: Iterable[Json] = map(_pairs, answers) if pairs else answers
    named = dict(zip(request.names, held, strict=True))
    return orjson.dumps({"result": [named, f"Computed in {milliseconds:.2f} ms"]})


def _processed(model: Model) -> tuple[Processing, Processor]:
    if model.processing is None or model.processor is None:
        raise RequestError("this model has no processing")
    return model.processing, model.processor


def _of_json(document: Json, declared: Input) -> Request:
    """Return the records of a document: a list, a list under `data` or `records`, named images, or one record."""
    names = None
    held = [document]
    if isinstance(document, list):
        held = document
    elif isinstance(document, dict) and len(document) == 1:
        ((key, value),) = document.items()
        if key in ("data", "records") and isinstance(value, list):
            held = value
        elif key == "input" and isinstance(value, dict) and isinstance(declared, Image):
            names, held = tuple(value), list(value.values())
    if len(held) > limits.MAX_RECORDS:
        raise limits.too_many()
    return Request(tuple(_record(index, each, declared) for index, each in enumerate(held)), names=names)


def _record(index: int, document: Json, declared: Input) -> Record:
    try:
        if isinstance(document, str) and not isinstance(declared, Table):
            document = {"image" if isinstance(declared, Image) else "text": document}
        if isinstance(document, list) and isinstance(declared, Table):
            document = _row(document, declared)
        return record_of(declared, document)
    except InputError as error:
        raise refused(index, str(error)) from None


def _row(cells: list[Json], declared: Table) -> dict[str, Json]:
    names = [column.name for column in declared.columns]
    if len(cells) != len(names):
        raise InputError(f"has {len(cells)} values, where there are {len(names)} columns")
    return dict(zip(names, cells, strict=True))


def _of_parts(parts: Sequence[forms.Part], declared: Input) -> tuple[Record, ...]:
    """Return the records of a form: each of its parts is an image or a text, or a column of the one row."""
    if isinstance(declared, Image):
        return tuple(part.data for part in parts)
    for part in parts:
        if isinstance(declared, Text) and part.name != "text":
            raise RequestError(f'the form has a field {short(part.name)}; give each text in a field "text"')
    if isinstance(declared, Text):
        return tuple(part.text for part in parts)
    row: dict[str, Json] = {}
    for part in parts:
        if part.name in row:
            raise RequestError(f"the form has {short(part.name)} twice; send several rows as JSON")
        row[part.name] = part.text
    return (row,)


def _arrays(document: Json, specs: Sequence[TensorSpec]) -> Arrays:
    data = document.get("data") if isinstance(document, dict) else None
    if isinstance(data, list) and len(specs) == 1:
        data = {specs[0].name: data}
    names = ", ".join(repr(spec.name) for spec in specs)
    if not isinstance(data, dict):
        raise RequestError(f'give {{"data": …}} with nested lists under the name of each input: {names}')
    if data.keys() != {spec.name for spec in specs}:
        raise RequestError(f"data has {', '.join(map(short, data)) or 'nothing'}, where the inputs are {names}")
    return {spec.name: _array(data[spec.name], spec) for spec in specs}


def _array(data: Json, spec: TensorSpec) -> NDArray[Any]:
    shape: list[int] = []
    inner = data
    while isinstance(inner, list) and len(shape) < len(spec.shape):
        shape.append(len(inner))
        inner = inner[0] if inner else None
    if not fits(shape, spec):
        raise RequestError(
            f"input {spec.name!r}: data is nested as {shape}, where the model takes {spec.metadata()['shape']} "
            "(-1: any size)"
        )
    try:
        return to_array(data, shape, spec.datatype)
    except ValueError as error:
        raise RequestError(f"input {spec.name!r}: {error}") from None


def _pairs(answer: Answer) -> Json:
    """Return the labels of an answer with their scores, the best first."""
    top: Any = answer.get("top", [answer])
    return [[each["label"], each["score"]] for each in top]


def _nested(array: NDArray[Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Return an array in a form that orjson writes as nested lists."""
    if array.dtype == np.object_ or not array.ndim:
        return array.tolist()
    return np.ascontiguousarray(array)
