"""What the model server costs, as ratios to bare loops and to other servers: `python bench/serving.py --check`.

Load comes from wrk on loopback; the server runs with its default settings. What is compared runs side by side and is
loaded in alternating rounds; ratios are medians over the rounds. KServe, BentoML, LitServe and MLflow are installed
into environments under --peers, 2 GB, in about three minutes; of one and two worker processes the faster counts. The
figures are for two cores with AVX-512 VNNI, and for a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networks
import numpy as np
import peer
import resnet
from load import (
    JSON,
    BenchmarkError,
    Load,
    Server,
    bare_loop,
    end_on_signals,
    free_port,
    load,
    running,
    start_bare,
    start_server,
)

from opdeploy.artifact.machine import describe
from opdeploy.artifact.samples import Samples
from opdeploy.artifact.variants import quiet, static_int8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Loads = dict[str, list[Load]]

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = 2.0
SLOW_SECONDS = 5.0
"""For large networks, of which a run takes 30 ms or more."""
STARTS = 7
INFER = "/v2/models/model/infer"
LEAST = {
    "small network, JSON: requests/s / bare granian and orjson": 0.5,
    "small network, JSON: requests/s / best peer": 4.0,
    "ResNet-50, binary: images/s / bare ONNX Runtime": 0.95,
    "ResNet-50, JSON: images/s / best peer": 1.0,
    "ResNet-152 INT8: images/s": 20.0,
    "convolutional network, 16 clients: requests/s with batching / without": 1.0,
}
MOST = {
    "small network, JSON: p99 / bare granian and orjson": 3.0,
    "small network: MB above bare ONNX Runtime": 80.0,
    "ResNet-50: MB above bare ONNX Runtime": 80.0,
    "ResNet-50: first answer / bare ONNX Runtime": 1.7,
}
"""What each figure must reach, and what it must stay within; 20 images/s is what the chapter's K80 GPU made."""


def main() -> int:
    """Measure, print figures and ratios; with --check, return 1 when one falls short or a peer is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail when a ratio falls short")
    parser.add_argument("--peers", type=Path, default=Path(".venv-peers"), help="folder of the other servers")
    parser.add_argument("--no-peers", action="store_true", help="compare with bare loops only")
    arguments = parser.parse_args()
    end_on_signals()
    if shutil.which("wrk") is None:
        print("missing: wrk (Debian's package wrk)")
        return 1 if arguments.check else 0
    machine = describe()
    print(f"{machine.cpu}, {machine.cores} cores: {', '.join(machine.instruction_sets)}")
    wanted = () if arguments.no_peers else peer.PEERS
    peers = installed(wanted, arguments.peers.resolve())
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = measured(Path(folder), peers)
        except BenchmarkError as error:
            print(error)
            return 1
    right = [judged(name, found, "at least", least) for name, least in LEAST.items()]
    right += [judged(name, found, "at most", most) for name, most in MOST.items()]
    if arguments.no_peers:
        right = [one for name, one in zip(LEAST | MOST, right, strict=True) if "peer" not in name]
    return 1 if arguments.check and not (all(right) and len(peers) == len(wanted)) else 0


def judged(name: str, found: Mapping[str, float], word: str, limit: float) -> bool:
    """Print a figure beside its limit, and tell whether it keeps to it."""
    if name not in found:
        print(f"{name}: not compared")
        return False
    print(f"{name}: {found[name]:.2f} ({word} {limit:g})")
    return found[name] >= limit if word == "at least" else found[name] <= limit


def installed(wanted: Iterable[peer.Peer], folder: Path) -> dict[peer.Peer, Path]:
    """Return the Python of each peer; one that cannot be installed is named."""
    found = {}
    for one in wanted:
        try:
            found[one] = one.install(folder)
        except subprocess.CalledProcessError as error:
            print(f"missing: {one.name} cannot be installed: {(error.stderr or str(error)).splitlines()[-1]}")
        else:
            print(f"{one.packages[0]}: in {found[one].parent.parent}")
    return found


def measured(folder: Path, peers: Mapping[peer.Peer, Path]) -> dict[str, float]:
    """Build the networks and return every figure."""
    dense, resnet50 = folder / "dense.onnx", folder / "resnet-50.onnx"
    networks.dense(dense)
    resnet.build("resnet-50", resnet50)
    row = np.random.default_rng(0).standard_normal((1, 64), dtype=np.float32)
    return {
        **small(dense, row, peers),
        **large(resnet50, resnet.images(1), peers),
        **quantised(folder),
        **batching(folder),
        **started("small network", dense, row),
        **started("ResNet-50", resnet50, resnet.images(1)),
    }


def small(model: Path, row: Array, peers: Mapping[peer.Peer, Path]) -> dict[str, float]:
    """Compare requests of one row in JSON on 8 connections."""
    port = free_port()
    script = str(Path(__file__).with_name("bare_server.py"))
    body = json_body(model, row)
    bare = Server("bare granian and orjson", (sys.executable, script, str(model), str(port)), port, INFER, body)
    name = "small network, JSON"
    own = server("opdeploy", model, body)
    others = [*peer_servers(peers, model, row)]
    found = side_by_side(name, [bare, own, *others], 8)
    rate = ratios(found, own.name, bare.name, "rate")
    figures = {
        f"{name}: requests/s / {bare.name}": rate,
        f"{name}: p99 / {bare.name}": ratios(found, own.name, bare.name, "p99"),
    }
    return figures | to_best(f"{name}: requests/s", found, own, others)


def large(model: Path, image: Array, peers: Mapping[peer.Peer, Path]) -> dict[str, float]:
    """Compare images in binary one at a time, as in a bare loop, and in JSON on 2 connections, as peers like it.

    Those in binary on 2 connections are shown too, and not judged: there HTTP and the next run share the processors.
    """
    binary = server("opdeploy, binary", model, *binary_body(model, image))
    own = server("opdeploy, JSON", model, json_body(model, image))
    others = [*peer_servers(peers, model, image)]
    bare = {"bare ONNX Runtime": partial(bare_loop, model, image, SLOW_SECONDS)}
    looped = side_by_side("ResNet-50", [binary], 1, bare, slow=True)
    found = side_by_side("ResNet-50, 2 connections", [binary, own, *others], 2, bare, slow=True)
    rate = ratios(looped, binary.name, "bare ONNX Runtime", "rate")
    both = ratios(found, binary.name, "bare ONNX Runtime", "rate")
    print(f"ResNet-50, binary, 2 connections: {both:.2f} of the bare loop's images/s")
    figures = {"ResNet-50, binary: images/s / bare ONNX Runtime": rate}
    return figures | to_best("ResNet-50, JSON: images/s", found, own, others)


def quantised(folder: Path) -> dict[str, float]:
    """Serve ResNet-152 in INT8, with a scale for each channel and for each tensor: the faster counts."""
    fp32 = folder / "resnet-152.onnx"
    resnet.build("resnet-152", fp32)
    images = Samples({"image": resnet.images(8)}, "random patches")
    servers = []
    for kind in ("channel", "tensor"):
        path = folder / f"resnet-152-int8-{kind}.onnx"
        with quiet():
            static_int8(fp32, path, calibration=images, batch=4, per_channel=kind == "channel")
        servers.append(server(f"a scale for each {kind}", path, *binary_body(path, resnet.images(1))))
    found = side_by_side("ResNet-152 INT8", servers, 2, slow=True)
    return {"ResNet-152 INT8: images/s": max(map(median_rate, found.values()))}


def batching(folder: Path) -> dict[str, float]:
    """Compare 16 clients of a small convolutional network with batching, as it is by default, and without."""
    model = folder / "convolutional.onnx"
    networks.convolutional(model)
    random = np.random.default_rng(0)
    body = binary_body(model, random.standard_normal((1, 3, networks.SIDE, networks.SIDE), dtype=np.float32))
    name = "convolutional network, 16 clients"
    servers = [server("with batching", model, *body), server("without", model, *body, "--max-batch=1")]
    found = side_by_side(name, servers, 16)
    return {f"{name}: requests/s with batching / without": ratios(found, "with batching", "without", "rate")}


def started(name: str, model: Path, array: Array) -> dict[str, float]:
    """Compare the first answer and the memory then, of an artefact that is served and of a bare loop."""
    artefact = model.with_suffix("")
    opdeploy = Path(sys.executable).with_name("opdeploy")
    subprocess.run([opdeploy, "model", "package", model, f"--output={artefact}"], check=True, capture_output=True)
    own = server("opdeploy", artefact, *binary_body(model, array))
    pairs = [(start_server(own), start_bare(model, array)) for _ in range(STARTS)]
    for who, found in zip(("opdeploy", "bare ONNX Runtime"), zip(*pairs, strict=True), strict=True):
        seconds, memory = (statistics.median(values) for values in zip(*found, strict=True))
        print(f"{name}, {who}: first answer after {seconds:.2f} s, {memory:.0f} MB")
    return {
        f"{name}: first answer / bare ONNX Runtime": statistics.median(own[0] / bare[0] for own, bare in pairs),
        f"{name}: MB above bare ONNX Runtime": statistics.median(own[1] - bare[1] for own, bare in pairs),
    }


def server(name: str, model: Path, body: Path, headers: tuple[str, ...] = JSON, *options: str) -> Server:
    """Return opdeploy's server of a model."""
    port = free_port()
    told = (f"--model={model}", "--name=model", f"--port={port}", *options)
    command = (sys.executable, "-m", "opdeploy.serving", *told)
    return Server(name, command, port, INFER, body, headers, ready="/v2/health/ready")


def peer_servers(peers: Mapping[peer.Peer, Path], model: Path, array: Array) -> Iterable[Server]:
    """Yield each peer as it serves a model."""
    for one, python in peers.items():
        body = model.with_name(f"{model.stem}-{one.name}.json")
        body.write_text(json.dumps(one.document(tensor(model, array), array.tolist())))
        yield from one.servers(python, model, body, model.parent)


def side_by_side(
    title: str,
    servers: Iterable[Server],
    connections: int,
    tasks: Mapping[str, Callable[[], Load]] | None = None,
    *,
    slow: bool = False,
) -> Loads:
    """Run servers, load them and do the tasks in alternating rounds, and print what each made."""
    seconds = SLOW_SECONDS if slow else SECONDS
    todo = dict(tasks or {})
    with ExitStack() as stack:
        for one in servers:
            stack.enter_context(running(one))
            todo[one.name] = partial(load, one, connections, seconds)
        made = [{name: task() for name, task in todo.items()} for _ in range(1 + ROUNDS)]
    found = {name: [loads[name] for loads in made[1:]] for name in todo}  # the first round warms up
    for name, loads in found.items():
        rates = [one.rate for one in loads]
        p99 = 1000 * statistics.median(one.p99 for one in loads)
        print(f"{title}, {name}: {median_rate(loads):.1f}/s ({min(rates):.1f} to {max(rates):.1f}), p99 {p99:.1f} ms")
    return found


def ratios(found: Loads, one: str, other: str, what: str) -> float:
    """Return the median over the rounds of the one's `rate` or `p99` over the other's."""
    pairs = zip(found[one], found[other], strict=True)
    found_ratios: list[float] = [getattr(first, what) / getattr(second, what) for first, second in pairs]
    return statistics.median(found_ratios)


def to_best(name: str, found: Loads, own: Server, others: Iterable[Server]) -> dict[str, float]:
    """Return the ratio of rates to the fastest of the others, if there are any."""
    best = max((other.name for other in others), key=lambda other: median_rate(found[other]), default=None)
    return {} if best is None else {f"{name} / best peer": ratios(found, own.name, best, "rate")}


def median_rate(loads: Iterable[Load]) -> float:
    """Return the median of requests per second."""
    return statistics.median(one.rate for one in loads)


def tensor(model: Path, array: Array) -> dict[str, Any]:
    """Return a tensor of the Open Inference Protocol in JSON."""
    name = "image" if model.stem.startswith("resnet") else "x"
    return {"name": name, "datatype": "FP32", "shape": array.shape, "data": array.ravel().tolist()}


def json_body(model: Path, array: Array) -> Path:
    """Write a request in JSON beside the model."""
    body = model.with_suffix(".json")
    body.write_text(json.dumps({"inputs": [tensor(model, array)]}))
    return body


def binary_body(model: Path, array: Array) -> tuple[Path, tuple[str, ...]]:
    """Write a request with the binary tensor extension beside the model, and return it with its headers."""
    described = tensor(model, array[:0]) | {"shape": array.shape, "parameters": {"binary_data_size": array.nbytes}}
    del described["data"]
    head = json.dumps({"inputs": [described], "parameters": {"binary_data_output": True}}).encode()
    body = model.with_suffix(".binary")
    body.write_bytes(head + array.tobytes())
    return body, ("content-type:application/octet-stream", f"inference-header-content-length:{len(head)}")


if __name__ == "__main__":
    sys.exit(main())
