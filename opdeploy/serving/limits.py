"""What one request for scores may hold, judged before anything large is made of it."""

from __future__ import annotations

import io
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.runtime.processing.images import FORMATS, resized_size
from opdeploy.runtime.processing.spec import Category, Image, Table
from opdeploy.serving.exchange import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.runtime.processing.records import Record
    from opdeploy.runtime.processing.spec import Input, Text

MAX_RECORDS = 1000
MAX_PIXELS = 200_000_000
"""Of all images of a request as they are decoded; each alone may have a quarter of that."""
MAX_ELEMENTS = 64_000_000
"""Of all tensors that are made of a request's records: 256 MB in single precision."""


def too_many() -> RequestError:
    """Return the error for a request with too many records."""
    return _too_large(f"has more than {MAX_RECORDS} records")


def check(declared: Input, records: Sequence[Record]) -> None:
    """Raise RequestError where the records of a request would become tensors that are too large."""
    if len(records) > MAX_RECORDS:
        raise too_many()
    if isinstance(declared, Image):
        elements = _of_images(declared, records)
    else:
        elements = len(records) * (_of_row(declared) if isinstance(declared, Table) else _of_text(declared, records))
    if elements > MAX_ELEMENTS:
        raise _too_large(f"would become {elements} numbers, where {MAX_ELEMENTS} are the most")


def _of_images(declared: Image, records: Sequence[Record]) -> int:
    channels = 1 if declared.channels == "gray" else 3
    pixels = elements = 0
    for record in records:
        width, height = _size(record)
        pixels += width * height
        if declared.crop is not None:
            width, height = declared.crop.width, declared.crop.height
        elif declared.resize is not None and width:
            width, height = resized_size(width, height, declared.resize)
        elements += width * height * channels
    if pixels > MAX_PIXELS:
        raise _too_large(f"has images of {pixels} pixels in all, where {MAX_PIXELS} are the most")
    return elements


def _size(record: Record) -> tuple[int, int]:
    """Return width and height as the head of an image's file tells them, or 0 for what pre-processing will refuse."""
    from PIL import Image as Pictures

    try:
        with Pictures.open(io.BytesIO(record if isinstance(record, bytes) else b""), formats=FORMATS) as picture:
            return picture.size
    except Exception:  # noqa: BLE001 - what decoders raise has no base class
        return 0, 0


def _of_row(declared: Table) -> int:
    return sum(column.width if isinstance(column, Category) else 1 for column in declared.columns)


def _of_text(declared: Text, records: Sequence[Record]) -> int:
    """Return the most numbers that a text of this request becomes: hardly a tokenizer makes two tokens of a byte."""
    tensors = sum(name is not None for name in (declared.ids, declared.mask, declared.types))
    longest = max((len(record.encode(errors="replace")) for record in records if isinstance(record, str)), default=0)
    fixed = declared.padding == "fixed"
    return tensors * (declared.max_length if fixed else min(declared.max_length, longest))


def _too_large(what: str) -> RequestError:
    return RequestError(f"the request {what}; send it in several", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
