"""Asks a deployment's endpoint to score a user's data."""

from __future__ import annotations

import http.client
import json
import os
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.deploy.checks import Server, readiness
from opdeploy.errors import InputError, OpdeployError
from opdeploy.local import answers
from opdeploy.local.inference import path
from opdeploy.local.requests import SCORE
from opdeploy.local.server import ask

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.deploy.operate import Place
    from opdeploy.deployment import Observed

_IMAGES = {"jpg": "jpeg", "jpeg": "jpeg", "png": "png", "webp": "webp", "gif": "gif", "bmp": "bmp", "tif": "tiff"}
_SECONDS = 120.0
_KEY = "OPDEPLOY_API_KEY"
"""The variable with the key, where that is not kept where the deployment is."""


def scored(place: Place, observed: Observed, data: Path, more: str = "") -> str:
    """Return what the endpoint answers to a file of data, or to standard input where it is `-`.

    `more` is what a command needs beside name and target to find the deployment.

    Raises InputError for data that cannot be read, OpdeployError where the endpoint refuses or does not answer.
    """
    body = _read(data)
    where = f"{observed.deployment} --target {observed.target}{more}"
    if observed.front is None:
        raise OpdeployError(f"{observed.deployment}: has no endpoint; deploy it again")
    ready = readiness(place, observed)
    if not ready.is_ready:
        raise OpdeployError(
            f"{observed.deployment}: {ready.said}; opdeploy diff {where} tells what is not as it was made, and deploy "
            "mends it"
        )
    key = place.api_key(observed.deployment)
    server = Server(place, observed.front, key)
    kind = _IMAGES.get(data.suffix.lower().removeprefix("."))
    media = f"image/{kind}" if kind else "application/json"
    try:
        route = path(answers.about(server.address).name) if not kind and _is_inference(body) else SCORE
        reply = ask(server.address, route, body, {"Content-Type": media}, _SECONDS)
    except (OSError, http.client.HTTPException) as error:
        raise OpdeployError(
            f"{observed.endpoint}: got no answer: {error or type(error).__name__}; see opdeploy status {where}"
        ) from None
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise OpdeployError(f"{observed.deployment}: {_refused(key)}")
    if reply.status != HTTPStatus.OK:
        raise OpdeployError(f"{observed.endpoint}{route}: {reply}; see what it takes at {observed.endpoint}/")
    return reply.body.decode("utf-8", "replace")


def _refused(key: str | None) -> str:
    """Say why a server takes no request that has a key, or none, and what to do."""
    if key is None:
        return f"asks for an API key, and none is known here; set {_KEY} to it"
    if key == os.environ.get(_KEY):
        return f"{_KEY} is not its API key; set it to the one that was shown, or that its Key Vault has"
    return f"the API key that is kept for it is not the one that it takes; set {_KEY} to that, and deploy again"


def _read(data: Path) -> bytes:
    if str(data) == "-":
        return sys.stdin.buffer.read()
    try:
        return data.read_bytes()
    except OSError as error:
        raise InputError(f"{data}: cannot be read: {error.strerror}; name a file of data") from None


def _is_inference(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return isinstance(document, dict) and "inputs" in document
