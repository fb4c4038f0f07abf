"""Everything of `tritonclient.http` that the protocol has, against the server whose port is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from sent import VECTORS, assert_same
from tritonclient.utils import InferenceServerException

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_JSON = {"FP16"}
"""What the client sends in binary only."""


def main(port: str) -> None:
    """Ask for health, metadata and inference."""
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("echo")
        assert client.is_model_ready("echo", "1")
        assert not client.is_model_ready("other")
        assert not client.is_model_ready("echo", "2")
        describe(client)
        for inputs_binary in (True, False):
            for outputs_binary in (True, False):
                echo(client, inputs_binary=inputs_binary, outputs_binary=outputs_binary)
        echo_asynchronously(client)
        refuse(client)
    sys.stdout.write("all well\n")


def describe(client: triton.InferenceServerClient) -> None:
    """Read what the server says of itself and its model."""
    server = client.get_server_metadata()
    assert server["name"] == "opdeploy", server
    assert "binary_tensor_data" in server["extensions"], server
    model = client.get_model_metadata("echo", "1")
    assert model["name"] == "echo", model
    assert {"name": "in_INT64", "datatype": "INT64", "shape": [-1]} in model["inputs"], model
    assert [tensor["name"] for tensor in model["outputs"]] == [f"out_{name}" for name in VECTORS], model


def inputs(*, binary: bool) -> list[triton.InferInput]:
    """Return an input for each datatype."""
    made = []
    for name, vector in VECTORS.items():
        tensor = triton.InferInput(f"in_{name}", list(vector.shape), name)
        tensor.set_data_from_numpy(vector, binary_data=binary or name in WITHOUT_JSON)
        made.append(tensor)
    return made


def echo(client: triton.InferenceServerClient, *, inputs_binary: bool, outputs_binary: bool) -> None:
    """Send a vector of each datatype, in binary or in JSON, and get it back in binary or in JSON."""
    outputs = [triton.InferRequestedOutput(f"out_{name}", binary_data=outputs_binary) for name in VECTORS]
    found = client.infer("echo", inputs(binary=inputs_binary), outputs=outputs, request_id="a request")
    assert found.get_response()["id"] == "a request"
    for name in VECTORS:
        assert_same(name, found.as_numpy(f"out_{name}"))


def echo_asynchronously(client: triton.InferenceServerClient) -> None:
    """Send several requests at a time; without named outputs the client asks for all in binary."""
    for request in [client.async_infer("echo", inputs(binary=True)) for _ in range(8)]:
        found = request.get_result()
        for name in VECTORS:
            assert_same(name, found.as_numpy(f"out_{name}"))


def refuse(client: triton.InferenceServerClient) -> None:
    """Errors come as the client's exception, with the server's sentence and status."""
    good = inputs(binary=True)
    wrong = triton.InferInput("in_INT64", [1], "INT32")
    wrong.set_data_from_numpy(np.array([1], np.int32))
    for status, why, ask in [
        ("404", "no such path", lambda: client.infer("other", good)),
        ("404", "no such path", lambda: client.get_model_config("echo")),
        ("400", "is missing", lambda: client.infer("echo", good[1:])),
        ("400", "datatype must be INT64", lambda: client.infer("echo", [*good[:8], wrong, *good[9:]])),
        ("415", "compressed", lambda: client.infer("echo", good, request_compression_algorithm="gzip")),
    ]:
        error = refused(ask)
        assert error is not None, why
        assert error.status() == status, (error.status(), error)
        assert why in error.message(), error


def refused(ask: Callable[[], object]) -> InferenceServerException | None:
    """Return the client's exception, where there is one."""
    try:
        ask()
    except InferenceServerException as error:
        return error
    return None


def echo_bf16(port: str) -> None:
    """Send BF16, which the client has from ml_dtypes, and get it back."""
    vector = np.array([0.5, -3, 3.3895314e38], ml_dtypes.bfloat16)
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        made = []
        for name, array in (("BF16", vector), ("FP16", VECTORS["FP16"])):
            tensor = triton.InferInput(f"in_{name}", list(array.shape), name)
            tensor.set_data_from_numpy(array)
            made.append(tensor)
        found = client.infer("bf16", made)
        assert found.as_numpy("out_BF16").tolist() == vector.tolist(), found.as_numpy("out_BF16")
        assert_same("FP16", found.as_numpy("out_FP16"))


if __name__ == "__main__":
    main(sys.argv[1])
    echo_bf16(sys.argv[2])
