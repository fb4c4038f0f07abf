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
_BY_VARIABLES = "EnvironmentCredential: Authentication failed: "
"""How DefaultAzureCredential tells that the variables AZURE_… name somebody who was refused (azure-identity 1.27.0,
read 2026-11-26)."""
_SECRET = ("AADSTS7000215", "AADSTS7000222")
"""Codes of a client secret that is wrong, or has expired (aztokenwatch.com/blog/
fix-aadsts7000215-invalid-client-secret, of 2026-06-11, read 2026-11-26)."""
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"
"""What OpenSSL says of a certificate of an authority that is not known."""
_UNKNOWN = ("Failed to resolve", "Tunnel connection failed: 50")
"""What urllib3 2.8.0 says of a host that nobody knows, and http.client of one that a proxy did not reach."""


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
def explained(what: str, named: str = "") -> Iterator[None]:
    """Raise what an SDK of Azure raises in the block as RefusedError, or as TransientError where no answer came.

    `named` is what is asked that a setting names, with that, such as `Key Vault keys (deploy.azure.key_vault)`.
    """
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
        raise unreached(what, str(error), named) from None
    except IncompleteReadError as error:
        said = _line(str(error))
        raise BrokenOffError(f"{what}: the answer broke off: {said}; check the network, and try again") from None
    except ClientAuthenticationError as error:
        if error.response is None:
            raise _unsigned(what, str(error)) from None
        raise _worded(what, error) from None
    except HttpResponseError as error:
        raise _worded(what, error) from None
    except AzureError as error:
        raise RefusedError(f"{what}: {_line(str(error))}; {ELSE}") from None


def unreached(what: str, said: str, named: str = "") -> OpdeployError:
    """Return the error that tells why no answer came: RefusedError where the same cannot succeed a little later."""
    if _UNTRUSTED in said:
        return RefusedError(
            f"{what}: the certificate that was shown is of no authority that is trusted here ({_UNTRUSTED}); name the "
            "file with those of your network: REQUESTS_CA_BUNDLE=FILE and SSL_CERT_FILE=FILE"
        )
    if named and any(words in said for words in _UNKNOWN):
        return TransientError(f"{what}: there is no {named} whose name is known here; name one that is there")
    who = named or "Azure"
    return TransientError(f"{what}: {who} was not reached: {_line(said)}; check the network, and try again")


def _unsigned(what: str, said: str) -> OpdeployError:
    """Return the error that tells why nobody is signed in, of lines each of which tells of a way to do so."""
    if _UNTRUSTED in said:
        return unreached(what, said)
    lines = said.splitlines() or [""]
    told = next((line for word in (_ENTRA, _BY_VARIABLES) for line in lines if word in line), lines[0])
    todo = "sign in with: az login"
    if _BY_VARIABLES in told:
        is_secret = any(code in told for code in _SECRET)
        wrong = "AZURE_CLIENT_SECRET" if is_secret else "AZURE_CLIENT_ID and what goes with it"
        todo = f"set the right {wrong}, or unset AZURE_CLIENT_ID and {todo}"
    return RefusedError(f"{what}: nobody is signed in to Azure: {_line(told)}; {todo}")


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
