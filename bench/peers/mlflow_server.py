"""The model in MODEL behind MLflow's server, as WORKERS processes on PORT."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import mlflow.onnx
import numpy as np
import onnx
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec


def saved(source: str) -> str:
    """Return the folder where a model now lies as MLflow has it, with a signature, which it asks for."""
    model = onnx.load(source)
    tensor = model.graph.input[0]
    shape = [size.dim_value or -1 for size in tensor.type.tensor_type.shape.dim]
    signature = ModelSignature(inputs=Schema([TensorSpec(np.dtype(np.float32), shape, tensor.name)]))
    folder = tempfile.mkdtemp(dir=os.environ["FOLDER"])
    mlflow.onnx.save_model(model, folder, signature=signature, onnx_execution_providers=["CPUExecutionProvider"])
    return folder


if __name__ == "__main__":
    program = str(Path(sys.executable).with_name("mlflow"))
    options = ["--env-manager=local", "--host=127.0.0.1", f"--port={os.environ['PORT']}"]
    folder = saved(os.environ["MODEL"])
    os.execv(  # noqa: S606  our own command
        program, [program, "models", "serve", f"--model-uri={folder}", f"--workers={os.environ['WORKERS']}", *options]
    )
