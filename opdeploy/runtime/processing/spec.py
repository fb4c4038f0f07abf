"""What is done to a record before the model and to its answer after it, as an artefact declares it.

docs/processing.md has every field with its rule and where the rule comes from.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

MAX_SIDE = 16_384
"""The longest side, in pixels, that a declaration may ask for."""
MAX_TOKENS = 131_072

Side = Annotated[int, msgspec.Meta(ge=1, le=MAX_SIDE)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the declaration: what does not belong there is refused, and defaults are not written."""


class Resize(_Declared, frozen=True):
    """To a width and a height, or until the shorter side has a length and the ratio of the sides is kept; in pixels."""

    shorter: Side | None = None
    width: Side | None = None
    height: Side | None = None
    interpolation: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = "bilinear"

    def __post_init__(self) -> None:
        if (self.width is None) != (self.height is None) or (self.shorter is None) == (self.width is None):
            raise ValueError("give either shorter, or width and height")


class Crop(_Declared, frozen=True):
    """The centre of the image, in pixels; where the image is smaller, black is added."""

    width: Side
    height: Side


class Image(_Declared, frozen=True, tag_field="kind", tag="image"):
    """An image: decoded, resized, cropped, and then `(pixel * scale - mean) / std`."""

    tensor: Name
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    exif: Literal["ignore", "apply"] = "ignore"
    """Whether the image is turned as its EXIF orientation says."""
    resize: Resize | None = None
    crop: Crop | None = None
    scale: float = 1.0
    mean: tuple[float, ...] = ()
    """One for each channel, in the order of the tensor; empty for 0."""
    std: tuple[float, ...] = ()
    """One for each channel, in the order of the tensor; empty for 1."""
    layout: Literal["nchw", "nhwc"] = "nchw"

    def __post_init__(self) -> None:
        count = 1 if self.channels == "gray" else 3
        for name, values in (("mean", self.mean), ("std", self.std)):
            if values and len(values) != count:
                raise ValueError(f"{name} has {len(values)} numbers, where {self.channels} has {count} channels")
        if not all(map(math.isfinite, (self.scale, *self.mean, *self.std))):
            raise ValueError("scale, mean and std are finite numbers")
        if not all(self.std) or not self.scale:
            raise ValueError("scale and std are not 0")


class _Column(_Declared, frozen=True, tag_field="type"):
    name: Name
    tensor: Name | None = None
    """Where the column goes: default is the table's tensor, else one of the column's own name."""


class Number(_Column, frozen=True, tag="number"):
    """A finite number."""

    missing: float | Literal["nan"] | None = None
    """What stands for a missing value; where it is not given, a missing value is refused."""

    def __post_init__(self) -> None:
        if isinstance(self.missing, float) and math.isinf(self.missing):
            raise ValueError("missing is infinite; give a finite number, or nan")


class Boolean(_Column, frozen=True, tag="boolean"):
    """True or false."""

    missing: bool | None = None


class TextColumn(_Column, frozen=True, tag="text"):
    """Text that goes to the model as it is."""

    missing: str | None = None
    nulls: tuple[str, ...] = ()
    """Texts that stand for a missing value here; those of the table do not."""


class Category(_Column, frozen=True, kw_only=True, tag="category"):
    """One of some values: its place among them, from 0, or as many columns with a 1 in that place."""

    categories: tuple[bool | int | str, ...]
    encode: Literal["index", "one_hot"] = "index"
    unknown: int | Literal["refuse", "zeros"] = "refuse"
    """What stands for a value that is none of them: a number where `encode` is index, zeros where it is one_hot."""
    missing: bool | int | str | None = None
    """A value, as if the record had it; it need not be one of the categories where `unknown` is given."""

    def __post_init__(self) -> None:
        keys = [category_key(category) for category in self.categories]
        if not keys:
            raise ValueError("categories is empty")
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"categories has {twice!r} twice")
        if self.unknown != "refuse" and (self.unknown == "zeros") != (self.encode == "one_hot"):
            raise ValueError("unknown is a number where encode is index, and zeros where it is one_hot")
        if self.missing is not None and self.unknown == "refuse" and category_key(self.missing) not in keys:
            raise ValueError(f"missing is {self.missing!r}, which is none of the categories; add it, or give unknown")

    @property
    def width(self) -> int:
        """Number of columns of the tensor that it takes."""
        return len(self.categories) if self.encode == "one_hot" else 1


Column = Number | Boolean | TextColumn | Category


class Table(_Declared, frozen=True, tag_field="kind", tag="table"):
    """A row: columns that go to one tensor stand in it side by side, in the order in which they are declared."""

    columns: tuple[Column, ...]
    tensor: Name | None = None
    """The tensor of every column that names none."""
    nulls: tuple[str, ...] = ("",)
    """Texts that stand for a missing value, but in columns of text."""
    extra: Literal["ignore", "refuse"] = "ignore"
    """What is done about columns that are not declared."""

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if not names:
            raise ValueError("columns is empty")
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"columns has {twice!r} twice")


class Text(_Declared, frozen=True, tag_field="kind", tag="text"):
    """Text, as numbers of tokens."""

    ids: Name
    tokenizer: Name = "tokenizer.json"
    """A file of the package."""
    max_length: Annotated[int, msgspec.Meta(ge=1, le=MAX_TOKENS)] = 512
    """Number of tokens, those counted that the tokenizer adds."""
    too_long: Literal["truncate", "refuse"] = "truncate"
    padding: Literal["longest", "fixed"] = "longest"
    """To the longest of a batch, or always to `max_length`."""
    pad_token: Name | None = None
    """Default is what the tokenizer's file names."""
    mask: Name | None = None
    """The tensor that is 1 for tokens and 0 for padding."""
    types: Name | None = None
    """The tensor that numbers the sentences of a pair: here all 0."""


class Classification(_Declared, frozen=True, tag_field="kind", tag="classification"):
    """The best label with its score, and the best `top_k`."""

    tensor: Name
    activation: Literal["softmax", "sigmoid", "none"] = "none"
    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    labels: Name | tuple[str, ...] = ()
    """The labels, or a file of the package with one in each line; where there are none, a label is its number."""


class Regression(_Declared, frozen=True, tag_field="kind", tag="regression"):
    """One number."""

    tensor: Name
    name: Name = "value"
    """Its name in the answer."""
    unit: Name | None = None


class Embedding(_Declared, frozen=True, tag_field="kind", tag="embedding"):
    """A vector, or one for each token that is pooled to a vector."""

    tensor: Name
    pool: Literal["mean", "cls", "none"] = "none"
    normalize: Literal["l2", "none"] = "none"
    mask: Name | None = None
    """The input that tells tokens from padding, which the mean needs; default is the mask of a text."""


class Raw(_Declared, frozen=True, tag_field="kind", tag="raw"):
    """Every output as it is."""


Input = Image | Table | Text
Output = Classification | Regression | Embedding | Raw


class Processing(_Declared, frozen=True):
    """What makes tensors of records, and answers of tensors."""

    input: Input
    output: Output = Raw()

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the package that the declaration names, as it names them."""
        tokenizer = (self.input.tokenizer,) if isinstance(self.input, Text) else ()
        labels = self.output.labels if isinstance(self.output, Classification) else ()
        return (*tokenizer, labels) if isinstance(labels, str) else tokenizer


def category_key(value: bool | float | str) -> str:  # noqa: FBT001 - a value of a table
    """Return the text by which categories are compared: 3, 3.0 and "3" are one, and so are true and "true"."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
