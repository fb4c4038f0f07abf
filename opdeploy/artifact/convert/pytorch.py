"""Exports PyTorch: `torch.export` archives, TorchScript, and modules that a function returns."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opdeploy.artifact.convert.exported import Exported, Options, need, one_line
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx
    from numpy.typing import NDArray

    from opdeploy.artifact.convert.sources import Source
    from opdeploy.runtime.session import Arrays

BATCH = 2
"""Records of an example: the exporter takes a size of one for a constant."""


def export(source: Source, options: Options) -> Exported:
    """Export a source of PyTorch.

    Raises InputError for what is missing, no such source, or an operator that the exporter does not know.
    """
    need("torch", "torch", source.name)
    need("onnxscript", "torch", source.name)
    match source.kind:
        case "torch program":
            return _program(source, options)
        case "torchscript":
            return _script(source, options)
        case _:
            return _module(source, options)


def _program(source: Source, options: Options) -> Exported:
    """Export a `torch.export` archive: its axes are free or fixed as it was exported."""
    import torch

    try:
        program = torch.export.load(source.name)
    except Exception as error:  # noqa: BLE001 - a damaged archive fails in any way
        raise InputError(f"{source.name}: cannot be loaded: {one_line(error)}; export it again") from None
    arguments, named = program.example_inputs or ((), {})
    if not arguments and not named:
        raise InputError(f"{source.name}: holds no example of its inputs; export it again with torch.export.export")
    if named or not all(isinstance(argument, torch.Tensor) for argument in arguments):
        raise InputError(f"{source.name}: takes other inputs than tensors by position; export it so again")
    module = program.module()
    wanted = len(_tensors(_run(source, module, arguments)))
    model = _to_onnx(source, program, None, output_names=_output_names(wanted), opset_version=options.opset)
    return _exported(source, model, module, arguments)


def _module(source: Source, options: Options) -> Exported:
    """Export what a function returns: a module, and an example of its inputs."""
    import torch

    module, arguments, free = _called(source)
    module.eval()
    if options.dynamic_batch:
        arguments = tuple(_repeated(argument) for argument in arguments)
        free = tuple({0: "batch"} | axes for axes in free)
    wanted = len(_tensors(_run(source, module, arguments)))
    sizes = {name: torch.export.Dim(name) for axes in free for name in axes.values()}
    model = _to_onnx(
        source,
        module,
        arguments,
        dynamic_shapes=tuple(
            {at: sizes[name] for at, name in axes.items() if at < argument.ndim}
            for argument, axes in zip(arguments, free, strict=True)
        )
        if sizes
        else None,
        output_names=_output_names(wanted),
        opset_version=options.opset,
    )
    exported = _exported(source, model, module, arguments)
    return replace(exported, free=tuple(name for name in sizes if name != "batch"))


def _script(source: Source, options: Options) -> Exported:
    """Export TorchScript; of torch's exporters only the older one takes it (torch 2.13, 2026-11-23)."""
    import torch

    try:
        module = torch.jit.load(source.name, map_location="cpu").eval()  # type: ignore[no-untyped-call, unused-ignore]
    except Exception as error:  # noqa: BLE001 - a damaged archive fails in any way
        raise InputError(f"{source.name}: cannot be loaded: {one_line(error)}; save it again") from None
    examples = options.data or _zeros(source, options)
    names = list(examples)
    for name, array in examples.items():
        if array.dtype.kind not in "biuf":
            raise InputError(f"{source.name}: {name!r} holds {array.dtype}, and PyTorch takes numbers; give these")
    arguments = tuple(torch.from_numpy(array[:BATCH]) for array in examples.values())
    wanted = len(_tensors(_run(source, module, arguments)))
    outputs = _output_names(wanted)
    free = {name: {0: "batch"} for name in (*names, *outputs)} if options.dynamic_batch else None
    model = _to_onnx(
        source,
        module,
        arguments,
        dynamo=False,
        input_names=names,
        output_names=outputs,
        dynamic_axes=free,
        opset_version=options.opset,
    )
    return _exported(source, model, module, arguments)


def _zeros(source: Source, options: Options) -> Arrays:
    import numpy as np

    if not options.inputs:
        raise InputError(
            f"{source.name}: TorchScript does not say which inputs it takes; give --data FILE.npz, or for each of them "
            "--input 'name:FP32[batch,3,224,224]'"
        )
    return {
        spec.name: np.zeros([size if isinstance(size, int) else BATCH for size in spec.shape], spec.datatype.dtype)
        for spec in options.inputs
    }


def _called(source: Source) -> tuple[Any, tuple[Any, ...], tuple[dict[int, str], ...]]:
    """Return the module that the named function returns, its arguments, and for each the axes that are free."""
    import torch

    place, _, name = source.name.partition(":")
    sys.path.insert(0, os.fspath(Path.cwd()))
    try:
        made = getattr(import_module(place), name)()
    except ModuleNotFoundError as error:
        raise InputError(f"{source.name}: there is no module {error.name}; run from the folder that it is in") from None
    except AttributeError as error:
        raise InputError(f"{source.name}: {one_line(error)}") from None
    except Exception as error:  # noqa: BLE001 - the user's own code fails in any way
        raise InputError(f"{source.name}: fails: {type(error).__name__}: {one_line(error)}") from None
    finally:
        sys.path.pop(0)
    if not (isinstance(made, tuple) and len(made) in (2, 3) and isinstance(made[0], torch.nn.Module)):
        raise InputError(f"{source.name}: must return a torch.nn.Module and an example of its inputs")
    module, example, *rest = made
    arguments = example if isinstance(example, tuple) else (example,)
    if not arguments or not all(isinstance(argument, torch.Tensor) for argument in arguments):
        raise InputError(f"{source.name}: the example of inputs must be a tensor, or a tuple of tensors")
    return module, arguments, _free(source, rest[0] if rest else ({},) * len(arguments), arguments)


def _free(source: Source, named: Any, arguments: tuple[Any, ...]) -> tuple[dict[int, str], ...]:  # noqa: ANN401 - whatever the function returns
    """Return the axes that are free beside the batch: for each argument a mapping from axis to name."""
    axes = named if isinstance(named, tuple) else (named,)
    if len(axes) != len(arguments) or not all(
        isinstance(item, dict)
        and all(
            isinstance(at, int) and 0 < at < argument.ndim and isinstance(name, str) and name.isidentifier()
            for at, name in item.items()
        )
        for item, argument in zip(axes, arguments, strict=False)
    ):
        raise InputError(
            f"{source.name}: the third that it returns must say which axes are free beside the first: for each input a "
            'mapping from its axis to a name, such as {1: "tokens"}'
        )
    return axes


def _repeated(argument: Any) -> Any:  # noqa: ANN401 - a tensor; torch is not loaded yet
    """Return a tensor of at least two records."""
    if not argument.ndim or argument.shape[0] >= BATCH:
        return argument
    return argument.repeat(BATCH, *[1] * (argument.ndim - 1))


def _output_names(count: int) -> list[str]:
    return ["output"] if count == 1 else [f"output_{number}" for number in range(count)]


def _to_onnx(source: Source, module: Any, arguments: Any, **options: Any) -> onnx.ModelProto:  # noqa: ANN401
    """Run torch's exporter, and explain why it fails."""
    import torch

    legacy = options.get("dynamo") is False
    try:
        if legacy:
            return _legacy(module, arguments, options)
        program: Any = torch.onnx.export(module, arguments, **({"dynamo": True, "verbose": False} | options))
        model: onnx.ModelProto = program.model_proto
    except Exception as error:  # noqa: BLE001 - the exporter's errors have no base class of their own
        raise InputError(f"{source.name}: {_reason(str(error))}") from None
    return model


def _legacy(module: Any, arguments: Any, options: dict[str, Any]) -> onnx.ModelProto:  # noqa: ANN401
    import tempfile

    import onnx
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        torch.onnx.export(module, arguments, path, **options)
        return onnx.load(path)


_UNKNOWN = re.compile(
    r"No ONNX function found for <OpOverload\(op='([^']+)'|operator '?(aten::\w+)'? to ONNX|'(aten::\w+)'"
)


def _reason(message: str) -> str:
    """Return why torch's exporter failed: the operator that it does not know, where that is why."""
    unknown = _UNKNOWN.search(message)
    if unknown:
        operator = next(filter(None, unknown.groups()))
        return f"cannot be converted: ONNX has nothing for the operator {operator}; write that step with others"
    if re.search(r"data-dependent|GuardOnDataDependent", message):
        return (
            "cannot be converted: its path depends on the values of its inputs; write the branch with torch.where or "
            f"torch.cond: {one_line(Exception(message), 200)}"
        )
    if re.search(r"\bbatch\b.*(specialized|constant)|ConstraintViolation|Constraints violated", message, re.DOTALL):
        return "cannot be converted with a free batch axis, for it fixes its size; try --fixed-batch"
    return f"cannot be converted: {one_line(Exception(message))}"


def _tensors(answer: Any) -> list[Any]:  # noqa: ANN401 - whatever a module returns
    """Return the tensors of an answer in the order in which the exporter takes them."""
    from torch.utils import _pytree

    return [leaf for leaf in _pytree.tree_leaves(answer) if leaf is not None]


def _run(source: Source, module: Any, arguments: Sequence[Any]) -> Any:  # noqa: ANN401
    import torch

    try:
        with torch.inference_mode():
            return module(*arguments)
    except Exception as error:  # noqa: BLE001 - a module fails in any way
        said = str(error).strip()
        why = said.splitlines()[-1] if "Traceback of TorchScript" in said else one_line(error)
        raise InputError(f"{source.name}: fails on these inputs: {why}; check their shapes and types") from None


def _exported(source: Source, model: onnx.ModelProto, module: Any, arguments: Sequence[Any]) -> Exported:  # noqa: ANN401
    import torch

    names = [value.name for value in model.graph.input]
    if len(names) != len(arguments):
        raise InputError(
            f"{source.name}: takes {len(arguments)} inputs, and uses {len(names)} of them; leave out the others"
        )

    def answer(inputs: Arrays) -> list[NDArray[Any]]:
        with torch.inference_mode():
            made = module(*(torch.from_numpy(inputs[name]) for name in names))
        return [tensor.cpu().numpy() for tensor in _tensors(made)]

    examples = {name: argument.cpu().numpy() for name, argument in zip(names, arguments, strict=True)}
    return Exported(model, answer, examples)
