"""The application without its HTTP server, small fakes around it, and requests to it."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opdeploy.errors import OpdeployError
from opdeploy.serving.app import App
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.model import Served
from opdeploy.serving.settings import read
from tests.runtime.processed import tensor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import TensorSpec

INFER, JSON = "/v2/models/m/infer", "application/json"


@dataclass(frozen=True)
class Scope:
    """A request's head."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Exchange:
    """A client that has sent its body and stays, or goes; it notes what is answered."""

    body: bytes
    goes: bool = False
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)

    async def __call__(self) -> bytes:
        """Return the body."""
        return self.body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as granian does, with an empty piece at the end."""
        yield self.body
        yield b""

    async def client_disconnect(self) -> None:
        """Wait for ever where the client stays."""
        if not self.goes:
            await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Note the answer."""
        self.answers.append((status, dict(headers), json.loads(body)))


@dataclass(frozen=True)
class Session:
    """A graph that gives back its input, but not 13, 14 and 15.

    It fails on 13 in a way that nobody expects, on 14 as models do, and takes its time for 15.
    """

    go: threading.Event = field(default_factory=threading.Event)
    """That the time for 15 is over."""
    inputs: tuple[TensorSpec, ...] = (tensor("x", "FP32", "n"),)
    outputs: tuple[TensorSpec, ...] = (tensor("y", "FP32", "n"),)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the input."""
        if (inputs["x"] == 13).any():
            raise MemoryError("secret of the machine")
        if (inputs["x"] == 14).any():
            raise OpdeployError("the model fails on these inputs: 14")
        if (inputs["x"] == 15).any():
            assert self.go.wait(20)
        return dict.fromkeys(outputs, inputs["x"])


def served(session: Session | None = None) -> Served:
    """Return a model that is ready."""
    graph: Any = session or Session()
    return Served(name="m", version="1", session=graph, provider="none", parallel=1, max_batch=1)


def request(number: float) -> bytes:
    """Return a request for one number."""
    return json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [number]}]}).encode()


async def asked(app: App, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
    """Give the application one request, and return the one answer."""
    exchange = Exchange(body)
    await give(app, method, path, exchange)
    (answer,) = exchange.answers
    return answer


async def give(app: App, method: str, path: str, exchange: Exchange) -> None:
    """Give the application the request of a client."""
    length = str(len(exchange.body))
    scope: Any = Scope(method, path, {"content-length": length, "x-request-id": "one", "content-type": JSON})
    client: Any = exchange
    await app.__rsgi__(scope, client)


def made(*options: str) -> App:
    """Return an application without a model."""
    return App(read(["--model=m.onnx", *options], {}), Metrics())
