"""The section `deploy` of a workload file: where the model is deployed, and under what name."""

from typing import Annotated

from pydantic import Field

from opdeploy.fields import DNS_LABEL, NAME, REGION, REGISTRY, Address, OneLine, Port
from opdeploy.frozen import Frozen


class OnThisMachine(Frozen):
    """On this machine's Docker."""

    port: Annotated[Port | None, Field(description="Port that it is reached at; 8000 if not given.")] = None
    host: Annotated[Address | None, Field(description="Address to listen on; 127.0.0.1 if not given.")] = None
    cpus: Annotated[float | None, Field(gt=0, le=1024, description="Processors; no limit if not given.")] = None


class OnVm(Frozen):
    """On a machine that is reached over SSH."""

    host: Annotated[OneLine | None, Field(description="Name or address of the machine.")] = None
    user: Annotated[OneLine | None, Field(description="User to log in as.")] = None
    identity_file: Annotated[OneLine | None, Field(description="File of the private key.")] = None
    port: Annotated[Port | None, Field(description="Port that the model is reached at there; 8000 if not given.")] = (
        None
    )


class OnKubernetes(Frozen):
    """On a Kubernetes cluster."""

    context: Annotated[OneLine | None, Field(description="Context of the kubeconfig.")] = None
    namespace: Annotated[
        str | None,
        Field(pattern=DNS_LABEL, max_length=63, description="Namespace; that of the deployment's name if not given."),
    ] = None


class OnAzure(Frozen):
    """In an Azure subscription."""

    subscription: Annotated[OneLine | None, Field(description="Id or name of the subscription.")] = None
    resource_group: Annotated[OneLine | None, Field(description="Resource group.")] = None
    location: Annotated[str | None, Field(pattern=REGION, description="Region; the workload's if not given.")] = None
    tags: Annotated[dict[str, str], Field(default_factory=dict, description="Tags of everything that is made.")]


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
    state: Annotated[OneLine | None, Field(description="Folder of journals and caches; .opdeploy if not given.")] = None
