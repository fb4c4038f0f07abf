"""Writes what torchvision makes of some images to torchvision.npz beside it, for test_processing_images.py.

python tests/runtime/torchvision_reference.py, where torch and torchvision are installed; the file in the repository is
of torchvision 0.28.0, torch 2.13.0 and Pillow 13.0.0 (2026-11-23). It is no test: two builds of both that fit each
other are more than the project needs for anything else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

SIZES = ((25, 20), (20, 25), (14, 14), (15, 77), (10, 8), (1, 1), (50, 16), (12, 31))
"""Width and height of the images."""
SHORTER, CROP = 14, 12
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def picture(width: int, height: int) -> Image.Image:
    """Return an image whose every pixel differs from its neighbours."""
    y, x, channel = np.ogrid[:height, :width, :3]
    return Image.fromarray(((x * 7 + y * 13 + channel * 29 + (x * y) % 31) % 256).astype(np.uint8))


def main() -> None:
    """Write the file."""
    import torch

    # Of a torchvision that is built for another torch, the compiled operators are missing, and it stops as it registers
    # what goes with them. Transforms of Pillow's images use none.
    torch.library.register_fake = lambda *_, **__: lambda function: function  # type: ignore[assignment,unused-ignore]
    torch.library.Library.impl = lambda *_, **__: None  # type: ignore[method-assign,unused-ignore]
    from torchvision import transforms

    steps = transforms.Compose(
        [
            transforms.Resize(SHORTER),
            transforms.CenterCrop(CROP),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    made = {f"{width}x{height}": steps(picture(width, height)).numpy() for width, height in SIZES}
    np.savez_compressed(Path(__file__).with_name("torchvision.npz"), **made)


if __name__ == "__main__":
    main()
