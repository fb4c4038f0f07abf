"""Each datatype through a server, by the binary tensor extension."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.serving.graphs import WORDS, echo
from tests.serving.vectors import ARRAYS, HEADER, binary, wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.serving.servers import Answer, Server


def sent(server: Server, model: str, datatypes: list[str]) -> Answer:
    """Send vectors in binary, and ask for binary."""
    blobs = {name: wire(name, ARRAYS[name]) for name in datatypes}
    inputs = [binary(f"in_{name}", name, [len(ARRAYS[name])], len(blob)) for name, blob in blobs.items()]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return server.request(
        "POST", f"/v2/models/{model}/infer", text + b"".join(blobs.values()), {HEADER: str(len(text))}
    )


def judge(answer: Answer, datatypes: list[str]) -> None:
    """Assert that an answer has the vectors that were sent."""
    length = int(answer.headers[HEADER.lower()])
    outputs = json.loads(answer.content[:length])["outputs"]
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert [output["name"] for output in outputs] == [f"out_{name}" for name in datatypes]
    assert answer.content[length:] == b"".join(wire(name, ARRAYS[name]) for name in datatypes)


def test_every_datatype_passes_through_the_server(echo: Server) -> None:
    """What goes in by bytes comes out by bytes, the same."""
    judge(sent(echo, "echo", list(WORDS)), list(WORDS))


def test_bf16_passes_through_the_server(start: Callable[..., Server], models: Path) -> None:
    """In two bytes each, beside other numbers; in JSON as numbers."""
    server = start(echo_of_bf16(models))
    judge(sent(server, "bf16", ["BF16", "FP16"]), ["BF16", "FP16"])
    inputs = [{"name": f"in_{name}", "datatype": name, "shape": [2], "data": [0.5, 1.01]} for name in ("BF16", "FP16")]
    answer = server.infer("bf16", {"inputs": inputs, "outputs": [{"name": "out_BF16"}]})
    assert answer.body["outputs"][0]["data"] == [0.5, 1.0078125]


def echo_of_bf16(folder: Path) -> Path:
    """Write a model that gives back BF16 and FP16."""
    return echo(folder / "bf16.onnx", {"BF16": "bfloat16", "FP16": "float16"})


@pytest.mark.parametrize("length", ["-1", "x", "999999", "", "5"])
def test_a_header_length_that_lies_gets_400(echo: Server, length: str) -> None:
    """Over HTTP too, and the server goes on."""
    answer = echo.request("POST", "/v2/models/echo/infer", b'{"inputs": []}', {HEADER: length})
    assert (answer.status, list(answer.body)) == (400, ["error"])
    judge(sent(echo, "echo", list(WORDS)), list(WORDS))
