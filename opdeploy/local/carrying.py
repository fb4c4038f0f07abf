"""What a request costs the server beside the run, measured with a stub that has the model's tensors."""

from __future__ import annotations

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from opdeploy.artifact.measure import Carrying
from opdeploy.artifact.samples import fixed_batch
from opdeploy.errors import OpdeployError
from opdeploy.loadtest.curve import short
from opdeploy.loadtest.generator import Server, closed
from opdeploy.local import inference, stub
from opdeploy.local.process import server_process
from opdeploy.local.server import explained, failure, wait_until_ready
from opdeploy.local.signals import shielded
from opdeploy.runtime.cpus import usable_cpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opdeploy.artifact.samples import Samples
    from opdeploy.loadtest.generator import Tally
    from opdeploy.local.process import ServerProcess
    from opdeploy.runtime.session import Arrays, Session

RECORDS = (1, 8)
"""In a request: two numbers, so that what a request costs and what a record costs can be told apart."""
CLIENTS = (4, 64)
"""Of a closed loop. Small requests cost least with many clients, large ones with few, whose bytes stay in caches."""
SECONDS, ROUNDS = 0.1, 3
MOST_MB = 32.0
"""Of a request."""
MOST_HELD_MB = 128.0
"""Of requests under way, which so are half of what the server holds of large ones."""
_READY_S, _ANSWER_S = 60.0, 30.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose requests are to be measured."""

    session: Session
    samples: Samples
    quick: bool
    """Whether the server runs it in its event loop."""


def carrying(model: Model, watch: Callable[[str], None]) -> list[Carrying]:
    """Measure what requests with binary tensors cost, of a server with one processor, and with all of this process.

    It is the time between answers of a server that is kept busy: that of its work, not that which one client waits.
    Raises InputError for a model that no stub can be made of, OpdeployError where the server fails.
    """
    fixed = fixed_batch(model.session.inputs)
    inputs = [model.samples.batch(size) for size in ((fixed,) if fixed else RECORDS)]
    found: list[Carrying] = []
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        file = Path(folder) / "stub.onnx"
        stub.write(file, model.session, model.session.run(inputs[0]), quick=model.quick)
        requests = _requests(inputs, model.session)
        for cpus in _cpus():
            watch(f"requests, {cpus} processor{'s' if cpus > 1 else ''}")
            with shielded(server_process(file, cpus=cpus)) as running:
                wait_until_ready(running, _READY_S)
                try:
                    with explained(running, "it was loaded"):
                        found += _loaded(running, requests, cpus)
                except OSError as error:
                    raise failure(running, f"takes no connection: {error or type(error).__name__}") from None
    return found


def _cpus() -> list[int]:
    """Return how many processors the server gets: one, where a process can be held to it, and all."""
    everything = max(1, int(usable_cpus()))
    return sorted({1, everything}) if hasattr(os, "sched_setaffinity") else [everything]


def _requests(inputs: Sequence[Arrays], session: Session) -> dict[int, bytes]:
    """Return requests by how many records they have, without those that are too large; the smallest is always there."""
    path = inference.path("stub")
    made: dict[int, bytes] = {}
    for arrays in inputs:
        headers, body = inference.request(arrays, session.inputs)
        if not made or len(body) <= MOST_MB * 1e6:
            made[len(next(iter(arrays.values())))] = inference.on_the_wire(path, headers, body)
    return made


def _loaded(running: ServerProcess, requests: dict[int, bytes], cpus: int) -> list[Carrying]:
    """Load a server with each request in turns, and take of each the number of clients that it is fastest with."""
    host, port, *_ = running.address
    cases = [(records, clients) for records, request in requests.items() for clients in _clients(request)]
    times: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    for turn in range(1 + ROUNDS):
        for records, clients in cases:
            tally = closed(Server(host, port, [requests[records]]), clients, SECONDS, _ANSWER_S)
            if turn:  # the first round warms up
                times[records, clients].append(1000 * tally.seconds / _answered(tally))
            else:
                _answered(tally)
    return [
        _best(records, cpus, [taken for case, taken in times.items() if case[0] == records]) for records in requests
    ]


def _clients(request: bytes) -> list[int]:
    """Return how many clients may send a request, the fewest always."""
    return [count for count in CLIENTS if count == min(CLIENTS) or count * len(request) <= MOST_HELD_MB * 1e6]


def _answered(tally: Tally) -> int:
    """Return how many requests were answered; raises OpdeployError where some were not."""
    if tally.failures:
        raise OpdeployError(f"the server fails under load: {next(iter(tally.failures))} {tally.said}".rstrip())
    return sum(map(math.isfinite, tally.latencies))


def _best(records: int, cpus: int, times: Sequence[Sequence[float]]) -> Carrying:
    taken = min(times, key=median)
    return Carrying(records, cpus, short(median(taken)), short(min(taken)), short(max(taken)))
