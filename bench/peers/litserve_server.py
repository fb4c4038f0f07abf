"""The model in MODEL behind LitServe, as WORKERS processes that infer and as many that speak HTTP, on PORT."""

# Annotations stay values: LitServe reads them.
import os
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Network(litserve.LitAPI):
    """One ONNX model."""

    def setup(self, device: str) -> None:  # noqa: ARG002  LitServe gives it
        """Load the model."""
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])
        self.taken = self.session.get_inputs()[0].name

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        """Return the tensor of a request."""
        return np.array(request["data"], np.float32)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the model's answer."""
        return self.session.run(None, {self.taken: x})[0]

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        """Return what becomes the JSON of the answer."""
        return {"data": output.tolist()}


if __name__ == "__main__":
    workers = int(os.environ["WORKERS"])
    server = litserve.LitServer(Network(), accelerator="cpu", workers_per_device=workers)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        num_api_servers=workers,
        log_level="warning",
        generate_client_file=False,
    )
