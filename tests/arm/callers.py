"""Microsoft's own clients, signed in to the stand-in, and what tests ask with them."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from azure.identity import DefaultAzureCredential
from azure.mgmt.containerinstance import ContainerInstanceManagementClient
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.web import WebSiteManagementClient

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

    from tests.arm.arm import Arm

GROUPS = "2022-09-01"


class Caller:
    """Clients of a cloud; tests ask for JSON, as the REST reference has it."""

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.credential = DefaultAzureCredential(
            disable_instance_discovery=True, exclude_managed_identity_credential=True
        )
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.credential.close()

    def _client(self, kind: Any, **more: Any) -> Any:  # noqa: ANN401 - clients of several packages
        where = {"base_url": self.arm.url, "credential_scopes": [f"{self.arm.url}/.default"]}
        return self._stack.enter_context(kind(self.credential, self.arm.subscription, **where, **more))

    @cached_property
    def resources(self) -> ResourceManagementClient:
        """The client that carries every type; it does not try again by itself."""
        found: ResourceManagementClient = self._client(ResourceManagementClient, retry_total=0)
        return found

    @cached_property
    def containers(self) -> Any:  # noqa: ANN401 - of azure.mgmt.containerinstance, which has no types
        """The client of Container Instances."""
        return self._client(ContainerInstanceManagementClient)

    @cached_property
    def web(self) -> Any:  # noqa: ANN401 - its types do not tell that it takes JSON
        """The client of App Service."""
        return self._client(WebSiteManagementClient)

    @cached_property
    def clusters(self) -> Any:  # noqa: ANN401 - likewise
        """The client of AKS."""
        return self._client(ContainerServiceClient)

    def path(self, kind: str, name: str, below: str = "") -> str:
        """Return the id of a resource in the group; `below` is another's id."""
        return f"{below or f'{self.arm.scope}/resourceGroups/g'}/providers/{kind}/{name}"

    def group(self, name: str = "g", **tags: str) -> None:
        """Make a group."""
        self.resources.resource_groups.create_or_update(name, {"location": "westeurope", "tags": tags})

    def put(self, path: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make a resource, and wait for it."""
        done = self.resources.resources.begin_create_or_update_by_id(path, body, api_version=version)
        found: dict[str, Any] = done.result().as_dict()
        return found

    def get(self, path: str, version: str) -> dict[str, Any]:
        """Return a resource."""
        found: dict[str, Any] = self.resources.resources.get_by_id(path, api_version=version).as_dict()
        return found

    def delete(self, path: str, version: str) -> None:
        """Delete a resource, and wait for that."""
        self.resources.resources.begin_delete_by_id(path, api_version=version).result()

    def ask(
        self, method: str, path: str, version: str = GROUPS, body: object = None
    ) -> tuple[int, Any, dict[str, str]]:
        """Send a request without any client, and return status, body and headers."""
        token = self.credential.get_token(f"{self.arm.url}/.default").token
        address = path if path.startswith("https:") else f"{self.arm.url}{path}"
        address += "" if "api-version" in address else f"{'&' if '?' in address else '?'}api-version={version}"
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return sent(self.arm, method, address, content, headers)

    def identity(self, name: str = "puller") -> dict[str, Any]:
        """Make an identity."""
        path = self.path("Microsoft.ManagedIdentity/userAssignedIdentities", name)
        return self.put(path, "2024-11-30", {"location": "westeurope", "properties": {}})

    def registry(self, name: str = "models", **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Make a registry."""
        body = {"location": "westeurope", "sku": {"name": "Basic"}, "properties": properties}
        return self.put(self.path("Microsoft.ContainerRegistry/registries", name), "2025-11-01", body)

    def assign(self, scope: str, principal: str, role: str, kind: str | None = "ServicePrincipal") -> dict[str, Any]:
        """Give a role."""
        role_id = f"{self.arm.scope}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        own = {"roleDefinitionId": role_id, "principalId": principal} | ({"principalType": kind} if kind else {})
        name = f"{role[:8]}-0000-0000-0000-{principal[-12:]}"
        return self.put(
            self.path("Microsoft.Authorization/roleAssignments", name, scope), "2022-04-01", {"properties": own}
        )


def sent(
    arm: Arm, method: str, address: str, content: bytes | None, headers: dict[str, str]
) -> tuple[int, Any, dict[str, str]]:
    """Send a request, and return status, body and headers."""
    context = ssl.create_default_context(cafile=str(arm.authorities))
    request = urllib.request.Request(address, content, headers, method=method)  # noqa: S310 - it is https
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as response:  # noqa: S310 - likewise
            return response.status, _body(response.read()), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _body(error.read()), dict(error.headers)


def _body(content: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content


def code_of(error: HttpResponseError) -> str:
    """Return the code in an error."""
    return str(error.error.code if error.error else "")
