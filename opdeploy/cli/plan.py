"""`opdeploy plan` and `apply`: what a deployment would change, as data, and to carry that out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opdeploy.cli.autoscaled import autoscaled
from opdeploy.cli.deploy_options import (
    AllowPlainHttp,
    BaseImage,
    BreakLock,
    Cloud,
    Context,
    ForceConflicts,
    HostOption,
    LoadSeconds,
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
    Timeout,
    Wheels,
    WorkloadArgument,
)
from opdeploy.cli.deploying import (
    Inputs,
    PlanFormat,
    assumed,
    carry_out,
    completed,
    made_ready,
    notes_of,
    nothing_there,
    opened,
    planned,
    require_allowed,
    require_buildable,
    require_model,
    require_possible,
    show,
    unbuildable,
)
from opdeploy.cli.places import place
from opdeploy.cli.requests import Written
from opdeploy.cli.settings import Chosen, InAzure, settings

if TYPE_CHECKING:
    from opdeploy.plan import Plan

CHANGES = 6
"""Exit code of `plan --detailed-exitcode` where something would change."""
BLOCKED = 1
"""That where something stands in the way, as of the deployment that it would refuse."""


def plan(
    workload: WorkloadArgument = None,
    *,
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
    timeout: Timeout = 300.0,
    output: Annotated[PlanFormat, typer.Option("--output", "-o", help="Format of the plan.")] = "table",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the plan there too, for opdeploy apply.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nothing of the target: the plan of a first deployment.")
    ] = False,
    calls: Annotated[
        bool, typer.Option("--calls", help="Show every request that changes something in Azure, and its az command.")
    ] = False,
    arm: Annotated[
        Path | None,
        typer.Option(
            "--arm", metavar="FILE", help="Write the resources in Azure there, as a template; - is standard output."
        ),
    ] = None,
    bicep: Annotated[
        Path | None,
        typer.Option(
            "--bicep", metavar="FILE", help="Write the resources in Azure there, as Bicep; - is standard output."
        ),
    ] = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", help="Exit with 1 where something stands in the way, else with 6 where it changes."
        ),
    ] = False,
) -> None:
    """Show what a deployment would create, change and delete, in order; nothing is changed.

    What stands in the way of it comes first, and is counted last: deploy refuses it. With --out the plan is written to
    a file that opdeploy apply carries out as it stands.
    """
    from opdeploy import files, ui
    from opdeploy.deploy.locking import taken
    from opdeploy.deploy.notes import is_plain

    if out:
        files.check_place(out)
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
    require_model(found)
    found = autoscaled(found)
    inputs = Inputs(found, base_image, wheels, public_no_auth, timeout)
    written = Written(calls, arm, bicep)
    written.check()
    with ExitStack() as stack:
        there = None if offline else stack.enter_context(place(found))
        inputs = completed(inputs, there) if there else inputs
        asked, ready = stack.enter_context(made_ready(inputs, there.platform if there else None))
        if there:
            observed = there.place.observe(asked.profile.id, ready.wanted.deployment, pushed=True)
            blocked = (*taken(observed.deployment, observed.lock), *there.place.obstacles(ready.wanted))
            stands = (*there.place.shortages(ready.wanted),)
        else:
            observed, blocked = nothing_there(asked.profile.id, ready.wanted.deployment), ()
            stands = assumed(asked)
        made = planned(inputs, ready, observed, (*notes_of(found, asked, ready, observed), *stands))
        if there:
            blocked = (*blocked, *unbuildable(made, asked, there))
        made = made.model_copy(update={"blocked": blocked})
    written.check_plan(made)
    if out:
        ui.deliver(made.model_dump_json(indent=2), out)
    if not (written.is_alone or (calls and output == "json")):
        show(made, output)
    written.deliver(made, ready.wanted, observed, output)
    if out:
        allowed = " --allow-plain-http" if made.changes and is_plain(ready.wanted) else ""
        ui.say(f"wrote {out}; carry it out with: opdeploy apply {out}{allowed}")
    if detailed_exitcode and (made.blocked or made.changes):
        raise typer.Exit(BLOCKED if made.blocked else CHANGES)


def apply(
    file: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan that opdeploy plan --out wrote.")],
    *,
    load: LoadSeconds = None,
    allow_plain_http: AllowPlainHttp = False,
    break_lock: BreakLock = False,
    force_conflicts: ForceConflicts = False,
) -> None:
    """Carry out a plan exactly as it stands.

    Nothing is asked: the plan is what was looked at. Exits with 7, and changes nothing, when what exists, the model or
    the files are not those that it was made for.
    """
    from opdeploy.deploy.planning import require_same

    made = _read_plan(file)
    inputs = Inputs.of(made)
    inputs = inputs._replace(found=inputs.found._replace(force=force_conflicts))
    with opened(inputs) as (asked, ready, there):
        observed = there.place.observe(asked.profile.id, ready.wanted.deployment, pushed=True)
        notes_of(inputs.found, asked, ready, observed)
        require_allowed(made, inputs.found, ready, allow_plain_http=allow_plain_http)
        require_possible(ready, there.place, observed, broken=break_lock)
        now = planned(inputs, ready, observed, made.notes).model_copy(update={"blocked": made.blocked})
        require_same(made, now, str(file))
        require_buildable(made, asked, there)
        carry_out(made, inputs.found, there, ready.package.folder, broken=break_lock, load=load)


def _read_plan(file: Path) -> Plan:
    from pydantic import ValidationError

    from opdeploy.errors import InputError
    from opdeploy.plan import Plan

    try:
        return Plan.model_validate_json(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}; name a plan of opdeploy plan --out") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = "".join(f"{part}: " for part in problem["loc"])
        raise InputError(f"{file}: is no plan of this opdeploy: {where}{problem['msg']}; make it again") from None
