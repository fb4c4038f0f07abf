"""API keys."""

from __future__ import annotations

import hashlib
import hmac
from http import HTTPStatus
from typing import TYPE_CHECKING

from opdeploy.serving.exchange import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.serving.exchange import Headers

_CHALLENGE = (("www-authenticate", "Bearer"),)


class Keys:
    """The keys of which a client must have one; where there are none, everyone may come."""

    def __init__(self, keys: Sequence[str]) -> None:
        # Digests have one length, so that comparing tells nothing of how long a key is.
        self._digests = [_digest(key) for key in keys]

    def check(self, headers: Headers) -> None:
        """Raise RequestError where a key is needed and missing (401), or is none of these (403)."""
        if not self._digests:
            return
        scheme, _, key = (headers.get("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise RequestError(
                "an API key is needed, as the header Authorization: Bearer KEY", HTTPStatus.UNAUTHORIZED, _CHALLENGE
            )
        given = _digest(key.strip())
        # All are compared, each in constant time: how long it takes does not tell which was near.
        if not sum(hmac.compare_digest(given, digest) for digest in self._digests):
            raise RequestError("the API key is none of this server's", HTTPStatus.FORBIDDEN)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
