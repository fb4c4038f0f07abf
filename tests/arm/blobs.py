"""Blobs behind addresses with a signature: build contexts that are put, and logs that are read."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from tests.arm.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.arm.arm import Arm


def address(arm: Arm, name: str) -> str:
    """Return an address of a blob, good for whoever has it."""
    return f"{arm.url}/blobs/{name}?sv=2024-11-04&sr=b&sp=rw&sig={secrets.token_hex(8)}"


def blob(
    arm: Arm, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes
) -> Answer | None:
    """Answer a request for a blob as Blob Storage does; None where it is for something else."""
    if not path.startswith("/blobs/"):
        return None
    name = path.removeprefix("/blobs/")
    if "sig" not in query:
        return _no(403, "AuthenticationFailed")
    if method == "PUT":
        return _put(arm, name, query, headers, content)
    if name not in arm.blobs:
        return _no(404, "BlobNotFound")
    found, metadata = arm.blobs[name]
    told = {f"x-ms-meta-{key}": value for key, value in metadata.items()} | {
        "x-ms-blob-type": "BlockBlob",
        "ETag": '"1"',
    }
    return _read(method, found, told, headers)


def _read(method: str, found: bytes, told: dict[str, str], headers: Mapping[str, str]) -> Answer:
    if method == "HEAD":
        return Answer(200, None, told | {"Content-Length": str(len(found))})
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("x-ms-range") or headers.get("range", ""))
    if not match:
        return Answer(200, found, told)
    start = int(match[1])
    if start >= len(found):
        return _no(416, "InvalidRange")
    part = found[start : int(match[2]) + 1 if match[2] else None]
    return Answer(206, part, told | {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(found)}"})


def _put(arm: Arm, name: str, query: Mapping[str, str], headers: Mapping[str, str], content: bytes) -> Answer:
    if query.get("comp") == "block":
        arm.blobs[f"{name}#{query['blockid']}"] = (content, {})
    elif query.get("comp") == "blocklist":
        blocks = [element.text for element in ET.fromstring(content)]  # noqa: S314 - of a client that a test runs
        arm.blobs[name] = (b"".join(arm.blobs.pop(f"{name}#{each}")[0] for each in blocks), {})
    elif headers.get("x-ms-blob-type") != "BlockBlob":
        return _no(400, "MissingRequiredHeader")
    else:
        arm.blobs[name] = (content, {})
    return Answer(201, None, {"ETag": '"1"', "Last-Modified": "Thu, 26 Nov 2026 12:00:00 GMT"})


def _no(status: int, code: str) -> Answer:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'
    return Answer(status, text.encode(), {"x-ms-error-code": code, "Content-Type": "application/xml"})
