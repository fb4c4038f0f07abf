"""What goes wrong between opdeploy and an engine, in one line."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class NoEngineError(OpdeployError):
    """No Docker engine answers here."""


@contextmanager
def explained(what: str, advice: str) -> Iterator[None]:
    """Raise OpdeployError, with what was done and what to do about it, for any error of the SDK or the connection.

    It is a TransientError where the connection failed.
    """
    from docker.errors import DockerException
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import RequestException, Timeout
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (DockerException, RequestException, HTTPError, OSError) as error:  # HTTPError: of a stream that breaks off
        kind = TransientError if isinstance(error, NoConnection | Timeout) else OpdeployError
        raise kind(f"{what}: {reason(error)}; {advice}") from error


def within(seconds: float, what: str, call: Callable[[], T]) -> T:
    """Return what a call returns that has no time-out of its own; raises TransientError where it takes longer."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            errors.append(error)

    waiting = threading.Thread(target=run, daemon=True)  # whose end nobody waits for
    waiting.start()
    waiting.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TransientError(f"{what}: the engine did not answer within {seconds:g} s; see that it is not paused")
    return results[0]


def reason(error: BaseException) -> str:
    """Return what an error of the SDK says, on one line: the engine's own words where it answered."""
    words = getattr(error, "explanation", None) or str(error) or type(error).__name__
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split()).rstrip(".;")
