"""Inference over HTTP by the Open Inference Protocol, with binary tensors: requests, and the outputs in answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.serving.protocol import HEADER_LENGTH
from opdeploy.serving.tensors import from_bytes, to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.local.server import Reply
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec


def path(name: str) -> str:
    """Return the path of a model's inference."""
    return f"/v2/models/{name}/infer"


def request(inputs: Arrays, specs: Sequence[TensorSpec]) -> tuple[dict[str, str], bytes]:
    """Return headers and body of an inference request with binary tensors, which asks for binary ones."""
    blobs = [to_bytes(inputs[spec.name], spec.datatype) for spec in specs]
    tensors = [
        {
            "name": spec.name,
            "datatype": spec.datatype.name,
            "shape": list(inputs[spec.name].shape),
            "parameters": {"binary_data_size": len(blob)},
        }
        for spec, blob in zip(specs, blobs, strict=True)
    ]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))}
    return headers, b"".join((head, *blobs))


def outputs(reply: Reply, specs: Sequence[TensorSpec]) -> Arrays:
    """Return the outputs of an inference response with binary tensors."""
    datatypes = {spec.name: spec.datatype for spec in specs}
    try:
        length = int(reply.headers.get(HEADER_LENGTH, len(reply.body)))
        rest = memoryview(reply.body)[length:]
        found: Arrays = {}
        for tensor in json.loads(reply.body[:length])["outputs"]:
            size = tensor["parameters"]["binary_data_size"]
            found[tensor["name"]] = from_bytes(rest[:size], tensor["shape"], datatypes[tensor["name"]])
            rest = rest[size:]
    except (ValueError, KeyError, TypeError) as error:
        raise OpdeployError(f"the server's answer is no inference response with binary tensors: {error!r}") from None
    return found


def on_the_wire(where: str, headers: dict[str, str], body: bytes, host: str = "localhost") -> bytes:
    """Return a POST request to a host as it goes over a connection."""
    lines = [f"POST {where} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body
