"""Everything of KServe's `InferenceRESTClient` that the protocol has, against the server whose port is given."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import httpx
from kserve import InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from sent import VECTORS, assert_same

if TYPE_CHECKING:
    from collections.abc import Coroutine

WITHOUT_JSON = {"FP16"}
"""What the client sends and takes in binary only."""


async def main(port: str) -> None:
    """Ask for health and inference, and be refused."""
    url = f"http://127.0.0.1:{port}"
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        assert await client.is_server_live(url)
        assert await client.is_server_ready(url)
        assert await client.is_model_ready(url, "echo")
        assert not await client.is_model_ready(url, "other")
        for inputs_binary in (True, False):
            for outputs_binary in (True, False):
                await echo(client, url, inputs_binary=inputs_binary, outputs_binary=outputs_binary)
        await refuse(client, url)
    sys.stdout.write("all well\n")


def request(*, inputs_binary: bool, outputs_binary: bool) -> InferRequest:
    """Return a request with a vector of each datatype."""
    inputs, outputs = [], []
    for name, vector in VECTORS.items():
        tensor = InferInput(f"in_{name}", list(vector.shape), name)
        tensor.set_data_from_numpy(vector, binary_data=inputs_binary or name in WITHOUT_JSON)
        inputs.append(tensor)
        binary = outputs_binary or name in WITHOUT_JSON
        outputs.append(RequestedOutput(f"out_{name}", parameters={"binary_data": binary}))
    return InferRequest("echo", inputs, request_id="a request", request_outputs=outputs)


async def echo(client: InferenceRESTClient, url: str, *, inputs_binary: bool, outputs_binary: bool) -> None:
    """Send a vector of each datatype, in binary or in JSON, and get it back in binary or in JSON."""
    asked = request(inputs_binary=inputs_binary, outputs_binary=outputs_binary)
    found = await client.infer(url, asked, model_name="echo")
    assert (found.id, found.model_name) == ("a request", "echo"), found
    for output in found.outputs:
        assert_same(output.name.removeprefix("out_"), output.as_numpy())
    assert len(found.outputs) == len(VECTORS)


async def refuse(client: InferenceRESTClient, url: str) -> None:
    """Errors come as the client's exception, with the server's sentence and status."""
    good = request(inputs_binary=True, outputs_binary=True)
    for status, why, model, data in [
        (404, "no such path", "other", good),
        (400, "is missing", "echo", {"inputs": []}),
        (400, "inputs must be an array", "echo", {}),
    ]:
        error = await refused(client.infer(url, data, model_name=model))
        assert error is not None, why
        assert error.response.status_code == status, error
        assert why in str(error), error


async def refused(asked: Coroutine[None, None, object]) -> httpx.HTTPStatusError | None:
    """Return the client's exception, where there is one."""
    try:
        await asked
    except httpx.HTTPStatusError as error:
        return error
    return None


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
