"""The handwritten digits and their one fixed split into training and held-out images.

`python examples/digits/data.py records.npz` writes the held-out ones and their labels, as `opdeploy model` takes them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from numpy.typing import NDArray

HELD_OUT_SHARE = 0.25
SPLIT_SEED = 0
BRIGHTEST_PIXEL = 16


@dataclass(frozen=True)
class Images:
    """Labelled images of one side of the split.

    `indices` (N,) are positions in scikit-learn's data set, `images` (N, 1, 8, 8) float32 in 0..1,
    `labels` (N,) int64 in 0..9.
    """

    indices: NDArray[np.int64]
    images: NDArray[np.float32]
    labels: NDArray[np.int64]


def load() -> tuple[Images, Images]:
    """Return the training images and the held-out images, the same ones on every machine and every call."""
    digits = load_digits()
    pixels = (digits.images / BRIGHTEST_PIXEL).astype(np.float32)[:, np.newaxis]
    labels = digits.target.astype(np.int64)
    training, held_out = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT_SHARE, stratify=labels, random_state=SPLIT_SEED
    )
    return (
        Images(training, pixels[training], labels[training]),
        Images(held_out, pixels[held_out], labels[held_out]),
    )


def main() -> None:
    """Write the held-out images and their labels to an .npz file."""
    parser = argparse.ArgumentParser(description="Write the held-out digits to an .npz file.")
    parser.add_argument("file", type=Path, help="file to write")
    file: Path = parser.parse_args().file
    held_out = load()[1]
    np.savez(file, image=held_out.images, labels=held_out.labels)
    print(f"wrote {len(held_out.labels)} images to {file}")


if __name__ == "__main__":
    main()
