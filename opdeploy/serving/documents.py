"""JSON that a client sent, parsed only where that does not hold up everything else in the process for long."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson

from opdeploy.serving.exchange import RequestError

_MOST_VALUES = 500_000
"""Numbers, texts and so on, counted by the commas between them. Parsing so many takes 10 to 60 ms, by their digits, and
16 MB in a few texts, such as photographs in base64, 50 (orjson 3.13.0, 2026-11-25, on a machine with other work)."""
_MOST_CONTAINERS = 250_000
"""Lists and objects: making so many takes 60 ms, and of 8 MB of empty lists 600 ms (orjson 3.13.0, 2026-11-25)."""


def parse(body: bytes | bytearray, length: int, most: int) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON in the first `length` bytes of a body; nothing else in the process runs meanwhile.

    Raises RequestError where it has more bytes than the most, or too many values (413), or is not JSON (400).
    """
    if length > most:
        raise _too_large(f"has over {most} bytes")
    if length > _MOST_VALUES and body.count(b",", 0, length) > _MOST_VALUES:
        raise _too_large(f"has over {_MOST_VALUES} values")
    if length > _MOST_CONTAINERS and body.count(b"[", 0, length) + body.count(b"{", 0, length) > _MOST_CONTAINERS:
        raise _too_large(f"has over {_MOST_CONTAINERS} lists and objects")
    try:
        return orjson.loads(memoryview(body)[:length])
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is not JSON: {error}") from None


def _too_large(why: str) -> RequestError:
    return RequestError(
        f"the JSON {why}; send tensors flat or as binary data, and records in several requests",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
