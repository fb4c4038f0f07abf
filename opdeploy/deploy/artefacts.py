"""The artefact of a workload's model: itself where it is one, else packaged once and kept in the cache."""

from __future__ import annotations

from glob import escape
from shutil import rmtree
from typing import TYPE_CHECKING

from opdeploy.deploy.cache import made
from opdeploy.errors import InputError
from opdeploy.plan import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = 8
"""Golden records that are drawn where there are none."""
KEPT = 3
"""Artefacts of a model that are kept; another deploy may be at work with one that is not the newest."""
_DIGITS = 16


def packaged(model: Path, name: str, state: Path) -> Path:
    """Return the artefact of a model: an ONNX file is packaged, with golden inputs drawn with a fixed seed.

    Raises InputError for a model that has yet to be converted.
    """
    if model.is_dir() or model.suffix.lower() == ".zip":
        return model
    if model.suffix.lower() != ".onnx":
        raise InputError(
            f"{model}: is no artefact and no ONNX file; make one of it with: opdeploy model convert {model}"
        )
    from opdeploy.artifact import external, graph
    from opdeploy.artifact.package import Contents, build
    from opdeploy.artifact.samples import fixed_batch, synthetic
    from opdeploy.runtime.package import sha256
    from opdeploy.runtime.session import Session

    weights = sorted(external.files(graph.load(model, weights=False), model.parent))
    digest = fingerprint([sha256(file) for file in (model, *weights)])
    folder = state / "artefacts"
    target = folder / f"{name}-{digest[:_DIGITS]}"
    if not target.exists():
        session = Session(model)
        made(state, "artefacts")
        build(Contents(name, model, synthetic(session, fixed_batch(session.inputs) or RECORDS)), target)
        _clear(folder, name)
    return target


def _clear(folder: Path, name: str) -> None:
    """Remove the oldest artefacts of a model: each has a copy of it."""
    digits = "[0-9a-f]" * _DIGITS
    made = sorted(folder.glob(f"{escape(name)}-{digits}"), key=lambda path: path.stat().st_mtime)
    for path in made[:-KEPT]:
        rmtree(path, ignore_errors=True)
