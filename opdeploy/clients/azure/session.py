"""A connection to Azure: who signs in, which subscription, and the clients of its SDKs, each made when it is needed."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opdeploy import __version__
from opdeploy.clients.azure.refused import explained
from opdeploy.clients.azure.signed import claims
from opdeploy.errors import OpdeployError
from opdeploy.targets.azure.kinds import Sdk

if TYPE_CHECKING:
    from opdeploy.clients.azure.cloud import Cloud

_ANY = Sdk("resource.resources", "ResourceManagementClient", "resources")
"""The operations for resources of any kind."""
POLL_S = 5
"""Seconds between two looks at an operation, where Azure does not say when to look."""
_TRIES = 5
"""Of a request whose answer did not come, or asked for another; with pauses that grow, or as long as was asked for."""


class Session:
    """A connection to a subscription; nothing is asked before it is used."""

    def __init__(self, cloud: Cloud, subscription: str, credential: Any = None) -> None:  # noqa: ANN401 - a credential
        """Take a cloud, the id of a subscription, and who signs in; that is looked for where it is not given.

        Who is given is closed by whoever gave it.
        """
        self.cloud = cloud
        self.subscription = subscription
        self.credential = credential or _found(cloud)
        self._is_own = credential is None
        self._clients: dict[str, Any] = {}

    @property
    def any(self) -> Any:  # noqa: ANN401 - an SDK's client
        """The client for resources of any kind."""
        return self._client(_ANY)

    def operations(self, sdk: Sdk | None) -> Any:  # noqa: ANN401 - an SDK's operations
        """Return the operations that carry a kind."""
        chosen = sdk or _ANY
        return getattr(self._client(chosen), chosen.operations)

    def token(self, audience: str) -> str:
        """Return a token for an audience; raises RefusedError where nobody is signed in."""
        with explained("sign-in"):
            return str(self.credential.get_token(f"{audience}/.default").token)

    def who(self) -> str:
        """Return who signs in, as the token says; raises RefusedError where nobody does."""
        told = claims(self.token(self.cloud.audience))
        named = (told.get(name) for name in ("upn", "unique_name", "appid", "oid"))
        return next((str(name) for name in named if name), "somebody whom the token does not name")

    def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            client.close()
        if self._is_own:
            self.credential.close()

    def _client(self, sdk: Sdk) -> Any:  # noqa: ANN401 - an SDK's client
        if sdk.package not in self._clients:
            try:
                module = import_module(f"azure.mgmt.{sdk.package}")
            except ImportError:
                package = f"azure-mgmt-{sdk.package.partition('.')[0]}"
                raise OpdeployError(
                    f"{package} is not installed; install opdeploy with its extra: opdeploy[azure]"
                ) from None
            self._clients[sdk.package] = getattr(module, sdk.client)(
                self.credential,
                self.subscription,
                base_url=self.cloud.resource_manager,
                credential_scopes=[f"{self.cloud.audience}/.default"],
                user_agent=f"opdeploy/{__version__}",
                polling_interval=POLL_S,
                retry_total=_TRIES,
            )
        return self._clients[sdk.package]


def _found(cloud: Cloud) -> Any:  # noqa: ANN401 - a token credential of azure-identity
    """Return who signs in: the environment, a workload's or managed identity, or who has done so with az or azd."""
    try:
        from azure.identity import DefaultAzureCredential
    except ImportError:
        raise OpdeployError(
            "azure-identity is not installed; install opdeploy with its extra: opdeploy[azure]"
        ) from None
    logging.getLogger("azure").addHandler(logging.NullHandler())  # what it warns of is in its errors, told in a line
    return DefaultAzureCredential(
        authority=cloud.authority, disable_instance_discovery=not cloud.is_known, process_timeout=60
    )
