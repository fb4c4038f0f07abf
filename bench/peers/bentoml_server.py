"""The model in MODEL behind BentoML, as WORKERS processes on PORT; its log of every request is off."""

# Annotations stay values: BentoML reads them.
import os
import sys
from pathlib import Path

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=int(os.environ["WORKERS"]), logging={"access": {"enabled": False}})
class Network:
    """One ONNX model."""

    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], providers=["CPUExecutionProvider"])
        self.taken = self.session.get_inputs()[0].name

    @bentoml.api  # type: ignore[untyped-decorator]  # bentoml is not installed where types are checked
    def infer(self, data: np.ndarray) -> np.ndarray:
        """Answer a request."""
        return self.session.run(None, {self.taken: data.astype(np.float32)})[0]


if __name__ == "__main__":
    script = Path(__file__).resolve()
    program = str(Path(sys.executable).with_name("bentoml"))
    options = ["--working-dir", str(script.parent), "--host", "127.0.0.1", "--port", os.environ["PORT"]]
    os.execv(program, [program, "serve", f"{script.stem}:Network", *options])  # noqa: S606  our own command
