"""The life of a front: from listening to an end at which everything is answered."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import time
from typing import TYPE_CHECKING

from opdeploy.serving.front import control, limits
from opdeploy.serving.front.proxy import Proxy
from opdeploy.serving.process import first, pause, places, signals

if TYPE_CHECKING:
    from opdeploy.serving.front.settings import Settings

_FILES = 2
"""That a client's connection takes: its own, and that to the server."""
_SETTLING = 0.25
"""Seconds for the first request on each of the last connections, which comes after what opens them."""

_log = logging.getLogger("opdeploy.serving.front")


def run(settings: Settings) -> int:
    """Serve, and return the exit code; raises OSError where it cannot listen, InputError where another front does."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    commands = control.bind(settings.state)
    try:
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError:
        (settings.state / control.NAME).unlink()
        raise
    listener.settimeout(0)
    limits.bound(listener)
    return asyncio.run(_run(settings, listener, commands))


async def _run(settings: Settings, listener: socket.socket, commands: socket.socket) -> int:
    code = await _serve(settings, listener, commands)
    (settings.state / control.NAME).unlink(missing_ok=True)
    # At once: a name that is being looked up would hold up an ordinary end.
    logging.shutdown()
    os._exit(code)


async def _serve(settings: Settings, listener: socket.socket, commands: socket.socket) -> int:
    proxy = Proxy(settings, places(limits.CONNECTIONS, files=_FILES))
    stop, again = signals()
    controlled = await control.listen(proxy, commands)
    accepting = asyncio.create_task(proxy.accept(listener))
    looking = asyncio.create_task(proxy.look())
    gc.freeze()
    upstream = proxy.show()["upstream"]
    _log.info("listening", extra={"host": settings.host, "port": settings.port, "upstream": upstream})
    await first(stop, accepting, looking)
    if not stop.done():
        _log.error("the front ended by itself", exc_info=next(t.exception() for t in (accepting, looking) if t.done()))
        return 1
    until = time.monotonic() + settings.grace
    proxy.draining = True
    if stop.result() == signal.SIGTERM:  # who presses Ctrl-C is not kept waiting
        await pause(again, min(settings.drain, settings.grace))
    accepting.cancel()
    listener.close()
    controlled.close()
    if stop.result() == signal.SIGTERM:
        await pause(again, min(_SETTLING, settings.grace))
    left = await proxy.end(max(0, until - time.monotonic()))
    if left:
        _log.error("%d requests did not end in time and were cut off", left)
        return 1
    return 0
