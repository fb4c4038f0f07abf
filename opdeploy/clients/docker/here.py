"""Whether an engine is on this machine: the ports of its containers are then ports of this machine."""

from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import urlsplit

from opdeploy.errors import InputError

_SOCKETS = {"unix", "http+unix", "npipe", "fd"}
"""Schemes of the addresses of engines that can only be on this machine."""
_LOCAL = "and local is the engine of this machine; name that one with DOCKER_HOST or docker context use"


def require(why: str = _LOCAL) -> None:
    """Raise InputError where the engine that is asked is on another machine; `why` ends the sentence that says so."""
    asked = address()
    if not is_here(asked):
        raise InputError(f"{asked}: this engine is on another machine, {why}")


def address() -> str:
    """Return where the engine is asked that is chosen by DOCKER_HOST, else by the docker context; nothing for none."""
    host = os.environ.get("DOCKER_HOST")
    if host:
        return host
    try:
        from docker.context import ContextAPI
        from docker.errors import DockerException
    except ModuleNotFoundError:  # which is told when it is connected to
        return ""
    try:
        return str(ContextAPI.kwargs_from_context(environment=os.environ).get("base_url") or "")
    except (DockerException, OSError, ValueError):  # likewise
        return ""


def is_here(address: str) -> bool:
    """Tell whether the engine of an address is on this machine; what is no address is told when it is connected to."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        host = parts.hostname or ""
    except ValueError:
        return True
    if parts.scheme in _SOCKETS or host in {"", "localhost"}:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return False
