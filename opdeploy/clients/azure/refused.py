"""What Azure says when it refuses, in words that tell what to do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.clients.azure.advice import ELSE, advice
from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 600
"""Characters of a message that are shown."""
_BUSY = {408, 429, 500, 502, 503, 504}
"""Statuses after which the same may succeed a little later, as those of azure-core 1.41.0 that it sends a request again
for (azure.core.pipeline.policies.RetryPolicy, read 2026-11-26)."""
_ENTRA = "AADSTS"
"""What the codes of Entra begin with."""


class RefusedError(OpdeployError):
    """Azure refused a request."""

    def __init__(self, message: str, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    @property
    def is_of_request(self) -> bool:
        """Whether the request was refused, rather than that what it began has failed."""
        return self.status is not None and self.status >= HTTPStatus.BAD_REQUEST


class BrokenOffError(TransientError):
    """An answer broke off in its middle: the request took effect."""


class Refusal(NamedTuple):
    """What a reply says."""

    code: str
    message: str
    request: str
    """Id of the request, which Microsoft's support asks for."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise what an SDK of Azure raises in the block as RefusedError, or as TransientError where no answer came."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        yield
    except (ServiceRequestError, ServiceResponseError) as error:
        said = _line(str(error))
        raise TransientError(f"{what}: Azure was not reached: {said}; check the network, and try again") from None
    except IncompleteReadError as error:
        said = _line(str(error))
        raise BrokenOffError(f"{what}: the answer broke off: {said}; check the network, and try again") from None
    except ClientAuthenticationError as error:
        if error.response is None:
            lines = str(error).splitlines()  # one for each way to sign in; a refusal of Entra tells most
            said = _line(next((line for line in lines if _ENTRA in line), lines[0] if lines else ""))
            raise RefusedError(f"{what}: nobody is signed in to Azure: {said}; sign in with: az login") from None
        raise _worded(what, error) from None
    except HttpResponseError as error:
        raise _worded(what, error) from None
    except AzureError as error:
        raise RefusedError(f"{what}: {_line(str(error))}; {ELSE}") from None


@contextmanager
def once(what: str) -> Iterator[None]:
    """As `explained`, for what no SDK sends again by itself: raises TransientError also where the service is busy."""
    try:
        with explained(what):
            yield
    except RefusedError as error:
        if error.status in _BUSY:
            raise TransientError(str(error)) from None
        raise


def finished(poller: Any, what: str, seconds: float) -> Any:  # noqa: ANN401 - of an SDK
    """Wait until a long operation has ended, and return what came of it.

    Raises what the SDK raises where it fails, and TransientError where it goes on after so many seconds.
    """
    poller.wait(seconds)
    if not poller.done():
        raise TransientError(f"{what}: is still under way after {seconds / 60:g} minutes; run the same command again")
    return poller.result()


def _worded(what: str, error: Any) -> RefusedError:  # noqa: ANN401 - an error of azure-core
    told = refusal(error)
    status = error.status_code
    request = f" (request {told.request})" if told.request else ""
    todo = advice(told.code, told.message)
    return RefusedError(f"{what}: {told.code}: {told.message}{request}; {todo}", told.code, status)


def refusal(error: Any) -> Refusal:  # noqa: ANN401 - an error of azure-core
    """Return what a reply says: the innermost code that names a cause, and the message beside it.

    The form is that of the Azure REST API guidelines: `{"error": {"code", "message", "details": […]}}`, also in the
    status of an operation.
    """
    response = error.response
    try:
        document = json.loads(response.text())
    except (ValueError, AttributeError, TypeError):
        document = None
    inner = document.get("error", document) if isinstance(document, dict) else None
    found = inner if isinstance(inner, dict) else {}
    while isinstance(found.get("details"), list) and found["details"] and isinstance(found["details"][0], dict):
        deeper = found["details"][0]
        if not (deeper.get("code") and deeper.get("message")):
            break
        found = deeper
    headers = response.headers if response is not None else {}
    named = headers.get("x-ms-error-code")  # Blob Storage answers with XML
    code = str(found.get("code") or found.get("Code") or named or f"HTTP {error.status_code}")
    message = str(found.get("message") or found.get("Message") or error.reason or "it gave no reason")
    return Refusal(
        code, _line(message), str(headers.get("x-ms-request-id") or headers.get("x-ms-correlation-request-id") or "")
    )


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST].rstrip(".;")
