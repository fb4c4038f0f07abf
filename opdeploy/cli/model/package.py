"""`opdeploy model package`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opdeploy.cli.model.options import Atol, DataFile, Label, Name, Processing, Rtol, Target


def package(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="An ONNX file, or an artefact to add to.", show_default=False)
    ],
    target: Target,
    *,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    name: Name = None,
    measurement: Annotated[
        list[Path] | None,
        typer.Option("--measurement", metavar="FILE", help="JSON of `opdeploy model measure`; may be repeated."),
    ] = None,
    rtol: Rtol = None,
    atol: Atol = None,
) -> None:
    """Write one artefact: the model, what it takes and gives, golden answers, and the hash of each file.

    The same input gives the same artefact. Of an artefact, it writes a copy: with more measurements, or as one file.
    """
    from opdeploy import ui
    from opdeploy.artifact import graph
    from opdeploy.artifact.package import Contents, build, check_target, repackage
    from opdeploy.artifact.size import is_artefact
    from opdeploy.cli.model.options import Source, declared, name_of, tolerance
    from opdeploy.errors import InputError
    from opdeploy.runtime.package import opened, sha256
    from opdeploy.runtime.session import Session

    check_target(target)
    measurements = _measurements(measurement or [])
    if is_artefact(model):
        if any(item is not None for item in (data, processing, name, rtol, atol)):
            raise InputError(f"{model}: is an artefact, to which only measurements are added; package the ONNX file")
        with opened(model) as source:
            _check_measured(measurements, set(source.manifest.files.values()), model)
            digest = repackage(source, {path.stem: text for path, text in measurements.items()}, target)
    else:
        called = name_of(name, model)
        declaration = declared(processing)
        graph.load(model, weights=False)
        _check_measured(measurements, {sha256(model)}, model)
        found = Source(data, declaration, label).read(Session(model))
        contents = Contents(
            called,
            model,
            found.samples,
            found.records,
            declaration,
            measurements={path.stem: text for path, text in measurements.items()},
            tolerance=tolerance(rtol, atol),
        )
        digest = build(contents, target)
    ui.say(f"wrote {target}")
    ui.say(f"sha256:{digest}")


def _measurements(paths: list[Path]) -> dict[Path, str]:
    """Read measurements; raises InputError for what is none, and for names that an artefact cannot keep."""
    from opdeploy.errors import InputError
    from opdeploy.runtime.manifest import is_inside

    for at, path in enumerate(paths):
        if not is_inside(path.stem):
            raise InputError(f"{path}: cannot be kept under this name; rename it with letters, digits and hyphens")
        if path.stem in {other.stem for other in paths[:at]}:
            raise InputError(f"{path}: another measurement has this name too; rename one")
    return {path: _measurement(path) for path in paths}


def _measurement(path: Path) -> str:
    import json

    from opdeploy.errors import InputError

    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; name a file that exists") from None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not {"date", "machine", "points", "knee", "sha256"} <= document.keys():
        raise InputError(f"{path}: is no measurement; write one with: opdeploy model measure MODEL -o json --file FILE")
    return text


def _check_measured(measurements: dict[Path, str], hashes: set[str], model: Path) -> None:
    """Raise InputError for a measurement of another model."""
    import json

    from opdeploy.errors import InputError

    for path, text in measurements.items():
        if json.loads(text)["sha256"] not in hashes:
            raise InputError(f"{path}: measures another model than {model}: their hashes differ; measure this one")
