"""Nothing of a request waits for the collection of garbage, which may come after gigabytes of others."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.serving.apps import INFER, Exchange, Session, give, made, request, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.serving.app import App

LARGE = json.dumps({"inputs": [{"name": "x", "shape": [100_000], "datatype": "FP32", "data": [0] * 100_000}]}).encode()
"""More than is parsed on the spot."""
SECONDS = 20.0
LONG = 0.3
"""Seconds after which a client is watched."""
ENDS = {
    "answered": (request(1), False, 200),
    "answered, large": (LARGE, False, 200),
    "no JSON": (b"no JSON", False, 400),
    "no JSON, large": (b" " * 1_000_000, False, 400),
    "does not fit, large": (LARGE.replace(b"FP32", b"FP64"), False, 400),
    "the model fails": (request(14), False, 400),
    "the model fails as nobody expects": (request(13), False, 500),
    "late": (request(15), False, 503),
    "the client goes": (request(15), True, 400),
}


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep garbage, and log nothing: pytest keeps records, and those the errors, and those what they came from."""
    gc.collect()
    gc.disable()
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        gc.enable()


async def ended(app: App, body: bytes, *, goes: bool) -> tuple[int, weakref.ref[Exchange]]:
    """Send a request; return the status of its answer, and what is left of its client."""
    exchange = Exchange(body, goes)
    await give(app, "POST", INFER, exchange)
    return exchange.answers[0][0], weakref.ref(exchange)


async def gone(left: weakref.ref[Exchange]) -> None:
    """Wait until nothing refers to a client."""
    async with asyncio.timeout(SECONDS):
        while left() is not None:  # noqa: ASYNC110 - the end of an object is no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("end", ENDS)
def test_a_request_leaves_nothing(end: str) -> None:
    """However it ended, its client and body are gone soon after, with the work of the model."""
    body, goes, expected = ENDS[end]
    session = Session()

    async def run() -> None:
        app = made("--deadline=0.2")
        app.serve(served(session))
        with uncollected():
            status, left = await ended(app, body, goes=goes)
            assert status == expected
            session.go.set()
            await gone(left)

    asyncio.run(run())


def test_an_answer_that_took_long_leaves_nothing() -> None:
    """Nor does one whose client was watched meanwhile."""
    session = Session()

    async def run() -> None:
        app = made("--deadline=20")
        app.serve(served(session))
        with uncollected():
            asyncio.get_running_loop().call_later(LONG, session.go.set)
            status, left = await ended(app, request(15), goes=False)
            assert status == 200
            await gone(left)

    asyncio.run(run())
