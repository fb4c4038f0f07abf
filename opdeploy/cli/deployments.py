"""`opdeploy status`, `logs`, `score`, `history`, `diff` and `list`: what is there, and what it says."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from opdeploy.cli.deploy_options import (
    Cloud,
    More,
    NameArgument,
    ResourceGroup,
    State,
    Subscription,
    TargetOption,
    WorkloadOption,
)
from opdeploy.cli.places import place
from opdeploy.cli.settings import Chosen, Settings, name_of, settings, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.cli.places import Place
    from opdeploy.deployment import Observed

Format = Literal["table", "json"]
Output = Annotated[Format, typer.Option("--output", "-o", help="Format.")]
DRIFT = 6
"""Exit code of `diff` where something is not as it was made."""


def status(
    name: NameArgument = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    output: Output = "table",
) -> None:
    """Show how a deployment stands: its versions, what it is made of, whether it is ready, and who is at work on it.

    Exits with 1 when it does not answer, and with 3 when there is none.
    """
    from opdeploy import ui
    from opdeploy.deploy.checks import readiness
    from opdeploy.deploy.operate import unfinished
    from opdeploy.errors import OpdeployError
    from opdeploy.ui.deployment import show_status

    with _there(
        Chosen.there(target, resource_group, subscription, cloud, state, more),
        workload,
        name,
    ) as (found, there, observed):
        ready = readiness(there, observed)
    if output == "json":
        _deliver({**observed.model_dump(mode="json"), "ready": ready.is_ready, "probe": ready.said})
    else:
        ui.tables(lambda console: show_status(console, observed, ready))
    if not ready.is_ready:
        where = f"{observed.deployment} -t {observed.target}{found.options}"
        see = " and ".join(f"opdeploy {what} {where}" for what in ("diff", "logs"))
        raise OpdeployError(unfinished(observed, found.options) or f"{observed.deployment}: {ready.said}; see {see}")


def logs(
    name: NameArgument = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what comes, until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option("--tail", min=0, metavar="LINES", help="The last so many lines.")] = 100,
    version: Annotated[
        int | None, typer.Option("--version", metavar="VERSION", help="Version.", show_default="the current one")
    ] = None,
) -> None:
    """Show the log of a deployment's server, as it wrote it."""
    import sys

    from opdeploy.deploy.operate import unfinished
    from opdeploy.errors import NotFoundError
    from opdeploy.targets.azure.target import VERSION

    with _there(
        Chosen.there(target, resource_group, subscription, cloud, state, more),
        workload,
        name,
    ) as (chosen, there, observed):
        found = observed.current if version is None else observed.version(version)
        if found is None:
            kept = ", ".join(str(item.number) for item in observed.versions) or "none"
            which = "no version is current" if version is None else f"version {version} is not kept"
            why = unfinished(observed, chosen.options) if version is None else None
            raise NotFoundError(why or f"{observed.deployment}: {which}; there are: {kept}")
        if observed.of(VERSION, found.resource):
            raise NotFoundError(
                f"{observed.deployment}: version {found.number} does not run, and its log is gone with what ran it; "
                f"opdeploy rollback --to {found.number} has it run again"
            )
        lines = there.follow(found.resource, tail) if follow else there.logs(found.resource, tail)
        try:
            for line in lines:
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
        except KeyboardInterrupt:  # which is how one ends it: no word is due
            sys.exit(128 + signal.SIGINT)


def history(
    name: NameArgument = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    output: Output = "table",
) -> None:
    """List the versions that are kept: when they were made, by whom, and of what."""
    from opdeploy import ui
    from opdeploy.ui.deployment import show_versions

    with _there(
        Chosen.there(target, resource_group, subscription, cloud, state, more),
        workload,
        name,
    ) as (_, _place, observed):
        pass
    if output == "json":
        _deliver([version.model_dump(mode="json") for version in reversed(observed.versions)])
    else:
        ui.tables(lambda console: show_versions(console, observed))


def diff(
    name: NameArgument = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    output: Output = "table",
) -> None:
    """Show what is not as it was made: what was changed, stopped or deleted by other hands.

    Exits with 6 when something is, and opdeploy deploy mends it; with 1 when no version of it is known to work.
    """
    from opdeploy import ui
    from opdeploy.deploy.operate import unfinished
    from opdeploy.errors import OpdeployError
    from opdeploy.ui.deployment import show_drift

    with _there(
        Chosen.there(target, resource_group, subscription, cloud, state, more),
        workload,
        name,
    ) as (found, _place, observed):
        _, how = target_of(found)
        drift = tuple(how.drift(observed))
    if not drift and (why := unfinished(observed, found.options)):
        raise OpdeployError(why)
    if output == "json":
        _deliver([item.model_dump(mode="json") for item in drift])
    else:
        ui.tables(lambda console: show_drift(console, observed, drift))
    if drift:
        raise typer.Exit(DRIFT)


def list_(
    *,
    target: TargetOption = None,
    workload: WorkloadOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    output: Output = "table",
) -> None:
    """List the deployments on a platform."""
    from opdeploy import ui
    from opdeploy.ui.deployment import show_list

    found = settings(
        workload,
        Chosen.there(target, resource_group, subscription, cloud, state, more),
    )
    profile, _ = target_of(found)
    with place(found) as (there, *_):
        all_of_them = [*there.all(profile.id)]
    if output == "json":
        _deliver([item.model_dump(mode="json") for item in all_of_them])
    else:
        ui.tables(lambda console: show_list(console, profile.id, all_of_them))


def score(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="An image, or JSON; - for standard input.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Deployment.", show_default="that of workload.yaml")
    ] = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
) -> None:
    """Send data to a deployment's endpoint, and print its answer.

    JSON goes as it is: {"records": [...]}, {"data": [...]}, or an inference request of the Open Inference Protocol.
    """
    from opdeploy import ui
    from opdeploy.deploy.scoring import scored

    with _there(
        Chosen.there(target, resource_group, subscription, cloud, state, more),
        workload,
        name,
    ) as (found, there, observed):
        ui.deliver(scored(there, observed, data, found.options))


@contextmanager
def _there(chosen: Chosen, workload: Path | None, name: str | None) -> Iterator[tuple[Settings, Place, Observed]]:
    """Give a deployment as it is now; raises NotFoundError where there is none."""
    from opdeploy.deploy.operate import require

    found = settings(workload, chosen)
    profile, _ = target_of(found)
    with place(found) as (there, *_):
        observed = there.observe(profile.id, name_of(found, name, profile))
        require(observed, found.options)
        yield found, there, observed


def _deliver(value: Any) -> None:  # noqa: ANN401 - any JSON
    from opdeploy import ui

    ui.deliver(json.dumps(value, indent=2))
