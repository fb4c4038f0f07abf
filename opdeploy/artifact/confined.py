"""Runs native code over a model's file in a process of its own, with limits on memory and time.

Shape inference of onnx 1.23.2 ends the process with a segmentation fault on some malformed graphs, and runs without
end on some that are well-formed (an Einsum of `....ij->`, a Split into 2^40 parts; found by fuzzing, 2026-11-23).
LightGBM 4.7 aborts it on a text file that is cut short (2026-11-23). As a script this file is that process, which
imports nothing of opdeploy and nothing from the working directory.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CPU = "CPUExecutionProvider"
SECONDS = 60
MEMORY = 4 * 2**30
"""Bytes of address space; loading a model adds four times its size. Where the system has no such limit, time alone."""


def inferred(model: bytes) -> bytes | None:
    """Return a serialised graph with the shapes that onnx infers; None where it fails, or takes too much."""
    done = _run(["shapes", str(MEMORY)], model)
    return done.stdout if done and done.returncode == 0 else None


def loads(path: Path, provider: str, size: int) -> str | None:
    """Return why ONNX Runtime cannot run all of a file's model on a provider; None when it can.

    The graph is taken as it stands: nothing is folded, and so nothing is computed.
    """
    memory = MEMORY + 4 * size if provider == _CPU else 0  # a GPU's driver reserves more addresses than there is memory
    return _why(_run(["session", str(memory), str(path), provider], b""))


def boosts(path: Path) -> str | None:
    """Return why LightGBM cannot load a file of its own; None when it can."""
    return _why(_run(["booster", str(MEMORY + 4 * path.stat().st_size), str(path)], b""))


def _why(done: subprocess.CompletedProcess[bytes] | None) -> str | None:
    if done is None:
        return f"takes more than {SECONDS} s to load"
    if done.returncode == 0:
        return None
    return " ".join(done.stdout.decode(errors="replace").split()) or "ends the process, or takes too much memory"


def _run(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(  # noqa: S603 - this file, and no shell
            [sys.executable, "-P", __file__, *arguments],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # each thread reserves addresses
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _shapes() -> bytes:
    import onnx

    model = onnx.load_model_from_string(sys.stdin.buffer.read())
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    answer = onnx.GraphProto()
    answer.value_info.extend(graph.value_info)
    answer.output.extend(graph.output)
    return bytes(answer.SerializeToString())


def _session(path: str, provider: str) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    if provider != _CPU:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    session = onnxruntime.InferenceSession(path, options, providers=[provider])
    if provider not in session.get_providers():
        raise RuntimeError("the provider is installed, but does not start here")


def _booster(path: str) -> None:
    import lightgbm

    lightgbm.Booster(model_file=path)


def _main(task: str, memory: str, *arguments: str) -> int:
    _limit(int(memory))
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no answer
    try:
        if task == "shapes":
            answer.write(_shapes())
        elif task == "booster":
            _booster(*arguments)
        else:
            _session(*arguments)
    except Exception as error:  # noqa: BLE001 - native code has no base class of errors
        answer.write(str(error)[:1000].encode())
        return 1
    finally:
        answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
