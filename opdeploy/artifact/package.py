"""Makes an artefact: variants, golden answers, declarations and measurements, with the hash of every file."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy import document, files
from opdeploy.artifact import evidence, external, graph
from opdeploy.artifact.samples import fixed_batch
from opdeploy.errors import DifferenceError, InputError, OpdeployError
from opdeploy.runtime import manifest as manifests
from opdeploy.runtime.golden import compare
from opdeploy.runtime.package import MANIFEST, Golden, opened, pack, sha256
from opdeploy.runtime.session import Session
from opdeploy.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from opdeploy.artifact.data import Declared
    from opdeploy.artifact.optimize import Optimised, Trial
    from opdeploy.artifact.samples import Samples
    from opdeploy.runtime.manifest import Manifest, Variant
    from opdeploy.runtime.package import Package
    from opdeploy.runtime.processing.processor import Processor
    from opdeploy.runtime.processing.records import Record
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tolerance import Tolerance

GOLDEN = "golden/tensors.npz"
EXAMPLES = "golden/examples.json"
GOLDEN_RECORDS = 8
"""Golden records: enough to tell a wrong variant, few enough to be checked at every start."""
ZIP = ".zip"
_OTHER_SUFFIXES = {".7z", ".gz", ".json", ".onnx", ".tar", ".tgz", ".xz", ".yaml", ".yml"}
_OWN = {MANIFEST, "golden", "measurements", "variants"}
"""Files and folders of the artefact itself, which no declared file may take."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into an artefact."""

    name: str
    model: Path
    samples: Samples
    """Records for the golden answers."""
    records: Sequence[Record] = ()
    """The same records before pre-processing."""
    declared: Declared | None = None
    optimised: Optimised | None = None
    measurements: Mapping[str, str] = field(default_factory=dict)
    """JSON texts by name."""
    tolerance: Tolerance | None = None
    """Of every output of the reference; where it is not given, it is found from their size."""


def build(contents: Contents, target: Path) -> str:
    """Write an artefact, a folder or one file (`.zip`), whole or not at all, and return its digest.

    Raises InputError where something is there already, DifferenceError where a variant does not give its own answers
    again, and OpdeployError where the model fails on the samples.
    """
    with _whole(target) as folder:
        _write(contents, folder)
    return _digest(target)


def check_target(target: Path) -> None:
    """Raise InputError where no artefact can be written: something is there, or the name is that of another thing."""
    if target.suffix.lower() in _OTHER_SUFFIXES:
        raise InputError(f"{target}: an artefact is a folder, or one file that ends in .zip; name it so")
    if not target.name:
        raise InputError(f"{target}: is no name for an artefact; name a folder or a file that is not there yet")
    files.check_absent(target)


def repackage(package: Package, measurements: Mapping[str, str], target: Path) -> str:
    """Write an artefact again, with more measurements, and return its digest.

    Raises InputError where it has a measurement of that name, or something is at the target already.
    """
    import msgspec

    twice = set(package.manifest.measurements) & set(_measured(measurements))
    if twice:
        raise InputError(f"{min(twice)}: is in the artefact already; rename the file with the other measurement")
    with _whole(target) as folder:
        for name in package.manifest.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package.path(name), folder / name)
        _write_measurements(measurements, folder)
        kept = {*package.manifest.measurements, *_measured(measurements)}
        manifest = msgspec.structs.replace(package.manifest, files=_hashes(folder), measurements=tuple(sorted(kept)))
        (folder / MANIFEST).write_text(written(manifest), encoding="utf-8")
    return _digest(target)


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Give a folder, which takes the target's place when all went well, packed where that is a file."""
    check_target(target)
    try:
        with tempfile.TemporaryDirectory(prefix=".opdeploy-", dir=target.parent) as temporary:
            whole = Path(temporary) / "artefact"
            whole.mkdir()
            yield whole
            if target.suffix.lower() == ZIP:
                folder, whole = whole, Path(temporary) / "artefact.zip"
                pack(folder, whole)
            files.check_absent(target)  # another may have made it meanwhile
            whole.rename(target)
    except OSError as error:
        why = error.strerror or error
        raise OpdeployError(f"{target}: was not written: {why}; make room, or name another") from error


def _digest(target: Path) -> str:
    with opened(target) as package:
        return package.digest


def _write(contents: Contents, folder: Path) -> None:
    session = Session(contents.model)
    if contents.declared:
        _copy_declared(contents.declared, folder)
    processor = contents.declared.processor(session, folder) if contents.declared else None
    records = [contents.records[at] for at in _chosen(contents, session)] if contents.records else []
    golden = _golden(contents, records, processor)
    (folder / GOLDEN).parent.mkdir(exist_ok=True)
    golden.save(folder / GOLDEN)
    if processor and records:
        _write_examples(records, processor, golden, folder)
    variants = _variants(contents, folder, golden, _tolerances(contents, golden.outputs))
    _write_measurements(contents.measurements, folder)
    manifest = manifests.Manifest(
        format=1,
        name=contents.name,
        inputs=tuple(map(manifests.Tensor.of, session.inputs)),
        outputs=tuple(map(manifests.Tensor.of, session.outputs)),
        variants=variants,
        golden=manifests.Golden(
            GOLDEN,
            len(next(iter(golden.inputs.values()))),
            contents.samples.synthetic,
            EXAMPLES if (folder / EXAMPLES).exists() else None,
        ),
        files=_hashes(folder),
        processing=contents.declared.processing if contents.declared else None,
        measurements=tuple(sorted(_measured(contents.measurements))),
    )
    (folder / MANIFEST).write_text(written(manifest), encoding="utf-8")


def _hashes(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): sha256(path) for path in found}


def _measured(measurements: Mapping[str, str]) -> list[str]:
    return [f"measurements/{name}.json" for name in measurements]


def _write_measurements(measurements: Mapping[str, str], folder: Path) -> None:
    for path, text in zip(_measured(measurements), measurements.values(), strict=True):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def written(manifest: Manifest) -> str:
    """Return a manifest as YAML."""
    import msgspec

    return document.dump(msgspec.to_builtins(manifest))


def _golden(contents: Contents, records: Sequence[Record], processor: Processor | None) -> Golden:
    """Return golden inputs with the answers of the graph as exported, on one thread."""
    session = Session(contents.model, Settings(threads=1, level="disable"))
    if processor and records:
        inputs = processor.tensors(records)  # padded among themselves, as they will be when they are checked
    else:
        inputs = contents.samples.take(_chosen(contents, session)).inputs
    return Golden(inputs, session.run(inputs))


def _chosen(contents: Contents, session: Session) -> NDArray[np.int64]:
    """Return which samples are golden: from the first to the last, since neighbours may be of one class."""
    import numpy as np

    size = fixed_batch(session.inputs) or min(GOLDEN_RECORDS, len(contents.samples))
    return np.linspace(0, len(contents.samples) - 1, size).round().astype(np.int64)


def _tolerances(contents: Contents, outputs: Arrays) -> dict[str, Tolerance]:
    """Return what the reference's answers may differ by, as it was asked for, else as their size says."""
    given = contents.tolerance
    found = evidence.tolerances(outputs)
    return {name: given if given and outputs[name].dtype.kind == "f" else item for name, item in found.items()}


def _variants(
    contents: Contents, folder: Path, golden: Golden, tolerances: dict[str, Tolerance]
) -> tuple[Variant, ...]:
    """Copy the best variant and the reference, each with the tolerance that its own answers here ask for."""
    from opdeploy.artifact.variants import precision

    optimised = contents.optimised
    if optimised is None:
        name = precision(contents.model)
        file = _copy_graph(contents.model, folder, name)
        return (_checked(manifests.Variant(name, file, name, tolerance=tolerances), folder, golden),)
    kept = [optimised.best] if optimised.best is optimised.reference else [optimised.best, optimised.reference]
    graphs: dict[Path | None, str] = {}
    found = []
    for trial in kept:
        if trial.graph not in graphs:
            graphs[trial.graph] = _copy_graph(trial.graph or contents.model, folder, trial.name)
        found.append(_variant(trial, optimised, graphs[trial.graph], tolerances))
    return tuple(_checked(variant, folder, golden) for variant in found)


def _variant(trial: Trial, optimised: Optimised, file: str, tolerances: dict[str, Tolerance]) -> Variant:
    return manifests.Variant(
        name=trial.name,
        file=file,
        precision=trial.precision,
        settings=trial.settings,
        tolerance=tolerances,
        verified=optimised.verified,
        evidence=trial.evidence,
        speed_up=trial.speed_up and float(f"{trial.speed_up:.3g}"),
    )


def _checked(variant: Variant, folder: Path, golden: Golden) -> Variant:
    """Return a variant with the tolerances that its answers need: lossy ones are farther from the golden answers."""
    import msgspec

    session = Session(folder / variant.file, variant.settings)
    outputs = session.run(golden.inputs, list(golden.outputs))
    needed = variant.tolerance
    # That a variant's answers are good enough was found on many more records; and a graph that was quantised elsewhere
    # gives answers in 8 bits, which the graph as exported, computed in fp32, does not give to the last of them.
    if variant.evidence is not None or variant.precision == "int8":
        needed = evidence.widened(outputs, golden.outputs, variant.tolerance)
    wrong = next((item for item in compare(outputs, golden.outputs, needed) if not item.agrees), None)
    if wrong is not None:
        raise DifferenceError(
            f"{variant.name}: ONNX Runtime's optimised graph gives other answers than the graph as exported: {wrong}; "
            "export the model again with another opset, or give a wider tolerance with --rtol and --atol"
        )
    return msgspec.structs.replace(variant, tolerance=needed)


def _copy_graph(model: Path, folder: Path, name: str) -> str:
    """Copy a graph with its external data to a folder of its own, and return its path in the artefact."""
    found = graph.load(model, weights=False)
    home = folder / "variants" / name
    home.mkdir(parents=True)
    shutil.copyfile(model, home / "model.onnx")
    for file in external.files(found, model.parent):
        target = home / file.relative_to(model.parent.resolve())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return f"variants/{name}/model.onnx"


def _copy_declared(declared: Declared, folder: Path) -> None:
    for name in declared.processing.files:
        source = declared.folder / name
        if not manifests.is_inside(name) or not source.resolve().is_relative_to(declared.folder.resolve()):
            raise InputError(f"{name}: leads out of the folder of the declaration; put the file beside it")
        if not source.is_file():
            raise InputError(f"{source}: no such file, but the processing names it; put it there")
        target = folder / name
        if name.split("/")[0] in _OWN:
            raise InputError(f"{name}: is a name that the artefact uses itself; give the file another")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _write_examples(records: Sequence[Record], processor: Processor, golden: Golden, folder: Path) -> None:
    """Write the golden records as people send them, with the answers that they get."""
    from opdeploy.runtime.processing.records import document_of

    answers = processor.answers(golden.outputs, golden.inputs)
    pairs = [{"record": document_of(record), "answer": answer} for record, answer in zip(records, answers, strict=True)]
    (folder / EXAMPLES).write_text(json.dumps(pairs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
