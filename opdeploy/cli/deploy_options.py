"""Options of the commands of deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from opdeploy.cli.options import platform_ids

WorkloadArgument = Annotated[Path | None, typer.Argument(help="The workload file.", show_default="workload.yaml")]
NameArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="The deployment.", show_default="that of workload.yaml")
]
WorkloadOption = Annotated[
    Path | None, typer.Option("--workload", metavar="FILE", help="The workload file.", show_default="workload.yaml")
]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", "-t", metavar="ID", help="The platform.", autocompletion=platform_ids),
]
NameOption = Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="Name of the deployment.")]
Registry = Annotated[
    str | None, typer.Option("--registry", metavar="HOST", help="Registry that the image is pushed to.")
]
Port = Annotated[int | None, typer.Option("--port", metavar="PORT", help="Port that it is reached at.")]
HostOption = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
Context = Annotated[
    str | None, typer.Option("--context", metavar="CONTEXT", help="Cluster, by its context in the kubeconfig.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", metavar="NAME", help="Namespace in the cluster.")]
ServiceType = Annotated[
    Literal["ClusterIP", "NodePort", "LoadBalancer"] | None,
    typer.Option("--service-type", help="Who reaches it on a cluster."),
]
ForceConflicts = Annotated[
    bool, typer.Option("--force-conflicts", help="Take over fields of a cluster's objects that others have set.")
]
State = Annotated[
    str | None,
    typer.Option("--state", metavar="FOLDER|URL", help="Folder of journals, or container of Azure's records."),
]
More = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SETTING=VALUE", help="A setting of deploy, such as vm.host=10.0.0.4; repeatable."),
]
ResourceGroup = Annotated[
    str | None, typer.Option("--resource-group", "-g", metavar="NAME", help="Resource group in Azure.")
]
Subscription = Annotated[
    str | None, typer.Option("--subscription", metavar="ID", help="Subscription in Azure, by its id or name.")
]
Cloud = Annotated[
    str | None, typer.Option("--cloud", metavar="CLOUD", help="Cloud of Azure, or a file of az cloud show.")
]
Location = Annotated[str | None, typer.Option("--location", "-l", metavar="REGION", help="Region in Azure.")]
Tags = Annotated[
    list[str] | None,
    typer.Option("--tags", metavar="KEY=VALUE", help="A tag of everything that is made in Azure; repeatable."),
]
BaseImage = Annotated[
    str | None,
    typer.Option("--base-image", metavar="IMAGE", envvar="OPDEPLOY_BASE_IMAGE", help="Image to build on."),
]
Wheels = Annotated[
    Path | None, typer.Option("--wheels", metavar="FOLDER", help="Folder of wheels to build from, without an index.")
]
PublicNoAuth = Annotated[bool, typer.Option("--public-no-auth", help="Let anyone ask who reaches it: no API key.")]
AllowPlainHttp = Annotated[
    bool, typer.Option("--allow-plain-http", help="Serve without TLS where others may read along.")
]
Timeout = Annotated[
    float, typer.Option("--timeout", min=1, metavar="SECONDS", help="How long a server may take to get ready.")
]
LoadSeconds = Annotated[
    float | None,
    typer.Option(
        "--load",
        min=1,
        max=3600,
        metavar="SECONDS",
        help="Load the endpoint for about so long once it is right, which its users may feel, and hold what it carries "
        "against what was expected.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
BreakLock = Annotated[bool, typer.Option("--break-lock", help="Take the lock of one who is gone for good.")]
