"""`opdeploy render`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opdeploy.cli.autoscaled import autoscaled
from opdeploy.cli.deploy_options import (
    BaseImage,
    Cloud,
    Context,
    HostOption,
    Location,
    More,
    NameOption,
    Namespace,
    Port,
    PublicNoAuth,
    Registry,
    ResourceGroup,
    ServiceType,
    State,
    Subscription,
    Tags,
    TargetOption,
    Wheels,
    WorkloadArgument,
)
from opdeploy.cli.deploying import Inputs, made_ready
from opdeploy.cli.settings import Chosen, InAzure, settings


def render(
    workload: WorkloadArgument = None,
    *,
    folder: Annotated[
        Path, typer.Option("--directory", "-d", metavar="DIR", help="Folder to write, which must not be there yet.")
    ],
    target: TargetOption = None,
    name: NameOption = None,
    registry: Registry = None,
    port: Port = None,
    host: HostOption = None,
    context: Context = None,
    namespace: Namespace = None,
    service_type: ServiceType = None,
    resource_group: ResourceGroup = None,
    location: Location = None,
    subscription: Subscription = None,
    tags: Tags = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    base_image: BaseImage = None,
    wheels: Wheels = None,
    public_no_auth: PublicNoAuth = False,
) -> None:
    """Write all files that a deployment is made of; its README says how to use them without opdeploy.

    The same input gives the same files, byte for byte.
    """
    from opdeploy import ui
    from opdeploy.render import write_new

    found = settings(
        workload,
        Chosen(
            target,
            name,
            registry,
            port,
            host,
            state,
            context,
            namespace,
            service_type,
            InAzure(resource_group, subscription, cloud, location, tags),
            tuple(more or ()),
        ),
        with_model=True,
    )
    with made_ready(Inputs(autoscaled(found), base_image, wheels, public_no_auth, 0.0)) as (_, ready):
        write_new(ready.bundle, folder)
        ui.say(f"wrote {len(ready.bundle)} files to {folder}; start with {folder / 'README.md'}")
