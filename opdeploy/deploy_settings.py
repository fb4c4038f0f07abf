"""The section `deploy` of a workload file: where the model is deployed, and under what name."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from opdeploy.fields import (
    CLUSTER,
    DNS_LABEL,
    DNS_NAME,
    ENVIRONMENT,
    GROUP,
    IDENTITY,
    NAME,
    PLAN,
    PROFILE,
    REGION,
    REGISTRY,
    RELEASE,
    SETTING,
    SIZE,
    SUBNET,
    VAULT,
    WORKSPACE,
    Address,
    OneLine,
    Port,
    Sources,
    Tags,
)
from opdeploy.frozen import Frozen

PORT = 8000
PlanSize = Literal[
    "B1", "B2", "B3", "S1", "S2", "S3",
    "P0v3", "P1v3", "P2v3", "P3v3", "P1mv3", "P2mv3", "P3mv3", "P4mv3", "P5mv3",
]  # fmt: skip
"""Of an App Service plan that is made."""
HOST = "127.0.0.1"


class OnThisMachine(Frozen):
    """On this machine's Docker."""

    port: Annotated[Port | None, Field(description="Port that it is reached at; 8000 if not given.")] = None
    host: Annotated[Address | None, Field(description="Address to listen on; 127.0.0.1 if not given.")] = None
    cpus: Annotated[float | None, Field(gt=0, le=1024, description="Processors; no limit if not given.")] = None


class OnVm(Frozen):
    """On a machine that is reached over SSH: one that is there, or one that is made in Azure."""

    host: Annotated[OneLine | None, Field(description="Name or address of the machine.")] = None
    user: Annotated[OneLine | None, Field(description="User to log in as.")] = None
    identity_file: Annotated[OneLine | None, Field(description="File of the private key.")] = None
    ssh_port: Annotated[Port | None, Field(description="Port of its SSH server; 22 if not given.")] = None
    port: Annotated[Port | None, Field(description="Port that the model is reached at there; 8000 if not given.")] = (
        None
    )
    listen: Annotated[
        Address | None, Field(description="Address of the machine to listen on; 127.0.0.1 if not given.")
    ] = None
    cpus: Annotated[float | None, Field(gt=0, le=1024, description="Processors; no limit if not given.")] = None
    gpu: Annotated[
        bool | None, Field(description="Give it the machine's GPUs; where hardware.gpu is required, if not given.")
    ] = None
    build: Annotated[
        Literal["here", "there"] | None,
        Field(description="Build the image here and send it, or on the machine; here if not given."),
    ] = None
    size: Annotated[
        str | None,
        Field(pattern=SIZE, max_length=64, description="Size of a machine to make in Azure, without a host."),
    ] = None
    priority: Annotated[
        Literal["Regular", "Spot"] | None, Field(description="Spot is cheaper, and stops at any time; Regular.")
    ] = None
    disk_gb: Annotated[int | None, Field(ge=30, le=4095, description="Size of its disk; 64 if not given.")] = None
    ssh_from: Annotated[
        Sources | None, Field(description="Address or range that SSH is let in from; where you signed in from.")
    ] = None
    clients: Annotated[
        Sources | None, Field(description="Address or range that the port is let in from; any if not given.")
    ] = None
    subnet: Annotated[
        str | None,
        Field(pattern=SUBNET, max_length=400, description="Id of a subnet to be in, without an address outside of it."),
    ] = None


class OnKubernetes(Frozen):
    """On a Kubernetes cluster."""

    context: Annotated[OneLine | None, Field(description="Context of the kubeconfig.")] = None
    namespace: Annotated[
        str | None,
        Field(pattern=DNS_LABEL, max_length=63, description="Namespace; that of the deployment's name if not given."),
    ] = None
    replicas: Annotated[
        int | None, Field(ge=1, le=1000, description="Pods; if not given, 2 in production, else 1.")
    ] = None
    max_replicas: Annotated[
        int | None, Field(ge=1, le=1000, description="Pods at most, by load; no autoscaling if not given.")
    ] = None
    cpus: Annotated[
        float | None, Field(ge=0.01, le=1024, description="Processors of a pod; the model's threads if not given.")
    ] = None
    gpus: Annotated[int | None, Field(ge=1, le=16, description="GPUs of a pod on aks-gpu; 1 if not given.")] = None
    service_type: Annotated[
        Literal["ClusterIP", "NodePort", "LoadBalancer"] | None,
        Field(description="Reached in the cluster, at its nodes, or by everyone; ClusterIP if not given."),
    ] = None
    port: Annotated[Port | None, Field(description="Port of the Service; 80 if not given.")] = None
    hostname: Annotated[
        str | None,
        Field(pattern=DNS_NAME, max_length=253, description="Name that its ingress or gateway answers to."),
    ] = None
    ingress_class: Annotated[
        str | None, Field(pattern=DNS_NAME, max_length=253, description="Make an Ingress of this class for hostname.")
    ] = None
    gateway_class: Annotated[
        str | None, Field(pattern=DNS_NAME, max_length=253, description="Make a Gateway of this class for hostname.")
    ] = None
    tls_secret: Annotated[
        str | None,
        Field(pattern=DNS_NAME, max_length=253, description="Secret of the namespace with hostname's certificate."),
    ] = None
    pull_secret: Annotated[
        str | None,
        Field(pattern=DNS_NAME, max_length=253, description="Secret of the namespace that the registry asks for."),
    ] = None


class Listening(NamedTuple):
    """Where a deployment listens on the machine of an engine, and how much of it that may use."""

    host: str
    port: int
    cpus: float | None


class OnAzure(Frozen):
    """In an Azure subscription."""

    subscription: Annotated[OneLine | None, Field(description="Id or name of the subscription.")] = None
    resource_group: Annotated[
        str | None,
        Field(pattern=GROUP, max_length=90, description="Resource group; one of its own if not given."),
    ] = None
    location: Annotated[str | None, Field(pattern=REGION, description="Region; the workload's if not given.")] = None
    tags: Annotated[Tags, Field(default_factory=dict, description="Tags of everything that is made.")]
    cloud: Annotated[
        OneLine | None,
        Field(description="Cloud by its name, or a file of what az cloud show prints; AzureCloud if not given."),
    ] = None
    owner: Annotated[
        OneLine | None, Field(max_length=256, description="Whose it is, as a tag of everything that is made.")
    ] = None
    identity: Annotated[
        str | None,
        Field(pattern=IDENTITY, max_length=400, description="Id of an identity that may pull the image; one is made."),
    ] = None
    registry_sku: Annotated[
        Literal["Basic", "Standard", "Premium"] | None,
        Field(description="Of a registry that is made; Basic if not given."),
    ] = None
    key_vault: Annotated[
        str | None,
        Field(pattern=VAULT, max_length=200, description="Key Vault, by name or address, that keeps the API key."),
    ] = None
    build: Annotated[
        Literal["here", "registry"] | None,
        Field(description="Build the image here, or in the registry; where Docker answers here, if not given."),
    ] = None


class OnAks(Frozen):
    """On a cluster of Azure that is named, or made: with a resource group, and no context of a kubeconfig."""

    cluster: Annotated[
        str | None,
        Field(pattern=CLUSTER, max_length=400, description="Cluster that is there, by name or id; one is made."),
    ] = None
    tier: Annotated[
        Literal["Free", "Standard", "Premium"] | None,
        Field(description="Of a cluster that is made; Free, of which nothing is promised, if not given."),
    ] = None
    kubernetes_version: Annotated[
        str | None, Field(pattern=RELEASE, description="Of a cluster that is made; what Azure takes, if not given.")
    ] = None
    system_size: Annotated[
        str | None,
        Field(pattern=SIZE, max_length=80, description="Size of its own nodes; Standard_D2as_v5 if not given."),
    ] = None
    system_nodes: Annotated[
        int | None, Field(ge=1, le=100, description="Nodes of its own; 1 if not given, and 3 are advised.")
    ] = None
    size: Annotated[
        str | None,
        Field(
            pattern=SIZE,
            max_length=80,
            description="Size of the nodes for the pods; the smallest with room for one if not given.",
        ),
    ] = None
    min_nodes: Annotated[
        int | None, Field(ge=0, le=1000, description="Nodes for the pods at least; 1 if not given.")
    ] = None
    max_nodes: Annotated[
        int | None, Field(ge=1, le=1000, description="Nodes for the pods at most; as many if not given.")
    ] = None
    priority: Annotated[
        Literal["Regular", "Spot"] | None, Field(description="Spot nodes are cheaper, and end at any time; Regular.")
    ] = None


class OnAci(Frozen):
    """As an Azure container group."""

    cpus: Annotated[float | None, Field(ge=0.01, le=31, description="Processors; 1 if not given.")] = None
    dns_label: Annotated[
        str | None,
        Field(pattern=DNS_LABEL, min_length=5, max_length=63, description="Name before that of the region."),
    ] = None
    subnet: Annotated[
        str | None,
        Field(pattern=SUBNET, max_length=400, description="Id of a subnet, which alone reaches it then."),
    ] = None
    priority: Annotated[
        Literal["Regular", "Spot"] | None, Field(description="Spot is cheaper, and ends at any time; Regular.")
    ] = None
    restart_policy: Annotated[
        Literal["Always", "OnFailure", "Never"] | None,
        Field(description="When what has ended is started again; Always if not given."),
    ] = None


class OnWebApp(Frozen):
    """As an Azure web app."""

    plan: Annotated[
        str | None, Field(pattern=PLAN, max_length=400, description="Id of a Linux plan; one is made if not given.")
    ] = None
    sku: Annotated[
        PlanSize | None, Field(description="Size of the plan; the smallest of Premium v3 that fits if not given.")
    ] = None
    instances: Annotated[int | None, Field(ge=1, le=30, description="Machines of the plan; 1 if not given.")] = None
    slots: Annotated[
        bool | None,
        Field(description="Try a new version in a slot and swap it in, where the plan has slots; true if not given."),
    ] = None
    always_on: Annotated[bool | None, Field(description="Keep it running without requests; true if not given.")] = None
    app_settings: Annotated[
        dict[Annotated[str, Field(pattern=SETTING, max_length=200)], str],
        Field(default_factory=dict, description="More variables of the container; plans show them, so no secrets."),
    ]


class OnContainerApps(Frozen):
    """As an Azure container app."""

    environment: Annotated[
        str | None,
        Field(pattern=ENVIRONMENT, max_length=400, description="Id of the environment; one is made if not given."),
    ] = None
    profile: Annotated[
        str | None,
        Field(
            pattern=PROFILE,
            description="Workload profile; Consumption if not given, and its T4 where hardware.gpu is required.",
        ),
    ] = None
    cpus: Annotated[float | None, Field(ge=0.25, le=32, description="Processors of a replica; 1 if not given.")] = None
    min_replicas: Annotated[
        int | None, Field(ge=0, le=1000, description="Replicas at least; 0 if not given, which costs a cold start.")
    ] = None
    max_replicas: Annotated[
        int | None, Field(ge=1, le=1000, description="Replicas at most; 10 if not given, and 1 on a GPU.")
    ] = None
    concurrency: Annotated[
        int | None, Field(ge=1, le=10000, description="Requests at once in a replica before another; 10 if not given.")
    ] = None
    cool_down_s: Annotated[
        int | None, Field(ge=1, le=86400, description="Seconds without a request before the last one goes; 300.")
    ] = None
    external: Annotated[bool | None, Field(description="Reached from outside its environment; true if not given.")] = (
        None
    )
    subnet: Annotated[
        str | None,
        Field(
            pattern=SUBNET,
            max_length=400,
            description="Id of a subnet for the environment, whose network alone reaches it then.",
        ),
    ] = None
    workspace: Annotated[
        str | None,
        Field(
            pattern=WORKSPACE,
            max_length=400,
            description="Id of the Log Analytics workspace that keeps its logs, or "
            "own for one that is made; none if not given.",
        ),
    ] = None


class Deploy(Frozen):
    """Where and under what name it is deployed; OPDEPLOY_… variables override it, and options override both."""

    target: Annotated[OneLine | None, Field(description="Id of the platform.")] = None
    name: Annotated[
        str | None,
        Field(pattern=NAME, max_length=200, description="Name of the deployment; the workload's if not given."),
    ] = None
    registry: Annotated[
        str | None,
        Field(
            pattern=REGISTRY, max_length=400, description="Registry that images are pushed to, such as me.azurecr.io."
        ),
    ] = None
    keep: Annotated[
        int | None, Field(ge=1, le=50, description="Versions that are kept for a rollback; 3 if not given.")
    ] = None
    local: Annotated[OnThisMachine, Field(default_factory=OnThisMachine, description="On this machine's Docker.")]
    vm: Annotated[OnVm, Field(default_factory=OnVm, description="On a machine over SSH.")]
    kubernetes: Annotated[OnKubernetes, Field(default_factory=OnKubernetes, description="On a Kubernetes cluster.")]
    azure: Annotated[OnAzure, Field(default_factory=OnAzure, description="In an Azure subscription.")]
    aks: Annotated[OnAks, Field(default_factory=OnAks, description="On a managed cluster of Azure.")]
    aci: Annotated[OnAci, Field(default_factory=OnAci, description="As an Azure container group.")]
    webapp: Annotated[OnWebApp, Field(default_factory=OnWebApp, description="As an Azure web app.")]
    container_apps: Annotated[
        OnContainerApps, Field(default_factory=OnContainerApps, description="As an Azure container app.")
    ]
    state: Annotated[
        OneLine | None,
        Field(
            description="Folder of journals and caches; .opdeploy if not given. Or a container of Blob Storage, by its "
            "address, that keeps the records and locks of deployments in Azure."
        ),
    ] = None

    @property
    def makes_machine(self) -> bool:
        """Whether its machine is one that is made in Azure: none is named, and Azure is."""
        named = self.azure.resource_group, self.azure.location, self.azure.subscription
        return self.target == "vm" and self.vm.host is None and any(named)

    @property
    def listening(self) -> Listening:
        """Where it listens, on the machine of the engine that it is deployed to."""
        if self.target == "vm":
            return Listening(self.vm.listen or HOST, self.vm.port or PORT, self.vm.cpus)
        return Listening(self.local.host or HOST, self.local.port or PORT, self.local.cpus)
