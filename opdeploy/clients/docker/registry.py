"""Whether a registry can be reached from here, and whether somebody has logged in to it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

HUB = "registry-1.docker.io"
"""Where what names no registry is."""
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reached:
    """What a registry said."""

    host: str
    why_not: str | None
    """None where it answers."""
    logged_in: bool
    """Whether `docker login` has stored credentials for it."""
    is_asked: bool
    """Whether it asks for credentials."""


def reach(registry: str) -> Reached:
    """Ask a registry whether it speaks the protocol of registries, as an engine does before it pushes.

    https://distribution.github.io/distribution/spec/api/#api-version-check, read 2026-11-25.
    """
    host = host_of(registry)
    near = host.partition(":")[0] in {"localhost", "127.0.0.1"}  # of which engines take plain HTTP
    why, asked = _look(f"https://{host}/v2/")
    if why and near:
        why, asked = _look(f"http://{host}/v2/")
    return Reached(host, why, _logged_in(host), asked)


def host_of(name: str) -> str:
    """Return the host of a registry, or of an image's: Docker Hub, where none is named."""
    host = name.partition("/")[0]
    return host if {*host} & {".", ":"} or host == "localhost" else HUB  # as the engine tells it from a user's name


def _look(url: str) -> tuple[str | None, bool]:
    """Return why nothing answers, and whether what answers asks for credentials."""
    try:
        with urlopen(url, timeout=_SECONDS):  # noqa: S310 - https, or http on this machine
            return None, False
    except HTTPError as error:
        return None, error.code == HTTPStatus.UNAUTHORIZED
    except (URLError, OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):  # which the engine may trust
            return None, True
        return str(reason) or type(reason).__name__, False


def _logged_in(host: str) -> bool:
    from docker import auth
    from docker.errors import DockerException

    try:
        return bool(auth.load_config().resolve_authconfig("" if host == HUB else host))
    except DockerException:
        return False
