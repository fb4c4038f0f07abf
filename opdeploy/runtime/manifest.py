"""What an artefact says of itself: its `model.yaml`, as values."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import yaml

from opdeploy.errors import InputError
from opdeploy.runtime.processing.spec import Processing
from opdeploy.runtime.settings import Settings
from opdeploy.runtime.tolerance import Tolerance

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.runtime.tensors import TensorSpec

MAX_BYTES = 4_000_000
_MAX_DEPTH = 20
_EVENTS = 400_000

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Label = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of the manifest: what does not belong there is refused, and defaults are not written."""


class Tensor(_Part, frozen=True):
    """An input or output, in the words of the Open Inference Protocol; a free size has a name, or -1."""

    name: str
    datatype: str
    shape: tuple[int | str, ...]

    @classmethod
    def of(cls, spec: TensorSpec) -> Tensor:
        """Describe a tensor of a graph."""
        return cls(spec.name, spec.datatype.name, tuple(-1 if size is None else size for size in spec.shape))


class Evidence(_Part, frozen=True):
    """How the answers of a variant compare with those of the reference, and on what."""

    data: str
    records: int
    synthetic: bool = False
    classes: bool = False
    """Whether the answers are classes."""
    agreement: float | None = None
    """Share of the records with the same best class; None where there is no class, or only one."""
    cosine: float | None = None
    """Least cosine of an output with the reference's, the mean answer subtracted; None where all answers are alike."""
    accuracy: float | None = None
    """Share of the records whose best class is their label."""
    reference_accuracy: float | None = None


class Verified(_Part, frozen=True):
    """Where and when a variant's answers were checked."""

    date: str
    cpu: str | None = None
    instruction_sets: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    onnxruntime: str = ""


class Variant(_Part, frozen=True):
    """One graph with the settings that it is run with, and how near its answers must be to the golden ones."""

    name: Label
    file: str
    precision: str
    settings: Settings = Settings()
    tolerance: dict[str, Tolerance] = {}
    """By output; one that is not named has the tolerance of `Tolerance`."""
    verified: Verified | None = None
    evidence: Evidence | None = None
    speed_up: float | None = None
    """How much faster than the reference, where it was verified."""


class Golden(_Part, frozen=True):
    """Inputs, and the outputs that every variant and every target must reproduce."""

    file: str
    records: int
    synthetic: bool = False
    """Whether the inputs were drawn at random."""
    examples: str | None = None
    """A JSON file of records before pre-processing, with the answers after post-processing."""


class Manifest(_Part, frozen=True):
    """An artefact."""

    format: Literal[1]
    name: Label
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    variants: Annotated[tuple[Variant, ...], msgspec.Meta(min_length=1)]
    """The best first; the last is the reference."""
    golden: Golden
    files: dict[str, Sha256]
    """Every other file of the artefact, by its path in it."""
    processing: Processing | None = None
    measurements: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for path in self.files:
            if not is_inside(path):
                raise ValueError(f"the path {path!r} leads out of the artefact")
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError("two variants have one name")
        named: list[str | None] = [
            self.golden.file,
            self.golden.examples,
            *self.measurements,
            *(item.file for item in self.variants),
        ]
        named += self.processing.files if self.processing else ()
        for file in named:
            if file is not None and file not in self.files:
                raise ValueError(f"{file!r} is named, but is none of its files")


def is_inside(path: str) -> bool:
    """Tell whether a path, as an artefact writes it, stays within its folder on every system."""
    pure = PurePosixPath(path)
    strange = any(char in path for char in "\\:\0") or not path.isprintable()
    return bool(path) and not strange and not pure.is_absolute() and ".." not in pure.parts and str(pure) == path


def read(path: Path, shown: Path | None = None) -> Manifest:
    """Read a manifest; `shown` is what stands for it in errors.

    Raises InputError for one that is not there, is not YAML, or does not say what it must.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name an artefact's folder or file") from None
    if len(text) > MAX_BYTES:
        raise InputError(f"{path}: is larger than 4 MB, which no manifest is; package the model again")
    try:
        return msgspec.convert(_parsed(text), Manifest)
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError, ValueError, RecursionError) as error:
        why = " ".join(str(error).split())
        raise InputError(
            f"{shown or path}: is not the manifest of an artefact: {why}; package the model again"
        ) from None


def _parsed(text: bytes) -> Any:  # noqa: ANN401  any YAML value
    """Parse YAML in which nothing is nested deeply or stands for something else: PyYAML composes by recursion in C."""
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH or count > _EVENTS or isinstance(event, yaml.AliasEvent):
            raise ValueError("it is nested too deeply, too long, or has aliases")
    return yaml.load(text, Loader=loader)  # noqa: S506  a safe loader
