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
from typing import TYPE_CHECKING

from opdeploy import files
from opdeploy.artifact.convert import graphs, inputs, sources
from opdeploy.artifact.convert.exported import Exported, Options, need
from opdeploy.artifact.convert.verify import Verified, verify
from opdeploy.artifact.samples import fixed_batch
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.tensors import TensorSpec
    from opdeploy.runtime.tolerance import Tolerance

OPSET = 18
"""The newest that tf2onnx writes, and the oldest that torch writes without converting; for ONNX Runtime from 1.14."""
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
    """What the graph needs, at most what was asked for; 0 where it has operators of ai.onnx.ml alone."""
    size: int
    """Bytes, with those of the weights beside the file."""
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: int | None
    """Records that the graph takes at once; None where that is free."""
    verified: Verified
    tolerance: Tolerance


def convert(  # noqa: PLR0913 - as many as the command has options
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

    Weights of more than `most_bytes` go to a file beside it, `<name>.data`. `specs` are the inputs of TorchScript,
    which does not tell them.

    Raises InputError for a source that is none, is not trusted, or cannot be converted; DifferenceError where the
    answers differ by more than the tolerance.
    """
    from opdeploy.runtime.session import Session
    from opdeploy.runtime.tolerance import Tolerance

    found = sources.find(source)
    _check(found, output, opset, trust=trust)
    need("onnx", "model", source)
    given = (inputs.read(data), data) if data else None
    tell(f"exporting {source}")
    allowed = tolerance or Tolerance()
    with _folder(output) as folder:
        path = folder / output.name
        with _quiet(debug=debug):
            exported = _export(found, Options(opset, dynamic_batch, specs, given and given[0]), trust=trust)
            graphs.check_operators(source, exported.model)
            graphs.tidy(exported.model, dynamic_batch=dynamic_batch)
            size = graphs.save(exported.model, path, most_bytes)
        tell(f"verifying {output.name}")
        with _quiet(debug=debug):
            try:
                session = Session(path)
            except InputError as error:  # which names a file that will be gone
                raise InputError(str(error).replace(str(path), source)) from None
            verified = verify(source, exported, session, given, allowed)
        _move(folder, output)
    needed = graphs.opset(exported.model)
    return Converted(
        output,
        found.kind,
        needed,
        size,
        session.inputs,
        session.outputs,
        fixed_batch(session.inputs),
        verified,
        allowed,
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


@contextmanager
def _folder(output: Path) -> Iterator[Path]:
    """Give a folder beside the output, so that weights are moved and not copied; leave none there."""
    try:
        made = Path(tempfile.mkdtemp(prefix=".opdeploy-", dir=output.parent))
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror}; name a file in another folder") from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _move(folder: Path, output: Path) -> None:
    """Put the verified files where they belong: the weights first, since the model names them."""
    beside = folder / f"{output.name}.data"
    if beside.exists():
        if output.is_symlink() or (output.exists() and not os.access(output, os.W_OK)):
            raise InputError(f"{output}: is a link or write-protected, and its weights go beside it; name another file")
        try:
            beside.replace(output.with_name(beside.name))
        except OSError as error:
            raise InputError(f"{output}.data: cannot be written: {error.strerror}; name another file with -o") from None
    files.write(output, (folder / output.name).read_bytes())
