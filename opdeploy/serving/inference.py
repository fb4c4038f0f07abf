"""From a request's body to its answer: parse, wait for a run of the model, write."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from opdeploy.runtime.cpus import usable_cpus
from opdeploy.serving import protocol, score
from opdeploy.serving.batching import Batcher
from opdeploy.serving.exchange import Answer
from opdeploy.serving.preparing import Threads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.session import Arrays
    from opdeploy.serving.exchange import Headers
    from opdeploy.serving.metrics import Metrics
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings
    from opdeploy.serving.watch import Watch

    Body = bytes | bytearray

_SMALL = 1 << 16
"""Bytes that are parsed or written on the spot: handing them to a thread would take as long."""
_COPIED = 1 << 22
"""Bytes of tensors that are taken as they are, or copied at most, on the spot."""


class Inference:
    """Answers requests for tensors and for scores; to be used from one event loop."""

    def __init__(self, model: Served, settings: Settings, metrics: Metrics) -> None:
        self._model = model
        self._signature = protocol.Signature(model.inputs, model.outputs)
        self._batcher = Batcher(model, settings, metrics)
        self._is_plain = not {spec.datatype.name for spec in model.inputs} & {"BYTES", "BF16"}
        self._max_json = settings.max_json
        self._preparing = Threads(max(2, int(usable_cpus())), settings.max_wait)
        self._writing = Threads(1)  # what is computed does not wait behind what is yet to be
        self.depth = self._batcher.depth

    async def infer(self, headers: Headers, body: Body, watch: Watch) -> Answer:
        """Answer a request of the Open Inference Protocol."""
        model = self._model
        length = headers.get(protocol.HEADER_LENGTH)
        parse = partial(protocol.parse, body, self._signature, length, self._max_json)
        request = parse() if self._is_quick(body, length) else await self._preparing.do(parse)
        names = [spec.name for spec in request.outputs]
        answers = await self._answer(request.inputs, names, watch)
        arrays = [answers[name] for name in names]
        render = partial(protocol.render, model.name, model.version, request, arrays)
        text, length_of_json = render() if _are_small(arrays) else await self._writing.do(render)
        if length_of_json is None:
            return Answer(text)
        return Answer(text, "application/octet-stream", ((protocol.HEADER_LENGTH, str(length_of_json)),))

    async def score(self, headers: Headers, body: Body, watch: Watch) -> Answer:
        """Answer a request for scores of records."""
        started = time.monotonic()
        model = self._model

        def prepare() -> tuple[score.Request, Arrays]:
            request = score.parse(headers.get("content-type"), body, model, self._max_json)
            return request, score.tensors(request, model)

        request, tensors = await self._preparing.do(prepare)
        outputs = await self._answer(tensors, [spec.name for spec in model.outputs], watch)
        milliseconds = 1000 * (time.monotonic() - started)
        return Answer(await self._writing.do(partial(score.render, request, model, tensors, outputs, milliseconds)))

    def _is_quick(self, body: Body, length: str | None) -> bool:
        """Tell whether a body is parsed in no time: it is small, or has little JSON, and numbers that lie as here."""
        if len(body) <= _SMALL:
            return True
        return self._is_plain and len(body) <= _COPIED and length is not None and len(length) < len(str(_SMALL))

    async def _answer(self, inputs: Arrays, outputs: list[str], watch: Watch) -> Arrays:
        """Wait for the model's answer, as long as there is time and the client is there."""
        work = self._batcher.submit(inputs, outputs, watch.deadline)
        watch.work = work
        try:
            return await work.answer
        finally:
            self._batcher.drop(work)
            del work  # an error that it holds would hold it in turn, and its tensors stay until garbage is collected


def _are_small(arrays: Sequence[NDArray[Any]]) -> bool:
    """Tell whether arrays are written in no time; texts may be of any length."""
    return all(array.dtype != object for array in arrays) and sum(array.nbytes for array in arrays) <= _SMALL
