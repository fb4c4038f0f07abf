"""What Azure says when it refuses, in words that tell what to do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.errors import OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 600
"""Characters of a message that are shown."""
_NOT_FOUND = 404
_TO_DO = {
    "AuthorizationFailed": "have somebody give you a role with that right there (az role assignment create)",
    "LinkedAuthorizationFailed": "have somebody give you a role with that right on what is named there",
    "InvalidAuthenticationToken": "sign in again: az login",
    "ExpiredAuthenticationToken": "sign in again: az login",
    "SubscriptionNotFound": "name a subscription that you may use: az account list",
    "DisallowedProvider": "take a subscription that may use this provider",
    "MissingSubscriptionRegistration": "register the provider: az provider register --namespace NAME",
    "RequestDisallowedByPolicy": "ask who manages the policy that is named there, or take what it allows",
    "QuotaExceeded": "ask for more quota in the portal, or take another region or a smaller size",
    "OperationNotAllowed": "ask for more quota in the portal, or take another region or a smaller size",
    "SkuNotAvailable": "take another size or another region",
    "NotAvailableForSubscription": "take another size or another region",
    "LocationNotAvailableForResourceType": "take one of the regions that are named there",
    "ServiceUnavailable": "try again later, or take another region",
    "InaccessibleImage": "see that the image is in its registry, and that the identity may pull it",
    "DnsNameLabelTaken": "take another deploy.aci.dns_label",
    "RegistryErrorResponse": "the registry did not answer; try again",
    "ScopeLocked": "remove the lock that is named there, or ask who set it",
    "ReservedResourceName": "take another --name",
    "ResourceGroupBeingDeleted": "wait until that is gone, or take another group with --resource-group",
    "RoleAssignmentExists": "remove the assignment of that role that is there, or name the identity that has it",
    "AuthorizationPermissionMismatch": "have somebody give you the role Storage Blob Data Contributor on the container",
    "AuthorizationFailure": "see that the network of the storage account lets you in, and that you have a role there",
    "ContainerNotFound": "make the container (az storage container create), or name another with deploy.state",
    "PrincipalNotFound": "run the command again: the identity was made a moment ago",
}
"""What to do about a code of Azure Resource Manager, or of one of its services."""
_ELSE = "see what it says, and run the command again"


class RefusedError(OpdeployError):
    """Azure refused a request."""

    def __init__(self, message: str, code: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


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
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        yield
    except (ServiceRequestError, ServiceResponseError) as error:
        said = _line(str(error))
        raise TransientError(f"{what}: Azure was not reached: {said}; check the network, and try again") from None
    except ClientAuthenticationError as error:
        if error.response is None:
            said = _line(str(error).partition("\n")[0])
            raise RefusedError(f"{what}: nobody is signed in to Azure: {said}; sign in with: az login") from None
        raise _worded(what, error) from None
    except HttpResponseError as error:
        raise _worded(what, error) from None
    except AzureError as error:
        raise RefusedError(f"{what}: {_line(str(error))}; {_ELSE}") from None


def _worded(what: str, error: Any) -> RefusedError:  # noqa: ANN401 - an error of azure-core
    told = refusal(error)
    status = error.status_code
    request = f" (request {told.request})" if told.request else ""
    todo = _TO_DO.get(told.code, _ELSE)
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


def is_missing(error: Any) -> bool:  # noqa: ANN401 - an error of azure-core
    """Tell whether an error says that there is no such thing."""
    return getattr(error, "status_code", None) == _NOT_FOUND


def _line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST].rstrip(".;")
