"""The model in MODEL behind KServe's Python server, as WORKERS processes on PORT.

As its guide to custom models has it, with gRPC off; it listens on every address, and has no setting for that.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

import onnxruntime
from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Network(Model):
    """One ONNX model, which each worker loads: a session does not go from process to process."""

    @cached_property
    def session(self) -> Any:  # noqa: ANN401  onnxruntime has no types
        """The loaded model."""
        return onnxruntime.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])

    def predict(self, payload: InferRequest, *_: Any, **__: Any) -> InferResponse:  # noqa: ANN401  headers and more
        """Answer a request of the Open Inference Protocol."""
        taken = self.session.get_inputs()[0].name
        answer = self.session.run(None, {taken: get_predict_input(payload)})[0]
        return get_predict_response(payload, answer, self.name)


if __name__ == "__main__":
    model = Network("model")
    model.ready = True
    server = ModelServer(http_port=int(os.environ["PORT"]), workers=int(os.environ["WORKERS"]), enable_grpc=False)
    server.start([model])
