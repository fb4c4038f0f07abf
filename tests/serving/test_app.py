"""The application without its HTTP server: what it answers before it has a model, and when something goes wrong."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opdeploy.serving.app import App
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.model import Served
from opdeploy.serving.settings import read
from tests.runtime.processed import tensor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import pytest
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
    """A client that has sent its body and stays; it notes what is answered."""

    body: bytes
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)

    async def __call__(self) -> bytes:
        """Return the body."""
        return self.body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as granian does, with an empty piece at the end."""
        yield self.body
        yield b""

    async def client_disconnect(self) -> None:
        """Wait for ever."""
        await asyncio.Event().wait()

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Note the answer."""
        self.answers.append((status, dict(headers), json.loads(body)))


@dataclass(frozen=True)
class Session:
    """A graph that gives back its input, and fails on 13 in a way that nobody expects."""

    inputs: tuple[TensorSpec, ...] = (tensor("x", "FP32", "n"),)
    outputs: tuple[TensorSpec, ...] = (tensor("y", "FP32", "n"),)

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Return the input."""
        if (inputs["x"] == 13).any():
            raise MemoryError("secret of the machine")
        return dict.fromkeys(outputs, inputs["x"])


def served() -> Served:
    """Return a model that is ready."""
    session: Any = Session()
    return Served(name="m", version="1", session=session, provider="none", parallel=1, max_batch=1)


def request(number: float) -> bytes:
    """Return a request for one number."""
    return json.dumps({"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [number]}]}).encode()


async def asked(app: App, method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
    """Give the application one request, and return the one answer."""
    exchange: Any = Exchange(body)
    scope: Any = Scope(method, path, {"content-length": str(len(body)), "x-request-id": "one", "content-type": JSON})
    await app.__rsgi__(scope, exchange)
    (answer,) = exchange.answers
    return answer  # type: ignore[no-any-return]  # the list of the exchange


def made(*options: str) -> App:
    """Return an application without a model."""
    return App(read(["--model=m.onnx", *options], {}), Metrics())


def test_a_model_makes_the_server_ready() -> None:
    """Before it is there, its routes answer 503, and afterwards as they should; liveness is the same."""

    async def run() -> None:
        app = made()
        for path, method in (("/v2/health/ready", "GET"), ("/v2/models/m/ready", "GET"), (INFER, "POST")):
            status, headers, body = await asked(app, method, path, request(1))
            assert (status, headers["retry-after"], body) == (503, "1", {"error": "the model is being loaded"})
        assert (await asked(app, "GET", "/v2/health/live"))[0] == 200
        app.serve(served())
        assert (await asked(app, "GET", "/v2/health/ready"))[2] == {"ready": True}
        assert (await asked(app, "GET", "/v2/models/m/ready"))[2] == {"name": "m", "ready": True}
        assert (await asked(app, "POST", INFER, request(1)))[2]["outputs"][0]["data"] == [1]
        app.drain()
        status, headers, body = await asked(app, "GET", "/v2/health/ready")
        assert (status, headers["connection"], body) == (503, "close", {"error": "the server is shutting down"})
        assert (await asked(app, "POST", INFER, request(1)))[0] == 200

    asyncio.run(run())


def test_what_nobody_expects_is_told_to_the_operator_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets 500 without details, the log has them with the request's id, and others are served."""

    async def run() -> None:
        app = made()
        app.serve(served())
        status, headers, body = await asked(app, "POST", INFER, request(13))
        assert (status, headers["x-request-id"], body) == (500, "one", {"error": "internal error"})
        assert (await asked(app, "POST", INFER, request(2)))[0] == 200
        assert app.under_way == 0

    asyncio.run(run())
    (failed,) = [record for record in caplog.records if record.message == "request failed"]
    assert vars(failed)["request_id"] == "one"
    assert failed.exc_info is not None
    assert isinstance(failed.exc_info[1], MemoryError)


def test_routes_that_are_set_answer_beside_the_protocols() -> None:
    """Platforms that ask for their own paths get the same answers there."""

    async def run() -> None:
        app = made("--live-route=/healthz", "--ready-route=/ping", "--score-route=/invocations")
        app.serve(served())
        for path in ("/healthz", "/v2/health/live"):
            assert (await asked(app, "GET", path))[2] == {"live": True}
        for path in ("/ping", "/v2/health/ready"):
            assert (await asked(app, "GET", path))[2] == {"ready": True}
        assert (await asked(app, "POST", "/invocations", b'{"data": [1.5]}'))[2] == {"outputs": {"y": [1.5]}}
        assert (await asked(app, "POST", "/score"))[0] == 404

    asyncio.run(run())
