"""Azure Resource Manager: resources are looked at, made and removed, and told to do things; their bodies are JSON.

What carries a body is an SDK: that of the resource's kind, where the kind names one.
"""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.refused import BrokenOffError, RefusedError, explained, finished, once
from opdeploy.clients.azure.session import POLL_S
from opdeploy.errors import OpdeployError, TransientError
from opdeploy.targets.azure.kinds import GROUP, kind_of, name_of, names_of
from opdeploy.targets.azure.steps import MADE_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.clients.azure.session import Session
    from opdeploy.targets.azure.kinds import Kind

_FAILED = 400
_ENDED = {None, "Succeeded", "Failed", "Canceled"}
"""States of a resource with which nothing is being done (learn.microsoft.com/azure/azure-resource-manager/management/
async-operations, "provisioningState values", read 2026-11-26); not every kind has one."""
UNDER_WAY = {
    "AnotherOperationInProgress",
    "ContainerAppOperationInProgress",
    "ContainerGroupTransitioning",
    "DeploymentActive",
    "DeploymentActiveAndUneditable",
    "ManagedEnvironmentOperationInProgress",
}
"""What is said of a resource with which something is being done already: tests/azure/refusals.yaml has where each is
documented, but for ContainerAppOperationInProgress, which is in no reference: it was read in public logs 2026-11-26."""
_TRIES, _ASKED = 6, 3
"""Tries of what is refused for that, and of a question that got no answer: a choice of ours."""
_BETWEEN_S = 1.0
"""Seconds between two looks, and before what was refused is tried again, which doubles each time: a choice of ours."""
SLOW_S = {"cluster": 5400.0, "node pool": 3600.0, "resource group": 5400.0, "virtual machine": 2700.0}
"""Seconds within which an operation ends, of kinds that take longer than others: what Terraform gives them
(github.com/hashicorp/terraform-provider-azurerm, website/docs/r, "Timeouts", read 2026-11-26); a group takes as long as
what is in it."""


class Arm:
    """Resources of a subscription, by their ids."""

    def __init__(self, session: Session) -> None:
        """Take a connection."""
        self.session = session
        self.changes = 0
        """How often something was changed: what was seen before may be so no more."""

    def find(self, resource: str) -> dict[str, Any] | None:
        """Return a resource as it is; None where there is none."""
        kind = _kind(resource)
        try:
            found: dict[str, Any] = self.ask("GET", resource, kind.api)
            if kind.apart:
                name, path = kind.apart
                found["properties"][name] = self.ask("GET", f"{resource}/{path}", kind.api)["properties"]
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def settled(self, resource: str) -> dict[str, Any] | None:
        """Return a resource once nothing is being done with it, as by a command that was killed; None if there is none.

        Raises TransientError where that takes too long.
        """
        until = time.monotonic() + _seconds(_kind(resource))
        while (found := self.find(resource)) is not None and _state(found) not in _ENDED:
            if time.monotonic() > until:
                raise TransientError(f"{name_of(resource)}: is still {_state(found)}; try again later")
            time.sleep(_BETWEEN_S)
        return found

    def put(self, resource: str, body: Mapping[str, Any]) -> None:
        """Have a resource be as a body says, and wait until it is; raises RefusedError where Azure refuses.

        Raises TransientError where it was taken and is not to be seen yet: the same may be asked for again.
        """
        kind = _kind(resource)
        content = json.dumps(body).encode()
        operations = self.session.operations(kind.sdk)

        def begin() -> Any:  # noqa: ANN401 - of an SDK
            if kind.sdk:
                made = getattr(operations, kind.sdk.put)
                return made(*names_of(resource), content, content_type="application/json", cls=_nothing)
            return operations.begin_create_or_update_by_id(
                resource, content, api_version=kind.api, content_type="application/json", cls=_nothing
            )

        self._done(resource, "made", begin)

    def patch(self, resource: str, body: Mapping[str, Any]) -> None:
        """Change what a body has of a resource, and wait until it is so; raises RefusedError where Azure refuses."""
        content, api = json.dumps(body).encode(), _kind(resource).api
        operations = self.session.operations(None)
        self._done(
            resource,
            "changed",
            lambda: operations.begin_update_by_id(
                resource, content, api_version=api, content_type="application/json", cls=_nothing
            ),
        )

    def delete(self, resource: str) -> None:
        """Remove a resource, and wait until it is gone; none is no error."""
        kind = _kind(resource)
        operations = self.session.operations(kind.sdk)

        def begin() -> Any:  # noqa: ANN401 - of an SDK
            if kind.sdk:
                keeps = {kind.sdk.keeps: False} if kind.sdk.keeps else {}
                return getattr(operations, kind.sdk.delete)(*names_of(resource), cls=_nothing, **keeps)
            return operations.begin_delete_by_id(resource, api_version=kind.api, cls=_nothing)

        self._done(resource, "removed", begin, makes=False)

    def _done(self, resource: str, done: str, begin: Callable[[], Any], *, makes: bool = True) -> None:
        """Begin something with a resource, and wait until it is done; only what `makes` one begins where there is none.

        Where an answer got lost, and the SDK's own second try finds the first one under way, that is waited for.
        """
        kind = _kind(resource)
        what = f"{kind.name} {name_of(resource)}"
        for number in range(1, _TRIES + 1):
            if self.settled(resource) is None and not makes:
                return
            self.changes += 1
            is_taken = False
            try:
                with explained(f"{what} was not {done}"):
                    poller = begin()
                    is_taken = True
                    if poller:  # what is done at once has none
                        finished(poller, what, _seconds(kind))
            except RefusedError as error:
                if is_taken and makes and error.status == HTTPStatus.NOT_FOUND:
                    raise unseen(resource) from None
                if number == _TRIES or error.code not in UNDER_WAY:
                    raise
                time.sleep(_BETWEEN_S * 2**number)
            except BrokenOffError:  # after which no SDK sends a request again
                if number == _TRIES:
                    raise
            else:
                return

    def act(self, resource: str, action: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Have a resource do something, and return what came of it once it has; raises RefusedError where it fails."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.polling import LROPoller
        from azure.core.rest import HttpRequest
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        address = f"{self.session.cloud.resource_manager}{resource}/{action}"
        request = HttpRequest("POST", address, params={"api-version": _kind(resource).api}, json=body)
        client = self.session.any._client  # noqa: SLF001 - by which the SDK's own operations send and poll
        what = f"{action} of {name_of(resource)}"
        with once(f"{what} failed"):
            begun = client.send_request(request, _return_pipeline_response=True, retry_total=0)
            if begun.http_response.status_code >= _FAILED:
                raise HttpResponseError(response=begun.http_response)
            poller = LROPoller(client, begun, _content, ARMPolling(POLL_S))
            return finished(poller, what, _seconds(_kind(resource)))

    def ask(
        self,
        method: str,
        path: str,
        api: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        """Send one request, and return the JSON of the answer; raises RefusedError where Azure refuses.

        A POST may begin something, and is sent once: where the service is busy, that is a TransientError, too.
        """
        if method == "POST":
            with once(f"{method} {path}"):
                return self._answer(method, path, api, body, query, retry_total=0)
        with explained(f"{method} {path}"):
            return self._answer(method, path, api, body, query)

    def _answer(
        self,
        method: str,
        path: str,
        api: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, str] | None,
        **sent: int,
    ) -> Any:  # noqa: ANN401 - any JSON
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        address = path if path.startswith("https://") else f"{self.session.cloud.resource_manager}{path}"
        parameters = {} if path.startswith("https://") else {"api-version": api, **(query or {})}
        request = HttpRequest(method, address, params=parameters, json=body)
        response = self.session.any.send_request(request, **sent)
        if response.status_code >= _FAILED:
            raise HttpResponseError(response=response)
        return response.json() if response.content else None

    def told(
        self, path: str, api: str, body: Mapping[str, Any] | None = None, query: Mapping[str, str] | None = None
    ) -> Any:  # noqa: ANN401 - any JSON
        """Return what is told to who asks with POST: that changes nothing, and is asked again where no answer came."""
        for left in reversed(range(_ASKED)):
            try:
                with explained(f"POST {path}"):
                    return self._answer("POST", path, api, body, query)
            except TransientError:
                if not left:
                    raise
        raise AssertionError

    def every(self, path: str, api: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        answer = self.ask("GET", path, api, query=query)
        while True:
            yield from answer.get("value", ())
            further = answer.get("nextLink")
            if not further:
                return
            if not further.startswith(f"{self.session.cloud.resource_manager}/"):  # which would get the token too
                raise OpdeployError(f"{path}: the list goes on at {further}, which is not Azure; try again")
            answer = self.ask("GET", further, api)

    def tagged(self, group: str | None, tags: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield what has these tags, in a group or in the whole subscription: its id, type, region and tags.

        Where there is no such group, nothing has. All are listed and chosen here: where Azure chooses by a tag, it
        tells no tags (azure-mgmt-resource 26.0.0, resources.list, read 2026-11-26).
        """
        scope = f"/subscriptions/{self.session.subscription}{f'/resourceGroups/{group}' if group else ''}"
        for item in self._listed(scope, is_whole=group is None):
            if tags.items() <= (item.get("tags") or {}).items():
                yield item

    def _listed(self, scope: str, *, is_whole: bool) -> Iterator[dict[str, Any]]:
        try:
            yield from self.every(f"{scope}/resources", GROUP.api)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
        if is_whole:
            yield from self.every(f"{scope}/resourcegroups", GROUP.api)


def unseen(resource: str) -> TransientError:
    """Return what says that a resource was made, and is not to be seen yet: not all of Azure knows it at once."""
    return TransientError(f"{name_of(resource)}: is not to be seen yet; try again")


def _content(answer: Any) -> Any:  # noqa: ANN401 - of azure-core
    response = answer.http_response
    return json.loads(response.text()) if response.text() else None


def _state(found: Mapping[str, Any]) -> str | None:
    state = (found.get("properties") or {}).get("provisioningState")
    return state if isinstance(state, str) else None


def _nothing(*_: object) -> None:
    """Leave an answer as it is: who wants to know what a resource is like asks for it."""


def _seconds(kind: Kind) -> float:
    """Return within how many seconds what is done with a resource of a kind ends."""
    return SLOW_S.get(kind.name, MADE_S)


def _kind(resource: str) -> Kind:
    found = kind_of(resource)
    if found is None:
        raise OpdeployError(f"{resource}: is of a kind that opdeploy does not know; remove it by hand")
    return found
