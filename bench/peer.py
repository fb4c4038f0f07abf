"""Other model servers, each in an environment of its own, because what they pin excludes each other."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime
from load import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).with_name("peers")
WORKERS = (1, 2)
"""Processes that are tried; the faster counts."""


@dataclass(frozen=True)
class Peer:
    """A model server to compare with."""

    name: str
    packages: tuple[str, ...]
    path: str
    """Where it infers."""

    def install(self, folder: Path) -> Path:
        """Return the Python of an environment that has it, which is made where there is none.

        Raises subprocess.CalledProcessError where it cannot be installed.
        """
        python = folder / self.name / "bin" / "python"
        packages = [*self.packages, f"onnxruntime=={onnxruntime.__version__}"]
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder / self.name], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, *packages], check=True, capture_output=True, encoding="utf-8")
        return python

    def servers(self, python: Path, model: Path, body: Path, folder: Path) -> Iterator[Server]:
        """Yield it as it serves a model, with each number of processes."""
        for workers in WORKERS:
            port = free_port()
            settings = {"MODEL": str(model), "PORT": str(port), "WORKERS": str(workers), "FOLDER": str(folder)}
            path = os.pathsep.join([str(python.parent), os.environ["PATH"]])  # MLflow starts uvicorn by its name
            private = {"BENTOML_DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
            yield Server(
                name=f"{self.name}, {workers} worker{'s' * (workers > 1)}",
                command=(str(python), str(SCRIPTS / f"{self.name}_server.py")),
                port=port,
                path=self.path,
                body=body,
                environment={**settings, **private, "PATH": path},
            )

    def document(self, tensor: dict[str, Any], nested: list[Any]) -> dict[str, Any]:
        """Return the JSON of a request: `tensor` by the Open Inference Protocol, `nested` its numbers as lists."""
        match self.name:
            case "kserve":
                return {"inputs": [tensor]}
            case "mlflow":
                return {"inputs": {tensor["name"]: nested}}
            case _:
                return {"data": nested}


PEERS = (
    Peer("kserve", ("kserve==0.21.0",), "/v2/models/model/infer"),
    Peer("bentoml", ("bentoml==1.4.40",), "/infer"),
    Peer("litserve", ("litserve==0.2.19",), "/predict"),
    Peer("mlflow", ("mlflow==3.17.2", "onnx"), "/invocations"),
)
