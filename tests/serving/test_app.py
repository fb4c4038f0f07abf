"""The application without its HTTP server: what it answers before it has a model, and when something goes wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.serving.apps import INFER, asked, made, request, served

if TYPE_CHECKING:
    import pytest


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
