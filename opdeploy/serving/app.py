"""The routes of the model server, as an RSGI application."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from opdeploy.errors import OpdeployError
from opdeploy.serving.protocol import RequestError, Signature, parse, render, render_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from granian.rsgi import Scope

    from opdeploy.runtime.session import Session

# The server ships without the rest of opdeploy, so it has a version of its own.
SERVER_VERSION = "0.1.0"
MAX_BODY_BYTES = 64 * 1024 * 1024

_log = logging.getLogger(__name__)


class Exchange(Protocol):
    """The server's side of one request: iterate for the body, then respond once."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the response."""


class App:
    """Answer the protocol's requests for one model.

    Health and metadata are fixed documents; only inference computes, on a thread of its own, so that the others are
    answered meanwhile.
    """

    def __init__(self, model: Session, name: str, version: str) -> None:
        self._model = model
        self._signature = Signature(model.inputs, model.outputs)
        self._name = name
        self._version = version
        self._documents = {path: orjson.dumps(document) for path, document in self._fixed_documents().items()}
        self._infer_paths = {f"{path}/infer" for path in self._model_paths()}

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request; whatever goes wrong, the client gets a status and one sentence as JSON."""
        headers = [("content-type", "application/json")]
        status = HTTPStatus.OK
        try:
            path = scope.path.rstrip("/")
            method = self._method(path)
            if scope.method != method:
                headers.append(("allow", method))
                raise RequestError(f"this path takes {method} only", HTTPStatus.METHOD_NOT_ALLOWED)  # noqa: TRY301
            body = self._documents.get(path) or await self._infer(scope, exchange)
        except RequestError as error:
            status, body = error.status, render_error(str(error))
        except Exception:  # noqa: BLE001 - the last resort: logged, and told to the client without its details
            _log.exception("request failed")
            status, body = HTTPStatus.INTERNAL_SERVER_ERROR, render_error("internal error")
        exchange.response_bytes(status, headers, body)

    def _model_paths(self) -> tuple[str, str]:
        path = f"/v2/models/{self._name}"
        return path, f"{path}/versions/{self._version}"

    def _fixed_documents(self) -> dict[str, dict[str, Any]]:
        signature = self._signature
        metadata = {
            "name": self._name,
            "versions": [self._version],
            "platform": "onnx_onnxv1",
            "inputs": [spec.metadata() for spec in signature.inputs],
            "outputs": [spec.metadata() for spec in signature.outputs],
        }
        return {
            "/v2": {"name": "opdeploy", "version": SERVER_VERSION, "extensions": []},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
            **dict.fromkeys(self._model_paths(), metadata),
            **{f"{path}/ready": {"name": self._name, "ready": True} for path in self._model_paths()},
        }

    def _method(self, path: str) -> str:
        if path in self._documents:
            return "GET"
        if path in self._infer_paths:
            return "POST"
        raise RequestError(
            f"no such path; this server has the model {self._name!r}, version {self._version!r}", HTTPStatus.NOT_FOUND
        )

    async def _infer(self, scope: Scope, exchange: Exchange) -> bytes:
        body = await _read(scope, exchange)
        return await asyncio.to_thread(self._compute, body)

    def _compute(self, body: bytes | bytearray) -> bytes:
        request = parse(body, self._signature)
        try:
            arrays = self._model.run(request.inputs, [spec.name for spec in request.outputs])
        except OpdeployError as error:
            # The runtime's message names its own source files: for the log, not for the client.
            _log.warning("%s", error)
            raise RequestError("the model fails on these inputs") from None
        return render(self._name, self._version, request, list(arrays.values()))


async def _read(scope: Scope, exchange: Exchange) -> bytearray:
    too_large = RequestError(f"the body is over {MAX_BODY_BYTES} bytes", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if int(scope.headers.get("content-length", 0)) > MAX_BODY_BYTES:
        raise too_large
    body = bytearray()
    # A chunked body does not tell its length beforehand.
    async for chunk in exchange:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise too_large
    return body
