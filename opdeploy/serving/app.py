"""The routes of the model server, as an RSGI application."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import cache, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import onnxruntime
import orjson

from opdeploy import __version__
from opdeploy.serving import logs
from opdeploy.serving.auth import Keys
from opdeploy.serving.bodies import Bodies
from opdeploy.serving.exchange import Answer, GoneError, RequestError, unavailable
from opdeploy.serving.inference import Inference
from opdeploy.serving.metrics import CONTENT_TYPE
from opdeploy.serving.protocol import EXTENSIONS, render_error
from opdeploy.serving.watch import Watches

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from opdeploy.serving.exchange import Exchange, Headers, Scope
    from opdeploy.serving.metrics import Metrics
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings
    from opdeploy.serving.watch import Watch

    Handler = Callable[[Scope, Exchange], Awaitable["Answer"]]

GONE = 499
"""What metrics and logs say of a request whose client had gone; no status of HTTP, but a usage that nginx began."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """What a path is for."""

    kind: str
    """The label of its metrics."""
    handle: Handler
    method: str = "GET"

    def allows(self, method: str) -> bool:
        """Tell whether a method is the route's; HEAD goes where GET does."""
        return method == self.method or (method == "HEAD" and self.method == "GET")


class App:
    """Answer requests for one model; only what concerns the process is answered before `serve`."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.under_way = 0
        """Requests not yet answered."""
        self.draining = False
        self._settings = settings
        self._metrics = metrics
        self._keys = Keys(settings.keys)
        self._bodies = Bodies(settings)
        self._watches = Watches(settings.deadline)
        self._model: Served | None = None
        self._inference: Inference | None = None
        live = Route("health", self._live)
        ready = Route("health", self._ready)
        self._routes = {
            "/metrics": Route("metrics", self._exposition),
            "/version": Route("metadata", self._version),
            **dict.fromkeys(("/v2/health/live", settings.live_route), live),
            **dict.fromkeys(("/v2/health/ready", settings.ready_route), ready),
        }

    def serve(self, model: Served) -> None:
        """Begin to answer requests for a model, which is ready."""
        self._model = model
        inference = self._inference = Inference(model, self._settings, self._metrics)
        self._routes |= self._of_model(model, inference)
        self._metrics.ready.set(1)

    def drain(self) -> None:
        """Be ready no longer, and close each connection with its answer."""
        self.draining = True
        self._metrics.ready.set(0)

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request; whatever goes wrong, the client gets a status and one sentence as JSON."""
        started = time.monotonic()
        self.under_way += 1
        kind = "other"
        request_id = logs.request_id(scope.headers)
        try:
            route = self._route(scope)
            kind = route.kind
            answer = await route.handle(scope, exchange)
        except RequestError as error:
            answer = Answer(render_error(str(error)), headers=error.headers, status=error.status)
        except GoneError:
            answer = Answer(render_error("the request broke off"), status=GONE)
        except Exception:  # noqa: BLE001 - the last resort: logged, and told to the client without its details
            _log.exception("request failed", extra={"request_id": request_id})
            answer = Answer(render_error("internal error"), status=HTTPStatus.INTERNAL_SERVER_ERROR)
        finally:
            self.under_way -= 1
        headers = [("content-type", answer.media_type), ("x-request-id", request_id), *answer.headers]
        if self.draining:
            headers.append(("connection", "close"))
        # Who has closed only its own side may read this; without an answer granian would give 500.
        status = HTTPStatus.BAD_REQUEST if answer.status == GONE else answer.status
        exchange.response_bytes(status, headers, answer.body)
        self._note(scope, kind, answer.status, time.monotonic() - started, request_id)

    def _note(self, scope: Scope, kind: str, status: int, seconds: float, request_id: str) -> None:
        self._metrics.answered(kind, status, seconds)
        # Probes are told that the server is not ready as often as they ask.
        failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR and kind != "health"
        if failed or self._settings.access_log:
            event = {"method": scope.method, "path": scope.path[:200], "status": int(status), "seconds": seconds}
            _log.info("request", extra={**event, "request_id": request_id, **logs.trace(scope.headers)})

    def _route(self, scope: Scope) -> Route:
        route = self._routes.get(scope.path) or self._routes.get(scope.path.rstrip("/") or "/")
        if route is None:
            if self._model is None:
                raise unavailable("the model is being loaded")
            name, version = self._model.name, self._model.version
            raise RequestError(
                f"no such path; this server has the model {name!r}, version {version!r}", HTTPStatus.NOT_FOUND
            )
        if not route.allows(scope.method):
            allowed = "GET, HEAD" if route.method == "GET" else route.method
            raise RequestError(
                f"this path takes {route.method} only", HTTPStatus.METHOD_NOT_ALLOWED, (("allow", allowed),)
            )
        return route

    def _of_model(self, model: Served, inference: Inference) -> dict[str, Route]:
        path = f"/v2/models/{model.name}"
        paths = (path, f"{path}/versions/{model.version}")
        told = self._settings
        model_ready = Answer(orjson.dumps({"name": model.name, "ready": True}))

        async def ready(scope: Scope, exchange: Exchange) -> Answer:
            await self._ready(scope, exchange)
            return model_ready

        server = {"name": "opdeploy", "version": __version__, "extensions": EXTENSIONS}
        metadata = {
            "name": model.name,
            "versions": [model.version],
            "platform": "onnx_onnxv1",
            "inputs": [spec.metadata() for spec in model.inputs],
            "outputs": [spec.metadata() for spec in model.outputs],
        }
        return {
            "/": Route("page", _fixed(partial(_page, model, told))),
            "/openapi.json": Route("metadata", _fixed(partial(_openapi, model, told))),
            "/v2": Route("metadata", _document(server)),
            **dict.fromkeys(paths, Route("metadata", _document(metadata))),
            **{f"{path}/ready": Route("health", ready) for path in paths},
            **{f"{path}/infer": Route("infer", self._guarded(inference.infer), "POST") for path in paths},
            told.score_route: Route("score", self._guarded(inference.score), "POST"),
        }

    def _guarded(self, handle: Callable[[Headers, bytes | bytearray, Watch], Awaitable[Answer]]) -> Handler:
        """Return a handler that asks for an API key, a place in the queue, and the body, in this order."""

        async def guarded(scope: Scope, exchange: Exchange) -> Answer:
            self._keys.check(scope.headers)
            place = self._bodies.admit()
            watch = self._watches.over(exchange)
            try:
                body = await place.read(scope.headers, exchange)
                watch.arrived = True
                return await handle(scope.headers, body, watch)
            except asyncio.CancelledError:
                if watch.error is None:
                    raise
                raise watch.error from None  # which `end` forgets, so that it does not hold itself and the body
            finally:
                watch.end()
                place.leave()

        return guarded

    async def _live(self, _scope: Scope, _exchange: Exchange) -> Answer:
        return Answer(b'{"live":true}')

    async def _ready(self, _scope: Scope, _exchange: Exchange) -> Answer:
        if self._model is None or self.draining:
            raise unavailable("the server is shutting down" if self.draining else "the model is being loaded")
        return Answer(b'{"ready":true}')

    async def _exposition(self, _scope: Scope, _exchange: Exchange) -> Answer:
        depth = self._inference.depth() if self._inference else 0
        return Answer(self._metrics.exposition(self.under_way, depth), CONTENT_TYPE)

    async def _version(self, _scope: Scope, _exchange: Exchange) -> Answer:
        model = self._model
        about: dict[str, Any] = {"server": "opdeploy", "version": __version__, "onnxruntime": onnxruntime.__version__}
        return Answer(orjson.dumps(about | (model.facts() if model else {})))


def _fixed(make: Callable[[], Answer]) -> Handler:
    """Return a handler whose answer is made when it is first asked for, and stays."""
    made = cache(make)

    async def give(_scope: Scope, _exchange: Exchange) -> Answer:
        return made()

    return give


def _document(content: dict[str, Any]) -> Handler:
    return _fixed(lambda: Answer(orjson.dumps(content)))


def _page(model: Served, settings: Settings) -> Answer:
    from opdeploy.serving import page  # late: few servers show it

    html, policy = page.render(model, settings)
    headers = (("content-security-policy", policy), ("x-content-type-options", "nosniff"))
    return Answer(html, "text/html; charset=utf-8", headers)


def _openapi(model: Served, settings: Settings) -> Answer:
    from opdeploy.serving import openapi  # late: few servers are asked for it

    return Answer(orjson.dumps(openapi.document(model, settings)))
