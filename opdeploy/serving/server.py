"""The life of a server: from listening, over ready, to an end at which everything is answered."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, NoReturn

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from opdeploy.errors import OpdeployError
from opdeploy.serving import listening
from opdeploy.serving.app import App
from opdeploy.serving.metrics import Metrics
from opdeploy.serving.process import first, pause, places, signals

if TYPE_CHECKING:
    from opdeploy.serving.loading import Loading
    from opdeploy.serving.settings import Settings

_CONNECTIONS = 4096
"""At most; idle ones count."""
_HEAD_MILLISECONDS = 75_000
"""For the head of a request, and so for an idle connection: longer than proxies keep theirs, commonly 60 s."""
_SETTLING = 0.25
"""Seconds for the first request on each of the last connections, which comes after what opens them."""

_log = logging.getLogger("opdeploy.serving")


def run(settings: Settings, loading: Loading) -> int:
    """Serve a model that is being loaded, and end the process with one of the exit codes that `__main__` tells."""
    return asyncio.run(_run(settings, loading))


async def _run(settings: Settings, loading: Loading) -> NoReturn:
    code = await _serve(settings, loading)
    loading.clear()
    # At once: a thread that still computes would hold up an ordinary end, and granian's own threads, which outlive
    # its event loop a little, abort the process (exit code -6) when they meet an interpreter that is shutting down.
    logging.shutdown()
    os._exit(code)


async def _serve(settings: Settings, loading: Loading) -> int:
    metrics = Metrics()
    app = App(settings, metrics)
    server = _server(app, settings)
    stop, again = signals()
    serving = asyncio.create_task(server.serve())
    loaded = asyncio.create_task(asyncio.to_thread(loading.join))
    _log.info("listening", extra={"host": settings.host, "port": settings.port})
    await first(loaded, stop, serving)
    if loaded.done():
        if (code := _started(app, loading)) is not None:
            return code
        metrics.load_seconds.set(loading.seconds)
        await first(stop, serving)
    if not stop.done():
        _log.error("the server ended by itself", exc_info=serving.exception() if serving.done() else None)
        return 1
    _log.info("shutting down", extra={"signal": signal.Signals(stop.result()).name, "under_way": app.under_way})
    pauses = stop.result() == signal.SIGTERM  # who presses Ctrl-C is not kept waiting
    return await _end_well(app, server, serving, settings, again if pauses else None)


def _server(app: App, settings: Settings) -> Server:
    # Embedded, the server is this very process: no worker to outlive it, and a crash is an exit code.
    return Server(
        app,
        settings.host,
        settings.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=_HEAD_MILLISECONDS),
        websockets=False,
        backlog=1024,
        backpressure=places(_CONNECTIONS),
        log_level=LogLevels.error,
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
    )


def _started(app: App, loading: Loading) -> int | None:
    """Serve the model that was loaded; return an exit code where it was not."""
    model, error = loading.model, loading.error
    if model is None:
        code = error.exit_code if isinstance(error, OpdeployError) else 1
        # Some platforms tell no exit code: there the log is all that says how the server ended.
        _log.error("%s", error, exc_info=None if isinstance(error, OpdeployError) else error, extra={"exit_code": code})
        return code
    for variant, why in (model.rejected or {}).items():
        _log.warning("variant %s is not served: %s", variant, why)
    app.serve(model)
    gc.freeze()  # what is loaded now stays, and need not be looked through again
    _log.info("ready", extra=model.facts())
    return None


async def _end_well(
    app: App, server: Server, serving: asyncio.Task[None], settings: Settings, again: asyncio.Event | None
) -> int:
    """Stop accepting, once those who send requests have noticed; answer what is under way; return the exit code.

    The pauses end when `again` is set; without it there are none.
    """
    until = time.monotonic() + settings.grace
    app.drain()
    if again is not None:
        await pause(again, min(settings.drain, settings.grace))
        listening.stop_accepting(settings.port)
        await pause(again, min(_SETTLING, settings.grace))
    server.stop()  # type: ignore[no-untyped-call]  # granian types only a part of itself
    await asyncio.wait({serving}, timeout=max(0, until - time.monotonic()))
    if app.under_way:
        _log.error("%d requests did not end in time and were cut off", app.under_way)
        return 1
    if not serving.done():
        _log.warning("connections were closed that had a part of a request to send, or of an answer to take")
    return 0
