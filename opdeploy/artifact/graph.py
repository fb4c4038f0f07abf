"""Reads ONNX files: the one way in, which runs nothing, leaves no folder and trusts no size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.artifact import external, structure, tensors, wire
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

MAX_ONNX_BYTES = 2**31 - 1
"""The most that one protobuf message may have."""


def load(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """Return a model that is sound as far as that shows without running it.

    Its graph is in topological order, each tensor is made once and holds the data that its shape asks for, each
    standard operator exists in its opset, and the installed onnx and ONNX Runtime know its version. Operators of other
    domains are left to the runtime. With `weights`, data in other files is read into the model; without, it stays
    there, but is checked to be there. Raises InputError for anything else, OpdeployError where onnx is not installed.
    """
    try:
        model = read(path)
    except ImportError:
        raise OpdeployError(
            f"{path}: ONNX is read with onnx (the extra model): pip install 'opdeploy[model]'"
        ) from None
    try:
        structure.check(model)
        tensors.check(model)
        places = external.places(model, path.parent)
        if weights:
            external.fill(places, MAX_ONNX_BYTES - path.stat().st_size)
    except structure.UnsoundError as error:
        raise InputError(f"{path}: {error}") from None
    except (KeyError, RecursionError, RuntimeError, TypeError, ValueError):  # types that there are not, and the like
        raise not_onnx(path) from None
    except OSError as error:
        raise unreadable(path, error) from error
    return model


def read(path: Path) -> onnx.ModelProto:
    """Return what an ONNX file holds, unchecked; data in other files is left there.

    Raises InputError for what is no file of at most 2 GB, or no ONNX; ImportError where onnx is not installed.
    """
    import onnx
    from google.protobuf.message import DecodeError

    size = size_of(path)
    if size > MAX_ONNX_BYTES:
        raise InputError(
            f"{path}: is larger than 2 GB, which no ONNX file can be; write its weights to a file beside it"
        )
    try:
        data = path.read_bytes()
        wire.check(data, onnx.ModelProto.DESCRIPTOR)
        model = onnx.load_model_from_string(data)  # unlike onnx.load, it follows no path to external data
    except (DecodeError, wire.WireError):
        raise not_onnx(path) from None
    except OSError as error:
        raise unreadable(path, error) from error
    if not (model.ir_version and model.opset_import and model.graph.node):  # bytes that happen to be protobuf
        raise not_onnx(path)
    return model


def size_of(path: Path) -> int:
    """Return the bytes of a file; raises InputError for what is none, and for an empty one."""
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a directory; name the model's file in it")
        if not path.exists():
            raise InputError(f"{path}: no such file; name a model that exists")
        if not path.is_file():
            raise InputError(f"{path}: is not a file, but a pipe or a device; name a model's file")
        size = path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error
    if not size:
        raise empty(path)
    return size


def empty(path: Path) -> InputError:
    """Return the error for a model of no bytes."""
    return InputError(f"{path}: is empty; write the model again")


def not_onnx(path: Path) -> InputError:
    """Return the error for a file whose content is not that of an ONNX model."""
    return InputError(
        f"{path}: is not ONNX, or only a part of it; export or copy it again, or convert it: opdeploy model convert"
    )


def unreadable(path: Path, error: OSError) -> InputError:
    """Return the error for a file that the system does not let us read."""
    return InputError(f"{path}: cannot be read: {error.strerror}; check the path and its permissions")
