"""Answers of Azure Resource Manager, and errors in its words."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """A status, a body that is written as JSON (or bytes as they are), and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Drop(Enum):
    """Where a connection breaks off."""

    BEFORE = "before the request took effect"
    AFTER = "after it took effect, before any answer"
    MIDDLE = "in the middle of the answer's body"


@dataclass(frozen=True)
class Ending:
    """How a long operation ends that was begun as usual; without a code it ends only when it is released."""

    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Late:
    """An answer in the place of the right one, after the request took effect."""

    answer: Answer


NEVER = Ending()
"""The operation does not end until `Arm.release` is called."""


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that is answered with an error."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an error in the form of Resource Manager."""
    return Answer(status, {"error": {"code": code, "message": message}}, headers or {})


def refused(status: int, code: str, message: str) -> Refused:
    """Return an error to raise."""
    return Refused(error(status, code, message))


def denied(client: str, principal: str, action: str, scope: str) -> Answer:
    """Return the refusal of who may not do something."""
    return error(
        403,
        "AuthorizationFailed",
        f"The client '{client}' with object id '{principal}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
        "your credentials.",
    )


def throttled(seconds: int = 1) -> Answer:
    """Return the refusal of who asks too often."""
    return error(
        429,
        "SubscriptionRequestsThrottled",
        "Number of requests for subscription and operation group exceeded the limits. "
        f"Please try again after '{seconds}' seconds.",
        {"Retry-After": str(seconds)},
    )


def unavailable(status: int = 503) -> Answer:
    """Return what is answered when the service itself fails."""
    if status == 500:
        return error(500, "InternalServerError", "Encountered internal server error. Diagnostic information: ''.")
    return error(status, "ServerTimeout", "The request timed out. Please try again later.")


def web_error(status: int, code: str, message: str) -> Answer:
    """Return an error in the form of App Service, which has one of its own."""
    details = [{"Message": message}, {"Code": code}, {"ErrorEntity": {"Code": code, "Message": message}}]
    return Answer(status, {"Code": code, "Message": message, "Target": None, "Details": details, "Innererror": None})


def no_plan_quota(tier: str = "PremiumV3", required: int = 1) -> Answer:
    """Return App Service's refusal of a plan that exceeds a quota, which is a 401."""
    text = (
        f"Current Limit ({tier} VMs): 0 Current Usage: 0 Amount required for this deployment ({tier} VMs): {required}"
    )
    return web_error(401, "Unauthorized", f"Operation cannot be completed without additional quota. {text}")


def quota(region: str, name: str = "StandardCores", limit: int = 10, usage: int = 10, requested: int = 1) -> Answer:
    """Return Container Instances' refusal of what exceeds a quota."""
    return error(
        409,
        "ContainerGroupQuotaReached",
        f"Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota '{name}' exceeded in "
        f"region '{region}'. Limit: '{limit}', Usage: '{usage}' Requested: '{requested}'.",
    )


def no_capacity(region: str, cpu: float = 1, memory: float = 1) -> Answer:
    """Return Container Instances' refusal where a region has no room."""
    return error(
        409,
        "ServiceUnavailable",
        f"The requested resource is not available in the location '{region}' at this moment. Please retry with a "
        f"different resource request or in another location. Resource requested: '{cpu}' CPU '{memory}' GB memory "
        "'Linux' OS",
    )


def cores(region: str, limit: int = 10, usage: int = 8, required: int = 4, family: str = "") -> Answer:
    """Return the refusal of machines that exceed a quota of cores."""
    return error(
        409,
        "OperationNotAllowed",
        f"Operation could not be completed as it results in exceeding approved {family or 'Total Regional'} Cores "
        f"quota. Additional details - Deployment Model: Resource Manager, Location: {region}, Current Limit: {limit}, "
        f"Current Usage: {usage}, Additional Required: {required}, (Minimum) New Limit Required: {usage + required}.",
    )


def malformed(message: str) -> Refused:
    """Return the refusal of a body that cannot be read."""
    return refused(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: '{message}'."
    )
