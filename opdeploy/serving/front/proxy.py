"""What the connections of a front share: the server that requests go to now, and who is connected."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.serving.front import state
from opdeploy.serving.front.client import Client
from opdeploy.serving.front.exchange import Exchange
from opdeploy.serving.front.upstream import Target

if TYPE_CHECKING:
    import socket

    from opdeploy.serving.front.request import Request
    from opdeploy.serving.front.settings import Settings

_HEALTH = b"/front/health"
_ACCEPT_AGAIN = 0.1
"""Seconds after the system refused to accept, for want of files above all."""

_log = logging.getLogger("opdeploy.serving.front")


class Proxy:
    """Accepts connections, and begins the exchange of each request."""

    def __init__(self, settings: Settings, connections: int) -> None:
        """Send requests to the server that is written down in the folder of the settings."""
        self.timeout = settings.timeout
        self.stall = settings.stall
        self.draining = False
        self.clients: set[Client] = set()
        self.nobody = asyncio.Event()
        """Set when the last client has gone."""
        self.target: Target | None = None
        self._folder = settings.state
        self._slots = asyncio.Semaphore(connections)
        self._one = asyncio.Lock()
        if (told := state.read(settings.state)) is not None:
            self.target = Target(told)

    @property
    def under_way(self) -> int:
        """Requests that are not answered yet."""
        return sum(client.busy for client in self.clients)

    async def accept(self, listener: socket.socket) -> None:
        """Accept connections until cancelled, no more than there are places for."""
        loop = asyncio.get_running_loop()
        while True:
            await self._slots.acquire()
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                self._slots.release()
                _log.warning("a connection cannot be accepted: %s", error)
                await asyncio.sleep(_ACCEPT_AGAIN)
                continue
            try:
                await loop.connect_accepted_socket(lambda: Client(self), connection)
            except OSError:  # the client went at once
                connection.close()
                self._slots.release()

    async def look(self) -> None:
        """Give up, until cancelled, what takes too long, and close what is idle."""
        pause = min(1.0, self.timeout / 4, self.stall / 4)
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            for client in list(self.clients):
                client.look(now)
            if self.target is not None:
                self.target.drop_idle(now)

    def gone(self, client: Client) -> None:
        """Forget a client, and let another come."""
        self.clients.discard(client)
        self._slots.release()
        if not self.clients:
            self.nobody.set()

    def exchange(self, client: Client, request: Request) -> Exchange | None:
        """Return the exchange of a request; None where it was answered here."""
        if request.refusal is not None:
            client.answer(request.refusal.status, {"error": request.refusal.why})
        elif request.method in {b"GET", b"HEAD"} and request.target.partition(b"?")[0] == _HEALTH:
            client.answer(HTTPStatus.OK, {"upstream": self._upstream()})
        elif self.target is None:
            unavailable = {"error": "no model is served here yet; send the request again later"}
            client.answer(HTTPStatus.SERVICE_UNAVAILABLE, unavailable, b"Retry-After: 1\r\n")
        else:
            return Exchange(client, request, self.target)
        return None

    def show(self) -> dict[str, Any]:
        """Return where requests go, and how many are under way."""
        return {"upstream": self._upstream(), "under_way": self.under_way}

    async def switch(self, to: state.Address, grace: float) -> dict[str, Any]:
        """Send every new request to another server; return when those on the one before have ended, or grace is over.

        Raises OSError, and changes nothing, where it cannot be written down.
        """
        async with self._one:
            old = self.target
            before = self._upstream()
            if old is not None and old.address == to:
                return {"upstream": before, "before": before, "left": 0}
            await asyncio.to_thread(state.write, self._folder, to)
            self.target = Target(to)
            _log.info("switched", extra={"upstream": str(to), "before": before})
            left = await old.retire(grace) if old is not None else 0
            return {"upstream": str(to), "before": before, "left": left}

    async def end(self, seconds: float) -> int:
        """Close what is idle, answer what is under way; return how many requests have not ended after `seconds`."""
        self.nobody.clear()
        for client in list(self.clients):
            client.stop()
        if self.clients:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.nobody.wait(), seconds)
        return self.under_way

    def _upstream(self) -> str | None:
        return str(self.target.address) if self.target else None
