"""Train a small convolutional network on the digits and export it to ONNX: `python examples/digits/train.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from data import Images, load
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

SEED = 0
EPOCHS = 40
BATCH = 32
PEAK_LEARNING_RATE = 3e-3
OPSET = 18


class DigitNet(nn.Module):
    """Map images (N, 1, 8, 8) in 0..1 to the logits (N, 10) of the ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 24, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(24, 48, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(48, 64, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * 2 * 2, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits (N, 10)."""
        logits: Tensor = self.layers(image)
        return logits


def shifted(images: Tensor) -> Tensor:
    """Return the images (N, 1, 8, 8), each moved by up to one pixel each way, with empty pixels moving in."""
    padded = functional.pad(images, (1, 1, 1, 1))
    moves = torch.randint(0, 3, (len(images), 2)).tolist()
    return torch.stack([image[:, y : y + 8, x : x + 8] for image, (y, x) in zip(padded, moves, strict=True)])


def train(training: Images) -> DigitNet:
    """Return a network fitted to the training images for a fixed number of epochs, from a fixed seed."""
    torch.manual_seed(SEED)
    # One thread and deterministic kernels: sums are taken in one order, so a machine repeats its own weights.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    images, labels = torch.from_numpy(training.images), torch.from_numpy(training.labels)
    network = DigitNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=1e-2)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for batch in torch.split(torch.randperm(len(images)), BATCH):
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(network(shifted(images[batch])), labels[batch]))
            optimizer.step()
            schedule.step()
    return network.eval()


def accuracy(network: DigitNet, held_out: Images) -> float:
    """Return the share of the images whose most probable digit is their label."""
    with torch.inference_mode():
        predicted = network(torch.from_numpy(held_out.images)).argmax(dim=1).numpy()
    return float(np.mean(predicted == held_out.labels))


def flops_per_image(network: DigitNet) -> int:
    """Return the floating-point operations of one image, two for each multiply-add."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 1, 8, 8))
    return int(counter.get_total_flops())


def export(network: DigitNet, path: Path) -> None:
    """Write the network with its softmax to one ONNX file: `image` (batch, 1, 8, 8) to `probabilities` (batch, 10)."""
    program = torch.onnx.export(
        nn.Sequential(network, nn.Softmax(dim=1)).eval(),
        # Two images: the exporter takes a size of one for a constant.
        (torch.zeros(2, 1, 8, 8),),
        input_names=["image"],
        output_names=["probabilities"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 - for the type checker: only the older exporter returns nothing
    model = program.model_proto
    _strip_notes(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)


def _strip_notes(model: onnx.ModelProto) -> None:
    # The exporter notes the source line of each node, with the folders of the machine that ran it.
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def main() -> None:
    """Train, export, and print the accuracy on the held-out images, the cost of one image and the file's size."""
    parser = argparse.ArgumentParser(description="Train the digits network and export it to ONNX.")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("model.onnx"), help="file to write")
    output: Path = parser.parse_args().output
    training, held_out = load()
    network = train(training)
    export(network, output)
    print(f"held-out accuracy: {accuracy(network, held_out):.4f} on {len(held_out.labels)} images")
    print(f"operations per image: {flops_per_image(network) / 1e9:.6f} GFLOP")
    print(f"model file: {output} ({output.stat().st_size / 1e6:.3f} MB)")


if __name__ == "__main__":
    main()
