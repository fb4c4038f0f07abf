"""Models of every kind, without a graph: their tensors and their processing."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from opdeploy.runtime.processing.processor import Processor
from opdeploy.runtime.processing.spec import Processing
from tests.runtime.processed import tensor

if TYPE_CHECKING:
    from opdeploy.runtime.tensors import TensorSpec


@dataclass(frozen=True)
class Model:
    """A model as the server holds it, but for its graph."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    processing: Processing | None = None
    processor: Processor | None = None
    name: str = "m"
    version: str = "1"
    variant: str | None = "fp32"
    digest: str | None = "ab" * 32
    batchable: bool = True


def model(
    inputs: list[TensorSpec],
    outputs: list[TensorSpec],
    declared: dict[str, Any] | None = None,
    files: Path = Path(),
    **fields: Any,  # noqa: ANN401 - fields of any type
) -> Model:
    """Return a model, with the processing that is declared as it stands in YAML."""
    if declared is None:
        return Model(tuple(inputs), tuple(outputs), **fields)
    processing = msgspec.convert(declared, Processing)
    return Model(tuple(inputs), tuple(outputs), processing, Processor(processing, inputs, outputs, files), **fields)


IMAGE = {"kind": "image", "tensor": "image", "resize": {"width": 4, "height": 2}, "scale": 1 / 255}
CLASSES = {"kind": "classification", "tensor": "logits", "labels": ["cat", "dog", "owl"], "top_k": 2}
COLUMNS = [
    {"name": "age", "type": "number", "missing": "nan"},
    {"name": "fare", "type": "number"},
    {"name": "port", "type": "category", "categories": ["C", "Q"], "encode": "one_hot", "unknown": "zeros"},
    {"name": "alone", "type": "boolean"},
]


def images(output: dict[str, Any] | None = None, **fields: Any) -> Model:  # noqa: ANN401 - fields of any type
    """Return a model that tells images apart."""
    given = [tensor("image", "FP32", "n", 3, 2, 4)]
    return model(given, [tensor("logits", "FP32", "n", 3)], {"input": IMAGE | fields, "output": output or CLASSES})


def table(**fields: Any) -> Model:  # noqa: ANN401 - fields of any type
    """Return a model that gives a number for a row."""
    declared = {
        "input": {"kind": "table", "tensor": "x", "columns": COLUMNS} | fields,
        "output": {"kind": "regression", "tensor": "y", "name": "price", "unit": "EUR"},
    }
    return model([tensor("x", "FP32", "n", 5)], [tensor("y", "FP32", "n", 1)], declared)


def texts(folder: Path, **fields: Any) -> Model:  # noqa: ANN401 - fields of any type
    """Return a model that gives a vector for a text, with a tokenizer of four words in the folder."""
    tokenizer = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "the": 2, "cat": 3}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[assignment,unused-ignore]
    tokenizer.save(str(folder / "tokenizer.json"))
    declared = {
        "input": {"kind": "text", "ids": "ids", "mask": "mask", "max_length": 8, "pad_token": "[PAD]"} | fields,
        "output": {"kind": "embedding", "tensor": "v"},
    }
    given = [tensor("ids", "INT64", "n", "length"), tensor("mask", "INT64", "n", "length")]
    return model(given, [tensor("v", "FP32", "n", 2)], declared, folder)


def bare() -> Model:
    """Return a model without processing, of one input."""
    return model([tensor("x", "FP32", "n", 2)], [tensor("y", "FP32", "n", 2), tensor("word", "BYTES", "n")])


def pair() -> Model:
    """Return a model without processing, of two inputs."""
    return model([tensor("a", "FP32", "n", 2), tensor("b", "INT64", "n")], [tensor("y", "FP32", "n")])


def png(width: int = 4, height: int = 2, level: int = 0) -> bytes:
    """Return an image of one grey level, as a file."""
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), level, np.uint8)).save(file, "PNG")
    return file.getvalue()
