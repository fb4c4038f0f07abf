"""What goes wrong between opdeploy and an engine, in one line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoEngineError(OpdeployError):
    """No Docker engine answers here."""


@contextmanager
def explained(what: str, advice: str) -> Iterator[None]:
    """Raise OpdeployError, with what was done and what to do about it, for any error of the SDK or the connection."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException, OSError) as error:
        raise OpdeployError(f"{what}: {reason(error)}; {advice}") from error


def reason(error: BaseException) -> str:
    """Return what an error of the SDK says, on one line: the engine's own words where it answered."""
    words = getattr(error, "explanation", None) or str(error) or type(error).__name__
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split()).rstrip(".;")
