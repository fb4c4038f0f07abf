"""The kinds of resources that deployments are made of in Azure, and how Azure Resource Manager names them. Pure."""

from __future__ import annotations

from typing import NamedTuple

PROVIDERS = "/providers/"
_PER_GROUP = 5
"""Parts of the id of a resource group: nothing, `subscriptions`, its id, `resourceGroups`, its name."""


class Sdk(NamedTuple):
    """The operations of an SDK that carry a kind."""

    package: str
    """Below `azure.mgmt`."""
    client: str
    operations: str
    put: str = "begin_create_or_update"
    delete: str = "begin_delete"
    keeps: str | None = None
    """The option of a removal that says whether what it leaves empty goes as well, which is not ours to remove."""


class Kind(NamedTuple):
    """One kind of resource."""

    name: str
    type: str
    """As Azure Resource Manager has it, such as Microsoft.ContainerInstance/containerGroups."""
    api: str
    """The version of its interface."""
    sdk: Sdk | None = None
    """What carries it; where it is not given, the operations for any resource of azure-mgmt-resource."""
    apart: tuple[str, str] | None = None
    """A property of which only parts are told with the resource, and the path below its id at which all of it is."""
    keys: str | None = None
    """What one posts to, to be told its keys."""

    @property
    def provider(self) -> str:
        """The namespace of its type."""
        return self.type.partition("/")[0]

    def id(self, scope: str, *names: str) -> str:
        """Return the id of a resource below a scope, by the names of its parents and its own."""
        _, *types = self.type.split("/")
        parts = "".join(f"/{kind}/{name}" for kind, name in zip(types, names, strict=True))
        return f"{scope}{PROVIDERS}{self.provider}{parts}"


GROUP = Kind("resource group", "Microsoft.Resources/resourceGroups", "2025-04-01")
"""The API version is that of azure-mgmt-resource 26.0.0, read 2026-11-26."""
_WEB = Sdk("web", "WebSiteManagementClient", "web_apps", delete="delete", keeps="delete_empty_server_farm")
_PLANS = Sdk("web", "WebSiteManagementClient", "app_service_plans", delete="delete")
_CONFIGURED = ("siteConfig", "config/web")
KINDS = {
    kind.name: kind
    for kind in (
        # The API versions are those of azure-mgmt-containerinstance 10.1.0 and azure-mgmt-containerregistry 15.0.0, and
        # of the published schemas of identities and role assignments, read 2026-11-26.
        # Those of clusters are that of azure-mgmt-containerservice 41.8.0, read 2026-11-26.
        Kind(
            "node pool",
            "Microsoft.ContainerService/managedClusters/agentPools",
            "2026-08-01",
            Sdk("containerservice", "ContainerServiceClient", "agent_pools"),
        ),
        Kind(
            "cluster",
            "Microsoft.ContainerService/managedClusters",
            "2026-08-01",
            Sdk("containerservice", "ContainerServiceClient", "managed_clusters"),
        ),
        Kind(
            "container group",
            "Microsoft.ContainerInstance/containerGroups",
            "2023-05-01",
            Sdk("containerinstance", "ContainerInstanceManagementClient", "container_groups"),
        ),
        # Those of the published schemas of machines and networks, and of disks as templates have them, read 2026-11-26.
        Kind("virtual machine", "Microsoft.Compute/virtualMachines", "2026-03-01"),
        Kind("disk", "Microsoft.Compute/disks", "2025-01-02"),
        Kind("network interface", "Microsoft.Network/networkInterfaces", "2025-07-01"),
        Kind("public address", "Microsoft.Network/publicIPAddresses", "2025-07-01"),
        Kind("virtual network", "Microsoft.Network/virtualNetworks", "2025-07-01"),
        Kind("network security group", "Microsoft.Network/networkSecurityGroups", "2025-07-01"),
        # That of azure-mgmt-web 11.0.1, read 2026-11-26.
        Kind(
            "slot",
            "Microsoft.Web/sites/slots",
            "2025-05-01",
            _WEB._replace(put="begin_create_or_update_slot", delete="delete_slot"),
            _CONFIGURED,
        ),
        Kind("site", "Microsoft.Web/sites", "2025-05-01", _WEB, _CONFIGURED),
        Kind("app service plan", "Microsoft.Web/serverfarms", "2025-05-01", _PLANS),
        # Those of Container Apps and Log Analytics are of the published schemas (Azure/azure-resource-manager-schemas,
        # of 2026-08-16, read 2026-11-26). azure-mgmt-appcontainers 5.1.0 has 2026-07-01, of which none is published: a
        # body could not be held against it, and all that is asked for is in 2026-01-01. A workspace is asked for its
        # keys as learn.microsoft.com/rest/api/loganalytics/shared-keys/get-shared-keys has it; in
        # templates the function is `listKeys` (learn.microsoft.com/azure/azure-resource-manager/templates/
        # template-functions-resource, list*, "Implementations", read 2026-11-26).
        Kind("container app", "Microsoft.App/containerApps", "2026-01-01"),
        Kind("container app environment", "Microsoft.App/managedEnvironments", "2026-01-01"),
        Kind("log workspace", "Microsoft.OperationalInsights/workspaces", "2025-07-01", keys="sharedKeys"),
        Kind("role assignment", "Microsoft.Authorization/roleAssignments", "2022-04-01"),
        Kind("identity", "Microsoft.ManagedIdentity/userAssignedIdentities", "2024-11-30"),
        Kind("container registry", "Microsoft.ContainerRegistry/registries", "2025-11-01"),
        Kind("note", "Microsoft.Resources/deployments", "2025-04-01"),
        GROUP,
    )
}
"""In the order in which they are removed: what answers requests goes first."""
_BY_TYPE = {kind.type.lower(): kind for kind in KINDS.values()}


def group_id(subscription: str, name: str) -> str:
    """Return the id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{name}"


def group_of(resource: str) -> str:
    """Return the id of the resource group that a resource is in, or that it is."""
    return "/".join(resource.split("/")[:_PER_GROUP])


def type_of(resource: str) -> str:
    """Return the type of a resource by its id."""
    _, sign, own = resource.rpartition(PROVIDERS)
    if not sign:
        return GROUP.type
    provider, *parts = own.split("/")
    return "/".join((provider, *parts[::2]))


def kind_of(resource: str) -> Kind | None:
    """Return the kind of a resource by its id; None for what deployments are not made of."""
    return _BY_TYPE.get(type_of(resource).lower())


def names_of(resource: str) -> tuple[str, ...]:
    """Return the names along an id: that of the resource group, those of parents, and its own."""
    group = group_of(resource).rpartition("/")[2]
    _, sign, own = resource.rpartition(PROVIDERS)
    return (group, *own.split("/")[2::2]) if sign else (group,)


def name_of(resource: str) -> str:
    """Return the name of a resource by its id."""
    return resource.rpartition("/")[2]
