"""Reads what an artefact, or a file, tells of how fast a model runs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from opdeploy import speed
from opdeploy.artifact.size import is_artefact
from opdeploy.errors import InputError
from opdeploy.speed import Speeds, Variant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from opdeploy.runtime.manifest import Manifest
    from opdeploy.speed import Measured

_OF_VARIANTS = "optimize"
"""The measurement of `opdeploy model optimize`, whose figures stand beside each variant too."""


def speeds(model: Path | None, files: Iterable[Path]) -> Speeds:
    """Return what is known of a model, an artefact or an ONNX file, and what files of measurements tell.

    Raises InputError for a file that is no measurement, or is one of another model, and for a damaged artefact.
    """
    found = Speeds() if model is None else of_model(model)
    given = [(path, _read(path)) for path in files]
    known = {variant.sha256 for variant in found.variants}
    if given and model is not None and model.is_file() and not is_artefact(model):
        with model.open("rb") as file:
            known = {hashlib.file_digest(file, "sha256").hexdigest()}
    for path, item in given:
        if known and item.sha256 not in known:
            raise InputError(f"{path}: was measured of another model than {model}; measure this one")
    return Speeds((*(item for _, item in given), *found.measured), found.variants, found.size_mb, found.images)


def of_model(model: Path) -> Speeds:
    """Return what a model, a folder or a file, tells of itself."""
    if not is_artefact(model):
        return Speeds()
    from opdeploy.runtime.package import opened

    with opened(model, verified=False) as package:
        manifest = package.manifest
        told = (file for file in manifest.measurements if file.rpartition("/")[2].partition(".")[0] != _OF_VARIANTS)
        measured = tuple(_read(package.path(file)) for file in told)
        size_mb = package.path(manifest.variants[-1].file).stat().st_size / 1e6
        return Speeds(measured, _variants(manifest), size_mb, _takes_images(manifest))


def _read(path: Path) -> Measured:
    try:
        return speed.read(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(f"{path}: cannot be read: {why}; name a file of opdeploy model measure") from None


def _variants(manifest: Manifest) -> tuple[Variant, ...]:
    return tuple(
        Variant(
            name=each.name,
            precision=each.precision,
            sha256=manifest.files[each.file],
            speed_up=each.speed_up,
            instruction_sets=each.verified.instruction_sets if each.verified else (),
            accuracy=each.evidence.accuracy if each.evidence else None,
            reference_accuracy=each.evidence.reference_accuracy if each.evidence else None,
            agreement=each.evidence.agreement if each.evidence else None,
            records=each.evidence.records if each.evidence else 0,
        )
        for each in manifest.variants
    )


def _takes_images(manifest: Manifest) -> bool:
    from opdeploy.runtime.processing.spec import Image

    return manifest.processing is not None and isinstance(manifest.processing.input, Image)
