"""From a request's body to its answer: parse, wait for a run of the model, write."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from opdeploy.runtime.cpus import usable_cpus
from opdeploy.serving import protocol, score
from opdeploy.serving.batching import Batcher
from opdeploy.serving.exchange import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from opdeploy.runtime.session import Arrays
    from opdeploy.serving.exchange import Headers
    from opdeploy.serving.metrics import Metrics
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings
    from opdeploy.serving.watch import Watch

    Body = bytes | bytearray

T = TypeVar("T")

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
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(max(2, int(usable_cpus())), "prepare")
        self.depth = self._batcher.depth

    async def infer(self, headers: Headers, body: Body, watch: Watch) -> Answer:
        """Answer a request of the Open Inference Protocol."""
        model = self._model
        length = headers.get(protocol.HEADER_LENGTH)
        parse = partial(protocol.parse, body, self._signature, length, self._max_json)
        request = await self._call(parse, small=self._is_quick(body, length))
        names = [spec.name for spec in request.outputs]
        answers = await self._answer(request.inputs, names, watch)
        arrays = [answers[name] for name in names]
        render = partial(protocol.render, model.name, model.version, request, arrays)
        text, length_of_json = await self._call(render, small=sum(array.nbytes for array in arrays) <= _SMALL)
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

        request, tensors = await self._call(prepare)
        outputs = await self._answer(tensors, [spec.name for spec in model.outputs], watch)
        milliseconds = 1000 * (time.monotonic() - started)
        return Answer(await self._call(partial(score.render, request, model, tensors, outputs, milliseconds)))

    def _is_quick(self, body: Body, length: str | None) -> bool:
        """Tell whether a body is parsed in no time: it is small, or has little JSON, and numbers that lie as here."""
        if len(body) <= _SMALL:
            return True
        return self._is_plain and len(body) <= _COPIED and length is not None and len(length) < len(str(_SMALL))

    async def _call(self, task: Callable[[], T], *, small: bool = False) -> T:
        """Do something on the spot where it is small, else on a thread."""
        return task() if small else await self._loop.run_in_executor(self._threads, task)

    async def _answer(self, inputs: Arrays, outputs: list[str], watch: Watch) -> Arrays:
        """Wait for the model's answer, as long as there is time and the client is there."""
        work = self._batcher.submit(inputs, outputs, watch.deadline)
        watch.work = work
        try:
            return await work.answer
        finally:
            del work  # an error that it holds would hold it in turn, and its tensors stay until garbage is collected
