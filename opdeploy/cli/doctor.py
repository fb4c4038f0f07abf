"""`opdeploy doctor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from opdeploy.cli.deploy_options import (
    Cloud,
    Location,
    More,
    Port,
    ResourceGroup,
    Subscription,
    TargetOption,
    WorkloadOption,
)
from opdeploy.cli.options import require_alive
from opdeploy.cli.settings import Chosen, InAzure, name_of, settings, target_of


def doctor(
    *,
    target: TargetOption = None,
    workload: WorkloadOption = None,
    port: Port = None,
    resource_group: ResourceGroup = None,
    location: Location = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    more: More = None,
    output: Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Format.")] = "table",
) -> None:
    """Look whether what a deployment needs is here: packages, the engine, room, a registry, the port.

    Each line says what to do. Exits with 1 when something that is needed is missing.
    """
    from opdeploy import ui
    from opdeploy.deploy.doctor import examined
    from opdeploy.errors import OpdeployError
    from opdeploy.ui.doctor import show_findings

    found = settings(
        workload,
        Chosen(
            target=target,
            port=port,
            azure=InAzure(resource_group, subscription, cloud, location),
            more=tuple(more or ()),
        ),
    )
    name = found.deploy.target or "local"
    profile, _ = target_of(found._replace(deploy=found.deploy.model_copy(update={"target": name})))
    require_alive(profile)
    deployment = name_of(found, None, profile) if found.workload else None
    findings = examined(found.deploy, deployment, found.state, found.workload)
    if output == "json":
        ui.deliver(json.dumps([asdict(item) for item in findings], indent=2))
    else:
        ui.tables(lambda console: show_findings(console, name, findings))
    wrong = [item for item in findings if item.state == "problem"]
    if wrong:
        problems = "1 problem" if len(wrong) == 1 else f"{len(wrong)} problems"
        raise OpdeployError(f"{problems} found; the lines above say what to do")
