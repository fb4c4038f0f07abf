"""What is wanted of a cluster of Azure, and a subscription that is imagined, with what is in its cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opdeploy.clients.azure.clustered import NEW
from opdeploy.clients.kubernetes import records
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Found, Observed
from opdeploy.targets.aks import plugin
from opdeploy.targets.aks.bodies import NODES, id_of, node_group
from opdeploy.targets.azure.compare import flat
from opdeploy.targets.azure.kinds import group_id, kind_of, name_of
from opdeploy.targets.azure.names import completed
from tests.deploy import cluster_values
from tests.deploy.cluster_values import NAME, Imagined

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from opdeploy.plan import Step
    from opdeploy.targets.base import Wanted

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
GROUP = "g"
THEIRS = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shared/providers/Microsoft.ContainerService/managedClusters/theirs"
)


def settings(target: str = "aks-cpu", **deploy: Any) -> Deploy:  # noqa: ANN401 - any setting
    """Return settings of a deployment in the group."""
    azure = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "location": "westeurope", **deploy.pop("azure", {})}
    found = Deploy.model_validate({"target": target, "azure": azure, **deploy}, strict=False)
    return completed(found, NAME)


def wanted(target: str = "aks-cpu", **more: Any) -> Wanted:  # noqa: ANN401 - any setting, and what pods need
    """Return what is wanted; `aks`, `azure` and `registry` are settings, anything else is of what is in the cluster."""
    own = {name: more.pop(name) for name in ("aks", "azure", "registry") if name in more}
    found = cluster_values.wanted(target=target, **more)
    chosen = settings(target, **own)
    return found.model_copy(update={"settings": found.settings.model_copy(update={
        "azure": chosen.azure, "aks": chosen.aks, "registry": chosen.registry,
    })})  # fmt: skip


@dataclass
class Subscription:
    """A subscription; what others have there is in `facts`."""

    settings: Deploy = field(default_factory=settings)
    inside: Imagined = field(default_factory=Imagined)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, JsonValue] = field(default_factory=lambda: {"builds": "registry", "registry": None})
    plugin: dict[str, Any] = field(default_factory=dict)
    """What has nodes tell of their GPUs."""
    counts: dict[str, JsonValue] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    """Clusters of others, by their ids."""

    @property
    def cluster(self) -> str:
        """The id of the deployment's cluster."""
        return id_of(self.settings, NAME)

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what steps say; checks succeed."""
        for step in steps:
            resource: Any = step.args.get("resource")
            if step.call == "azure.put":
                body: Any = step.args["body"]
                self.made[resource] = body
                if step.kind == "node pool":
                    self.counts[step.name] = body["properties"]["count"]
            elif step.call == "azure.delete":
                if resource == self.cluster:
                    self.made = {name: body for name, body in self.made.items() if not name.startswith(f"{resource}/")}
                    self.inside, self.plugin = Imagined(), {}
                self.made.pop(resource, None)
            elif step.call == "kubernetes.plug":
                manifest: Any = step.args["manifest"]
                self.plugin = records.recorded(manifest)
            elif step.call == "kubernetes.unplug":
                self.plugin = {}
            elif not step.call.startswith("azure."):
                self.inside.carry_out([step])

    def observe(self) -> Observed:
        """Return everything that belongs to the deployment, as the client does."""
        target = self.settings.target or ""
        is_there = self.cluster in {*self.made, *self.others}
        found = self.inside.observe(target) if is_there else Observed(target=target, deployment=NAME)
        facts: dict[str, JsonValue] = {"missing": [], **self.facts, "apis": [*NEW], **found.facts}
        more = [self._found(resource, body) for resource, body in self.made.items()]
        if self.plugin:
            more.append(records.found(plugin.KIND, self.plugin))
        if is_there:
            facts |= {"cluster": {"id": self.cluster, "why": None}, "nodes": self.counts}
        if self.cluster in self.made:
            group = node_group(self.settings, NAME)
            made: dict[str, JsonValue] = {"id": group_id(SUBSCRIPTION, group)}
            more.append(Found(kind=NODES, name=group, passing=True, made=made))
        return found.model_copy(update={"found": (*more, *found.found), "facts": facts})

    def _found(self, resource: str, body: dict[str, Any]) -> Found:
        kind = kind_of(resource)
        assert kind
        properties = flat(body) | ({"state": self.states[resource]} if resource in self.states else {})
        return Found(
            kind=kind.name,
            name=name_of(resource),
            properties=properties,
            wanted=flat(body),
            made={"id": resource, "body": body},
        )
