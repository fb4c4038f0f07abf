"""JSON Schemas (draft 2020-12) of what a model takes and gives: its tensors, its records and its answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.runtime.processing.cells import MAX_NUMBER_CHARACTERS
from opdeploy.runtime.processing.records import MAX_CHARACTERS
from opdeploy.runtime.processing.spec import (
    Boolean,
    Category,
    Classification,
    Embedding,
    Image,
    Number,
    Regression,
    Table,
    category_key,
)
from opdeploy.serving.limits import MAX_RECORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.runtime.processing.spec import Column, Input, Output, Processing
    from opdeploy.runtime.tensors import Datatype, TensorSpec

    Schema = dict[str, Any]

MOST_EXACT = 256
"""Elements of a tensor up to which its schema says how many there are: tools that make examples make them all."""
_WHOLE = r"^[+-]?[0-9]+$"
_NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_BASE64 = r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_WIDEST = 2**63
"""JSON as it is written here has no wider whole numbers."""
_BOOLEANS = (True, False, 1, 0, "true", "false", "True", "False", "TRUE", "FALSE", "1", "0")


def element(datatype: Datatype) -> Schema:
    """Describe an element of a tensor that is sent."""
    kind = datatype.dtype.kind
    if kind == "b":
        return {"type": "boolean"}
    if kind in "iu":
        bounds = np.iinfo(datatype.dtype)
        return {"type": "integer", "minimum": int(bounds.min), "maximum": int(bounds.max)}
    if kind == "f":
        return {"type": "number"} | _finite(datatype)
    return {"type": "string"}


def _finite(datatype: Datatype) -> Schema:
    """Say which numbers are rounded to a finite one; of doubles JSON has no others."""
    info = np.finfo(datatype.dtype)
    beyond = float(info.max) + 2.0 ** (info.maxexp - info.nmant - 2)
    return {} if math.isinf(beyond) else {"exclusiveMinimum": -beyond, "exclusiveMaximum": beyond}


def answered(datatype: Datatype) -> Schema:
    """Describe an element of a tensor that is answered: a number that is not finite is null."""
    return {"type": ["number", "null"]} if datatype.dtype.kind == "f" else element(datatype)


def nested(inner: Schema, shape: Sequence[int | str | None], least: int = 0) -> Schema:
    """Describe nested lists: of fixed length where the axis is fixed and the tensor small, of the least elsewhere."""
    exact = math.prod(size for size in shape if isinstance(size, int)) <= MOST_EXACT
    for size in reversed(shape):
        fixed = exact and isinstance(size, int)
        inner = _list(inner) | ({"minItems": size, "maxItems": size} if fixed else {"minItems": least} if least else {})
    return inner


def request_tensor(spec: TensorSpec) -> Schema:
    """Describe an input as the Open Inference Protocol sends it in JSON: nested, or flat in row-major order."""
    forms = [nested(element(spec.datatype), spec.shape or (None,))]
    if len(spec.shape) > 1:
        forms.append(_list(element(spec.datatype)))
    return _object(
        {
            **_tensor(spec),
            "data": {"anyOf": forms} if len(forms) > 1 else forms[0],
            "parameters": {"type": "object"},
        },
        optional=("parameters",),
    )


def response_tensor(spec: TensorSpec) -> Schema:
    """Describe an output as the Open Inference Protocol answers it in JSON: flat, in row-major order."""
    return _object({**_tensor(spec), "data": _list(answered(spec.datatype))})


def _tensor(spec: TensorSpec) -> Schema:
    sizes = _list({"type": "integer", "minimum": 0})
    if spec.shape:
        sizes |= {"minItems": len(spec.shape), "maxItems": len(spec.shape)}
    if spec.shape and all(isinstance(size, int) for size in spec.shape):
        sizes = {"const": list(spec.shape)}
    return {"name": {"const": spec.name}, "datatype": {"const": spec.datatype.name}, "shape": sizes}


def tensors(specs: Sequence[TensorSpec]) -> Schema:
    """Describe the inputs of a model without processing as `/score` takes them: nested lists under `data`."""
    lists = {spec.name: nested(element(spec.datatype), spec.shape, 1) for spec in specs}
    forms = [_object(lists, closed=True)]
    if len(specs) == 1:
        forms.append(lists[specs[0].name])
    return _object({"data": {"anyOf": forms}})


def records(declared: Input, specs: Sequence[TensorSpec]) -> Schema:
    """Describe records in JSON: one, a list of them, or a list under `data` or `records`."""
    forms = _record(declared, specs)
    several = {**_list({"anyOf": forms}), "minItems": 1, "description": f"{MAX_RECORDS} records at most"}
    lists = [_object({key: several}, closed=True) for key in ("data", "records")]
    if isinstance(declared, Image):
        named = {"type": "object", "additionalProperties": _base64(), "minProperties": 1}
        lists.append(_object({"input": named}, closed=True))
    one = [form for form in forms if form["type"] != "array"]  # a list is a list of records
    return {"anyOf": [*one, several, *lists]}


def parts(declared: Input) -> Schema:
    """Describe a form: parts that are images, fields named text, or a field for each column."""
    if isinstance(declared, Table):
        columns: Schema = {column.name: {"type": "string"} for column in declared.columns}
        return _object(columns, closed=declared.extra == "refuse")
    if isinstance(declared, Image):
        return {"type": "object", "additionalProperties": {"type": "string", "format": "binary"}, "minProperties": 1}
    return _object({"text": {**_list(_text()), "minItems": 1}}, closed=True)


def _record(declared: Input, specs: Sequence[TensorSpec]) -> list[Schema]:
    if isinstance(declared, Image):
        return [_object({"image": _base64()}, closed=True), _base64()]
    if not isinstance(declared, Table):
        return [_object({"text": _text()}, closed=True), _text()]
    datatypes = {spec.name: spec.datatype for spec in specs}
    cells = {
        column.name: _cell(column, datatypes[column.tensor or declared.tensor or column.name], declared.nulls)
        for column in declared.columns
    }
    row: Schema = {"type": "array", "prefixItems": list(cells.values()), "minItems": len(cells), "maxItems": len(cells)}
    return [_object(cells, closed=declared.extra == "refuse"), row]


def _cell(column: Column, datatype: Datatype, nulls: Sequence[str]) -> Schema:
    forms: list[Schema]
    if isinstance(column, Number):
        pattern = _WHOLE if datatype.dtype.kind in "iu" else _NUMBER
        forms = [element(datatype), {"type": "string", "pattern": pattern, "maxLength": MAX_NUMBER_CHARACTERS}]
    elif isinstance(column, Boolean):
        forms = [{"enum": list(_BOOLEANS)}]
    elif isinstance(column, Category):
        forms = _categories(column)
    else:
        forms, nulls = [_text()], column.nulls
    absent = [{"enum": list(nulls)}] if nulls else []
    if column.missing is not None:
        forms += [{"type": "null"}, *absent]
    elif absent and "string" in forms[0].get("type", ()):  # any text would do, but those that stand for a missing value
        forms = [{**forms[0], "not": absent[0]}, *forms[1:]]
    return {"anyOf": forms} if len(forms) > 1 else forms[0]


def _categories(column: Category) -> list[Schema]:
    if column.unknown != "refuse":
        return [{"type": ["string", "number", "boolean"]}]
    keys = [category_key(category) for category in column.categories]
    others = [
        category for category in column.categories if not isinstance(category, str) and -_WIDEST <= category < _WIDEST
    ]
    return [{"enum": [*keys, *others]}]


def predictions(declared: Output, specs: Sequence[TensorSpec]) -> Schema:
    """Describe the answer for one record."""
    number: Schema = {"type": "number"}
    if isinstance(declared, Classification):
        best = {"label": _label(declared), "score": number}
        return _object(best if declared.top_k == 1 else {**best, "top": _list(_object(best))})
    if isinstance(declared, Regression):
        unit: Schema = {"unit": {"const": declared.unit}} if declared.unit else {}
        return _object({declared.name: number, **unit})
    if isinstance(declared, Embedding):
        return _object({"embedding": _list(number)})
    return _object({spec.name: nested(element(spec.datatype), spec.shape[1:]) if spec.shape else {} for spec in specs})


def answers(processing: Processing | None, specs: Sequence[TensorSpec]) -> Schema:
    """Describe the response of `/score`; what was asked with named images is answered in a form of its own."""
    if processing is None:
        lists = {spec.name: nested(answered(spec.datatype), spec.shape) if spec.shape else {} for spec in specs}
        return _object({"outputs": _object(lists)})
    output = processing.output
    each = predictions(output, specs)
    plain = _object({"predictions": _list(each)})
    if not isinstance(processing.input, Image):
        return plain
    if isinstance(output, Classification):
        each = _list(_tuple(_label(output), {"type": "number"}))
    by_name = {"type": "object", "additionalProperties": each}
    return {"anyOf": [plain, _object({"result": _tuple(by_name, {"type": "string"})})]}


def _label(declared: Classification) -> Schema:
    return {"type": "string" if declared.labels else "integer"}


def _tuple(*items: Schema) -> Schema:
    """Describe a list with an item of each kind: without prefixItems, at which schemathesis 4.32 stops in responses."""
    return {**_list({"anyOf": list(items)}), "minItems": len(items), "maxItems": len(items)}


def _object(properties: Schema, *, optional: Sequence[str] = (), closed: bool = False) -> Schema:
    required = [name for name in properties if name not in optional]
    schema = {"type": "object", "required": required, "properties": properties}
    return {**schema, "additionalProperties": False} if closed else schema


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _base64() -> Schema:
    return {"type": "string", "contentEncoding": "base64", "pattern": _BASE64}


def _text() -> Schema:
    return {"type": "string", "maxLength": MAX_CHARACTERS}
