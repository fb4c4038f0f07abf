"""Small models to serve, each written as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
import onnx.parser

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "FP32": "float",
    "FP64": "double",
    "BYTES": "string",
}
"""Datatypes of the protocol, and ONNX's words for them; without BF16, which does not go together with text."""


def saved(text: str, path: Path) -> Path:
    """Write the model whose graph is given as text."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 18]> {text}')
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)
    return path


def echo(path: Path, words: dict[str, str] = WORDS) -> Path:
    """Write a model with a vector of each datatype, `in_<datatype>`, that it gives back as `out_<datatype>`."""
    given = ", ".join(f"{word}[?] in_{name}" for name, word in words.items())
    made = ", ".join(f"{word}[?] out_{name}" for name, word in words.items())
    nodes = " ".join(f"out_{name} = Identity(in_{name})" for name in words)
    return saved(f"echo ({given}) => ({made}) {{ {nodes} }}", path)


BUSY = """busy (int64[1] count) => (float total) {
  turns = Squeeze(count)
  yes = Constant<value = bool {1}>()
  zero = Constant<value = float {0}>()
  total = Loop<body = turn (int64 at, bool go, float before) => (bool on, float after) {
    one = Constant<value = float {1}>()
    on = Identity(go)
    after = Add(before, one)
  }>(turns, yes, zero)
}"""
"""Counts up to `count` on one thread, and so computes as long as its client likes."""

DOUBLE = "double (float[n, 2] x) => (float[n, 2] y) { y = Add(x, x) }"
"""Doubles each record, whatever others share its run."""

SAME = "same (float[?] x) => (float[?] y) { y = Identity(x) }"
"""Gives back numbers."""

PAIRS = "pairs (float[2, 2] x) => (float[2, 2] y) { y = Add(x, x) }"
"""Takes two records, no more and no less."""

CENTRED = """centred (float[n, 2] x) => (float[n, 2] y) {
  axes = Constant<value = int64[1] {0}>()
  mean = ReduceMean(x, axes)
  y = Sub(x, mean)
}"""
"""Subtracts the mean of all records of a run, so that the answer for one depends on the others."""

LENGTHS = """lengths (int64[n, length] ids) => (int64[n, 1] sum) {
  axes = Constant<value = int64[1] {1}>()
  sum = ReduceSum(ids, axes)
}"""
"""Adds up each record, of any length."""

LOOKUP = """lookup (int64[n, 1] id) => (float[n, 1] value) {
  table = Constant<value = float[4] {10, 11, 12, 13}>()
  value = Gather(table, id)
}"""
"""Looks up a number for an id from 0 to 3, and fails on any other."""

BRIGHTNESS = """brightness (float[n, 1, 8, 8] image) => (float[n, 2] scores) {
  axes = Constant<value = int64[2] {2, 3}>()
  one = Constant<value = float {1}>()
  bright = ReduceMean<keepdims = 0>(image, axes)
  dark = Sub(one, bright)
  scores = Concat<axis = 1>(dark, bright)
}"""
"""Tells how dark and how bright an image is."""

SEQUENCE = "sequence (float[n] x) => (seq(float[n]) y) { y = SequenceConstruct(x) }"
"""Has an output that the protocol cannot carry."""
