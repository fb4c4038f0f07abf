"""Reads the facts that matter for placing a model out of its file, without running anything that it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opdeploy.artifact import cost, external, graph
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

    from opdeploy.workload import Framework

_BY_SUFFIX: dict[str, Framework] = {
    ".onnx": "onnx",
    ".pt2": "pytorch",
    ".pt": "pytorch",
    ".pth": "pytorch",
    ".pb": "tensorflow",
    ".tflite": "tensorflow",
    ".h5": "keras",
    ".keras": "keras",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".joblib": "sklearn",
    ".ubj": "xgboost",
    ".gguf": "llm",
}
_BY_PRODUCER: dict[str, Framework] = {
    "pytorch": "pytorch",
    "tf2onnx": "tensorflow",
    "keras2onnx": "keras",
    "skl2onnx": "sklearn",
}


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a model's file tells; None is what it does not."""

    framework: Framework | None
    """`llm` for a generative model."""
    size_mb: float
    gflops: float | None = None
    record_mb: float | None = None
    lacks_onnx: bool = False
    """Whether the package onnx is missing, so that only name and size were looked at."""

    @property
    def generative(self) -> bool:
        """Whether the model is placed by tokens per second, which is out of scope."""
        return self.framework == "llm"


def inspect_model(path: Path) -> ModelFacts:
    """Return what a model's file tells: of ONNX its content, of an artefact its reference, of others name and size.

    Sizes are in MB (10^6 bytes), the cost of one record in 10^9 operations. Raises InputError for what is no model.
    """
    try:
        if (path / "model.yaml").is_file() or path.suffix.lower() == ".zip":
            return _artefact(path)
        if path.is_dir():
            return _folder(path)
    except OSError as error:
        raise graph.unreadable(path, error) from error
    size = graph.size_of(path)
    suffix = path.suffix.lower()
    return _onnx(path, size) if suffix == ".onnx" else ModelFacts(_BY_SUFFIX.get(suffix), size / 1e6)


def _artefact(path: Path) -> ModelFacts:
    """Return what the reference in an artefact tells, with the size that a workload file takes for the artefact's."""
    from opdeploy.runtime.package import opened

    with opened(path) as package:
        reference = package.path(package.manifest.variants[-1].file)
        facts = _onnx(reference, graph.size_of(reference))
    return facts if path.is_dir() else replace(facts, size_mb=graph.size_of(path) / 1e6)


def _folder(path: Path) -> ModelFacts:
    if not (path / "saved_model.pb").is_file():
        raise InputError(f"{path}: is a directory, and no SavedModel of TensorFlow; name the model's file in it")
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())
    if not size:
        raise graph.empty(path)
    return ModelFacts("tensorflow", size / 1e6)


def _onnx(path: Path, size: int) -> ModelFacts:
    try:
        model = graph.read(path)
    except ImportError:
        return ModelFacts("onnx", size / 1e6, lacks_onnx=True)
    try:
        size_mb = (size + sum(file.stat().st_size for file in external.files(model, path.parent))) / 1e6
        if is_generative(model.graph):
            return ModelFacts("llm", size_mb)
        gflops, record_mb = cost.gflops_and_record_mb(model)
        return ModelFacts(framework_of(model, counted=gflops is not None), size_mb, gflops, record_mb)
    except (KeyError, RuntimeError, TypeError, ValueError):  # types that there are not, names that are not text
        raise graph.not_onnx(path) from None
    except OSError as error:
        raise graph.unreadable(path, error) from error


_CACHE = re.compile(r"past_key_values|present(_key_values)?[._]?\d")
"""Names of the key-value cache, as Hugging Face's and ONNX Runtime's exporters write them."""


def is_generative(main: onnx.GraphProto) -> bool:
    """Tell whether a model hands a cache of keys and values on, and so writes one token after another."""
    return any(_CACHE.match(value.name) for value in (*main.input, *main.output))


def framework_of(model: onnx.ModelProto, *, counted: bool) -> Framework:
    """Return what the model was trained with, as far as its producer tells.

    A workload whose file does not say what a record costs is taken for a neural network, with 0.1 GFLOPs for each MB,
    unless its framework is one of trees and the like; so a model of nothing else must not be called `onnx`.
    """
    found = _BY_PRODUCER.get(model.producer_name)
    if found:
        return found
    texts = [model.graph.name, model.graph.doc_string, model.doc_string, *(node.name for node in model.graph.node)]
    texts += [entry.key + " " + entry.value for entry in model.metadata_props]
    text = " ".join(texts).lower()
    if model.producer_name == "OnnxMLTools":
        if "lgbm" in text or "lightgbm" in text:
            return "lightgbm"
        if "xgb" in text:
            return "xgboost"
    classical = any(node.domain == "ai.onnx.ml" for node in model.graph.node)
    return "sklearn" if classical and not counted else "onnx"
