"""Lines that a service of Azure tells to who shows a token."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT_S = 10.0
_MOST_LINES = 300
"""That may be asked for (az containerapp logs show --tail)."""


def lines(stream: str, token: str, tail: int, *, follow: bool = False, seconds: float | None = None) -> Iterator[str]:
    """Yield the last lines of a stream, and, where it is followed, what comes until it ends.

    Raises OpdeployError where it is refused, TransientError where it breaks off.
    """
    import requests

    if urlsplit(stream).scheme != "https":  # who is on the way would get the token
        raise OpdeployError(f"{stream}: is no https:// address, and gets no token; see the logs in the portal")
    asked = {"follow": str(follow).lower(), "tailLines": str(min(tail, _MOST_LINES)), "output": "text"}
    headers = {"Authorization": f"Bearer {token}"}
    host = urlsplit(stream).netloc
    try:
        with requests.get(stream, params=asked, headers=headers, stream=True, timeout=(_CONNECT_S, seconds)) as answer:
            if not answer.ok:
                raise OpdeployError(f"{host}: does not tell the log: {answer.status_code}; see it in the portal")
            for line in answer.iter_lines(decode_unicode=True):
                yield line if isinstance(line, str) else line.decode(errors="replace")
    except requests.RequestException as error:
        raise TransientError(f"{host}: got no answer: {type(error).__name__}; check the network") from None
