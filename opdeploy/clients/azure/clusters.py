"""Managed clusters: how they stand, and the connection to what is in them."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.runs import Running, Runs
from opdeploy.errors import InputError, NotFoundError, OpdeployError
from opdeploy.targets.aks.bodies import CLUSTER, POOL, called, id_of
from opdeploy.targets.azure.kinds import KINDS, group_of, kind_of, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opdeploy.clients.azure.arm import Arm
    from opdeploy.clients.azure.within import Within
    from opdeploy.clients.kubernetes import Api
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import State
    from opdeploy.targets.azure.names import Where

_API = KINDS[CLUSTER].api


def found(arm: Arm, settings: Deploy) -> Deploy:
    """Return settings in which the cluster that is named is so by its id, with its group and region where none is.

    Raises InputError where there is no one cluster of the name in the subscription.
    """
    named = settings.aks.cluster
    if not named:
        return settings
    chosen = settings.azure
    if not named.startswith("/"):
        named = _id(arm, named, chosen.resource_group)
    if named.split("/")[2].lower() != arm.session.subscription.lower():
        raise InputError(f"deploy.aks.cluster: {named}: is in another subscription; say which with --subscription")
    there = arm.find(named)
    more = {"resource_group": chosen.resource_group or name_of(group_of(named))}
    if there and not chosen.location:
        more["location"] = there["location"]
    aks = settings.aks.model_copy(update={"cluster": named})
    return settings.model_copy(update={"aks": aks, "azure": chosen.model_copy(update=more)})


def _id(arm: Arm, name: str, group: str | None) -> str:
    scope = f"/subscriptions/{arm.session.subscription}"
    if group:
        return KINDS[CLUSTER].id(f"{scope}/resourceGroups/{group}", name)
    every = [*arm.every(f"{scope}/providers/{KINDS[CLUSTER].type}", _API)]
    same = [str(item["id"]) for item in every if str(item["name"]).lower() == name.lower()]
    if len(same) == 1:
        return same[0]
    groups = ", ".join(name_of(group_of(item)) for item in same)
    if same:
        raise InputError(f"deploy.aks.cluster: {name}: is in several groups: {groups}; say which with --resource-group")
    known = ", ".join(sorted(str(item["name"]) for item in every)[:5]) or "none"
    raise InputError(f"deploy.aks.cluster: {name}: there is no such cluster; there are: {known}; or leave it out")


class Clusters(Runs):
    """The clusters of deployments, each connected to once it is needed; servers are those that are in them."""

    tls = False

    def __init__(self, arm: Arm, settings: Deploy, make: Callable[[Api], Within]) -> None:
        """Take a connection to Azure, the settings, and what looks at a cluster once there is a connection to it."""
        self._arm = arm
        self._settings = settings
        self._make = make
        self._open: dict[str, tuple[ExitStack, Within]] = {}

    def id(self, at: Where) -> str:
        """Return the id of a deployment's cluster."""
        return self._settings.aks.cluster or at.id(CLUSTER, name_of(id_of(self._settings, at.deployment)))

    def there(self, at: Where) -> dict[str, Any] | None:
        """Return the cluster as Azure has it; None where there is none, and then there is no connection to it."""
        there = self._arm.find(self.id(at))
        if there is None:
            self.forget(at)
        return there

    def inside(self, at: Where) -> Within:
        """Return what is in the cluster of a deployment.

        Raises NotFoundError where there is no cluster, OpdeployError where nobody is let into it.
        """
        resource = self.id(at)
        if resource not in self._open:
            if self._arm.find(resource) is None:
                raise NotFoundError(f"cluster {name_of(resource)}: is not there; deploy again")
            with ExitStack() as stack:
                api = stack.enter_context(self._connected(resource))
                cluster = self._make(api)
                stack.callback(cluster.close)
                self._open[resource] = (stack.pop_all(), cluster)
        return self._open[resource][1]

    def forget(self, at: Where) -> None:
        """Close the connection to a cluster."""
        stack, _ = self._open.pop(self.id(at), (None, None))
        if stack:
            stack.close()

    def close(self) -> None:
        """Close every connection."""
        for stack, _ in self._open.values():
            stack.close()
        self._open.clear()

    def _connected(self, resource: str) -> Any:  # noqa: ANN401 - a context manager
        """Connect with credentials that Azure gives, and that stay in memory.

        Where the kubeconfig asks kubelogin for a token, it is asked for here: nothing has to be installed for it.
        """
        import yaml

        from opdeploy.clients.kubernetes import connected_to

        answer = self._arm.told(f"{resource}/listClusterUserCredential", _API, query={"format": "exec"})
        text = base64.b64decode(answer["kubeconfigs"][0]["value"])
        kubeconfig: dict[str, Any] = yaml.safe_load(text)
        audience = _without_program(kubeconfig)
        token = (lambda: self._arm.session.token(audience)) if audience else None
        return connected_to(kubeconfig, name_of(resource), token)

    # What is asked of servers

    def running(self, at: Where, there: Mapping[str, dict[str, Any]]) -> Running:  # noqa: ARG002 - the cluster tells
        """Return that Azure knows of nothing that runs."""
        return Running(None, {}, None)

    def state(self, found: Mapping[str, Any]) -> State | None:
        """Return how a cluster or its nodes stand; None for what runs nothing."""
        kind = kind_of(found["id"])
        if kind is None or kind.name not in {CLUSTER, POOL}:
            return None
        if _provisioning(found) in {"Failed", "Canceled"}:
            return "failed"
        return "stopped" if is_stopped(found) else "running"

    def address(self, at: Where, name: str) -> tuple[str, int]:
        """Return host and port of a server."""
        return self.inside(at).address(name)

    def exit_code(self, at: Where, name: str) -> int | None:
        """Return how a server ended; None while it runs."""
        return self.inside(at).exit_code(name)

    def out_of_memory(self, at: Where, name: str) -> bool:
        """Tell whether a server was ended because its memory was used up."""
        return self.inside(at).out_of_memory(name)

    def logs(self, at: Where, name: str, tail: int) -> list[str]:
        """Return the last lines that a server wrote."""
        return self.inside(at).logs(name, tail)

    def follow(self, at: Where, name: str, tail: int) -> Iterator[str]:
        """Yield the last lines that a server wrote, and what it writes until it ends."""
        return self.inside(at).follow(name, tail)

    def image(self, at: Where, name: str) -> str:
        """Return the image that a server runs."""
        return str(self.inside(at).pods(name)[0]["spec"]["containers"][0]["image"])


def is_stopped(found: Mapping[str, Any]) -> bool:
    """Tell whether a cluster, or its nodes, were stopped."""
    return (found["properties"].get("powerState") or {}).get("code") == "Stopped"


def why_not(found: Mapping[str, Any], inside: Callable[[], object]) -> str | None:
    """Return why what is in a cluster cannot be looked at, with what to do; None where it can."""
    if is_stopped(found):
        return f"cluster {found['name']}: is stopped; start it: az aks start {called(found['id'])}"
    try:
        inside()
    except OpdeployError as error:
        return str(error)
    return None


def _provisioning(found: Mapping[str, Any]) -> str:
    return str(found["properties"].get("provisioningState") or "")


def _without_program(kubeconfig: dict[str, Any]) -> str | None:
    """Take out of a kubeconfig the program that its user runs for a token, and return what the token is for."""
    for item in kubeconfig.get("users") or ():
        program = item.get("user", {}).pop("exec", None)
        if program:
            words = [str(word) for word in program.get("args") or ()]
            if "--server-id" not in words[:-1]:
                raise OpdeployError("the cluster's kubeconfig says not what a token is for; see az aks get-credentials")
            return words[words.index("--server-id") + 1]
    return None
