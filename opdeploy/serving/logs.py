"""Log lines as JSON, one for each event, and the ids by which a request is found in them."""

from __future__ import annotations

import itertools
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from opdeploy.serving.exchange import Headers

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_PROCESS = os.urandom(6).hex()
"""Told apart by this, processes may count their requests."""
_COUNT = itertools.count()
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
"""https://www.w3.org/TR/trace-context/#traceparent-header, read 2026-11-25; a later version may add to it."""


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Write a record as one line: what every line has, and what its event adds."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{key: value for key, value in vars(record).items() if key not in _OWN},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=repr).decode()


def configure() -> None:
    """Send everything from INFO up to stderr, as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(capture=True)  # a library's too


def request_id(headers: Headers) -> str:
    """Return the id that the client gave its request, else a new one of 20 hexadecimal digits."""
    told = headers.get("x-request-id")
    return told if told and _REQUEST_ID.fullmatch(told) else f"{_PROCESS}{next(_COUNT):08x}"


def trace(headers: Headers) -> dict[str, str]:
    """Return the ids of the trace that a request belongs to; nothing where it names none, or a wrong one."""
    found = _TRACEPARENT.fullmatch(headers.get("traceparent") or "")
    if found is None:
        return {}
    version, trace_id, parent_id, _, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(parent_id, 16):
        return {}
    return {"trace_id": trace_id, "parent_id": parent_id}
