"""Converts a trained model of any framework to one ONNX file, and verifies it against its source."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy import files
from opdeploy.artifact.convert import inputs, sources
from opdeploy.artifact.convert.exported import Exported, Options, need
from opdeploy.errors import DifferenceError, InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.golden import Tolerance
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.tensors import TensorSpec

OPSET = 18
"""The newest that tf2onnx writes and the oldest that torch writes without a conversion; ONNX Runtime takes it from 1.14."""
OPSETS = (13, 18)
MOST_BYTES = 2**31 - 2**20
"""Of weights in the model's own file: one protobuf message has less than 2 GiB."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written, and on what it was verified."""

    output: Path
    kind: str
    """The kind of source."""
    opset: int
    """What the graph needs: at most what was asked for."""
    size: int
    """Bytes, with those of the weights beside the file."""
    inputs: tuple[str, ...]
    """`name FP32 [batch, 3]` for each."""
    outputs: tuple[str, ...]
    records: int
    """Compared, in `batches`."""
    batches: tuple[int, ...]
    data: bool
    """Whether the records were the user's own; else they were drawn from a fixed seed."""
    largest: float
    """The largest absolute difference of any element."""
    rtol: float
    atol: float
    fixed_batch: int | None
    """None where the batch axis is free."""


def convert(
    source: str,
    output: Path,
    *,
    trust: bool = False,
    data: Path | None = None,
    specs: tuple[TensorSpec, ...] = (),
    opset: int = OPSET,
    dynamic_batch: bool = True,
    tolerance: Tolerance | None = None,
    debug: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    most_bytes: int = MOST_BYTES,
) -> Converted:
    """Convert a source to an ONNX file, run both on the same inputs, and write the file only where they agree.

    Weights of more than `most_bytes` go to a file beside it, `<name>.data`. `specs` are the inputs of TorchScript, which
    does not tell them.

    Raises InputError for a source that is none, is not trusted, or cannot be converted; DifferenceError where the
    answers differ by more than the tolerance.
    """
    from opdeploy.runtime.golden import Tolerance

    found = sources.find(source)
    _check(found, output, opset, trust=trust)
    need("onnx", "model", source)
    held = inputs.read(data) if data else None
    tell(f"exporting {source}")
    with _quiet(debug=debug):
        exported = _export(found, Options(opset, dynamic_batch, specs, held), trust=trust)
    _check_operators(found, exported.model)
    _tidy(exported.model, dynamic_batch=dynamic_batch)
    with _folder(output) as folder:
        size = _save(exported.model, folder / output.name, most_bytes)
        tell(f"verifying {output.name}")
        allowed = tolerance or Tolerance()
        with _quiet(debug=debug):
            session, told = _verified(found, exported, folder / output.name, (held, data), allowed)
        _move(folder, output)
    return Converted(
        output,
        found.kind,
        _opset(exported.model),
        size,
        *_signature(session),
        *told,
        allowed.rtol,
        allowed.atol,
        _batch(session),
    )


def _check(found: Source, output: Path, opset: int, *, trust: bool) -> None:
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise InputError(f"--opset {opset}: must be from {OPSETS[0]} to {OPSETS[1]}")
    if found.kind != "module" and output.resolve() == found.path.resolve():
        raise InputError(f"{output}: is the source itself; name another file with -o")
    if found.kind in sources.RUNS_CODE and not trust:
        raise InputError(f"{found.name}: {sources.RUNS_CODE[found.kind]}; give --trust if you know who made it")
    if output.is_dir():
        raise InputError(f"{output}: is a directory; name a file in it")
    if not output.parent.is_dir():
        raise InputError(
            f"{output}: cannot be written: there is no folder {output.parent}; make it, or name another file"
        )


def _export(found: Source, options: Options, *, trust: bool) -> Exported:
    match found.kind:
        case "module" | "torch program" | "torchscript":
            from opdeploy.artifact.convert import pytorch

            return pytorch.export(found, options)
        case "saved model" | "keras":
            from opdeploy.artifact.convert import tensorflow

            return tensorflow.export(found, options, trust=trust)
        case "lightgbm" | "xgboost":
            from opdeploy.artifact.convert import boosting

            return boosting.export(found, options)
        case "pickle":
            from opdeploy.artifact.convert import pickles

            return pickles.export(found, options)


@contextmanager
def _quiet(*, debug: bool) -> Iterator[None]:
    """Keep what frameworks print, also from C++, off stdout; and off stderr, but for debugging."""
    import logging

    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    disabled = logging.root.manager.disable
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(2 if debug else nowhere, 1)
        if not debug:
            os.dup2(nowhere, 2)
            logging.disable()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with warnings.catch_warnings():
            warnings.simplefilter("default" if debug else "ignore")
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        logging.disable(disabled)
        for number, handle in enumerate(kept, 1):
            os.dup2(handle, number)
            os.close(handle)
        os.close(nowhere)


def _check_operators(found: Source, model: onnx.ModelProto) -> None:
    """Raise InputError for a step that the exporter passed on as it was, since ONNX has nothing like it."""
    import onnx

    own = {function.name for function in model.functions}
    for node in model.graph.node:
        if node.domain in ("", "ai.onnx") and node.op_type not in own and not onnx.defs.has(node.op_type):
            raise InputError(
                f"{found.name}: cannot be converted: ONNX has nothing for the operator {node.op_type} (at {node.name}); "
                "write that step with others"
            )


def _tidy(model: onnx.ModelProto, *, dynamic_batch: bool) -> None:
    """Take out what an exporter notes about the machine that ran it, and call the free first axis `batch`."""
    graph = model.graph
    bodies = [node for function in model.functions for node in function.node]
    parts: list[Any] = [model, graph, *graph.node, *bodies, *model.functions, *graph.initializer]
    for part in (*parts, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("doc_string")
        if hasattr(part, "metadata_props"):
            part.ClearField("metadata_props")
    graph.name = "model"
    del graph.value_info[:]
    first = {value.type.tensor_type.shape.dim[0].dim_param for value in graph.input if value.type.tensor_type.shape.dim}
    free = [value for value in graph.input if _is_free(value)]
    for value in (*graph.input, *graph.output):
        dims = value.type.tensor_type.shape.dim
        for at, dim in enumerate(dims):
            if dim.HasField("dim_value"):
                continue
            if at == 0 and free and (value in free or dim.dim_param in first or not dim.dim_param.startswith("s")):
                if dynamic_batch:
                    dim.dim_param = "batch"
                else:
                    dim.dim_value = 1
            elif dim.dim_param.startswith("unk__"):
                dim.Clear()


def _is_free(value: onnx.ValueInfoProto) -> bool:
    dims = value.type.tensor_type.shape.dim
    return bool(dims) and not dims[0].HasField("dim_value")


@contextmanager
def _folder(output: Path) -> Iterator[Path]:
    """Give a folder beside the output, so that what is verified is moved and not copied; leave none there."""
    try:
        made = Path(tempfile.mkdtemp(prefix=".opdeploy-", dir=output.parent))
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}; name a file in another folder") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _save(model: onnx.ModelProto, path: Path, most_bytes: int) -> int:
    """Write a model, with its weights beside it where they are too many for one file; return the bytes of both."""
    import onnx

    weights = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    try:
        if weights > most_bytes:
            onnx.save_model(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
        else:
            path.write_bytes(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise OpdeployError(f"{path.name}: was not written: {error.strerror or error}; make room") from None
    return sum(file.stat().st_size for file in path.parent.iterdir())


def _move(folder: Path, output: Path) -> None:
    """Put the verified files where they belong: the weights first, since the model names them."""
    beside = folder / f"{output.name}.data"
    if beside.exists():
        beside.replace(output.with_name(beside.name))
    files.write(output, (folder / output.name).read_bytes())


def _verified(
    found: Source, exported: Exported, path: Path, given: tuple[Any, Path | None], tolerance: Tolerance
) -> tuple[Session, tuple[int, tuple[int, ...], bool, float]]:
    """Run source and result on the same batches; return the session, and what was compared."""
    from opdeploy.runtime.golden import compare
    from opdeploy.runtime.session import Session

    session = Session(path)
    held, data = given
    size = _batch(session)
    if held is not None and data is not None:
        batches = inputs.batches(inputs.fitted(held, session.inputs, data), size)
    else:
        batches = inputs.drawn(session.inputs, exported, size)
    sizes: list[int] = []
    largest = 0.0
    for batch in batches:
        references = _references(found, exported, session, batch)
        differences = compare(session.run(batch), references, tolerance)
        worst = [difference for difference in differences if not difference.agrees]
        if worst:
            raise DifferenceError(
                f"{found.name}: the ONNX model does not answer as its source does, so nothing was written: {worst[0]}"
            )
        sizes.append(len(next(iter(batch.values()))))
        largest = max(largest, *(difference.largest for difference in differences))
    if not sizes:
        raise InputError(f"{data}: has fewer records than one batch of the model, {size}; give more")
    return session, (sum(sizes), tuple(sorted(set(sizes))), held is not None, largest)


def _references(found: Source, exported: Exported, session: Session, batch: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the source's answers by the names of the graph's outputs."""
    try:
        answers = exported.answer(batch)
    except Exception as error:  # noqa: BLE001 - a model fails in any way
        from opdeploy.artifact.convert.exported import one_line

        raise OpdeployError(f"{found.name}: fails on the inputs of the check: {one_line(error)}; give --data") from None
    named = {}
    for spec, answer in zip(session.outputs, answers, strict=False):
        column = answer.ndim == 1 and len(spec.shape) == 2  # noqa: PLR2004 - scikit-learn's values have no second axis
        named[spec.name] = answer.reshape(-1, 1) if column else answer
    if len(named) != len(session.outputs):
        raise OpdeployError(f"{found.name}: gives {len(answers)} outputs, but its ONNX model {len(session.outputs)}")
    return named


def _batch(session: Session) -> int | None:
    """Return the size of the batch axis; None where it is free."""
    sizes = [spec.shape[0] for spec in session.inputs if spec.shape]
    fixed = [size for size in sizes if isinstance(size, int)]
    return fixed[0] if fixed and len(fixed) == len(sizes) else None


def _signature(session: Session) -> tuple[tuple[str, ...], tuple[str, ...]]:
    def said(spec: TensorSpec) -> str:
        return f"{spec.name} {spec.datatype.name} [{', '.join(str(size or '?') for size in spec.shape)}]"

    return tuple(map(said, session.inputs)), tuple(map(said, session.outputs))


def _opset(model: onnx.ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
