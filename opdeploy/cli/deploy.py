"""`opdeploy deploy`, `rollback` and `remove`: what changes a deployment."""

from __future__ import annotations

from typing import Annotated

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
    NameArgument,
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
    WorkloadOption,
    Yes,
)
from opdeploy.cli.deploying import (
    Inputs,
    carry_out,
    confirm,
    notes_of,
    opened,
    planned,
    require_allowed,
    require_buildable,
    require_possible,
    show,
)
from opdeploy.cli.places import place
from opdeploy.cli.settings import Chosen, InAzure, Settings, name_of, settings, target_of


def deploy(
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
    load: LoadSeconds = None,
    allow_plain_http: AllowPlainHttp = False,
    yes: Yes = False,
    break_lock: BreakLock = False,
    force_conflicts: ForceConflicts = False,
) -> None:
    """Bring the workload's model to a platform: plan, ask, carry out, and prove that it answers rightly.

    A version that does not get ready, or gives other answers, is replaced by the one that worked before. After an
    interruption the same command goes on.

    Exits with 5 when answers are wrong, 7 when something else changed meanwhile, and 8 when it cannot ask.
    """
    from opdeploy import ui

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
    if found.deploy.target is None:
        found = _recommended(found)
    found = autoscaled(found._replace(force=force_conflicts))
    inputs = Inputs(found, base_image, wheels, public_no_auth, timeout)
    with opened(inputs) as (asked, ready, there):
        observed = there.place.observe(asked.profile.id, ready.wanted.deployment, pushed=True)
        said = notes_of(found, asked, ready, observed, broken=break_lock, allowed=allow_plain_http)
        made = planned(inputs, ready, observed, said)
        require_allowed(made, found, ready, allow_plain_http=allow_plain_http)
        require_possible(ready, there.place, observed, broken=break_lock)
        made = made.model_copy(update={"notes": (*made.notes, *there.place.shortages(ready.wanted))})
        require_buildable(made, asked, there)
        show(made, "table", err=True)
        if made.changes:
            confirm(f"Deploy {made.deployment} to {made.target}?", yes=yes)
        else:
            ui.say("nothing has changed; what is asked now is whether it still answers rightly")
        carry_out(made, found, there, ready.package.folder, broken=break_lock, load=load)


def _recommended(found: Settings) -> Settings:
    """Ask where to deploy to, the best platform first; raises what `confirm` raises, and where there is none."""
    from opdeploy import report, targets, ui
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import ask
    from opdeploy.cli.options import DEFAULT, day
    from opdeploy.errors import NoPlatformError

    answer = ask(found.file or DEFAULT, load_catalogue(), day(None), None).recommendation
    ui.say(report.headline(answer))
    known = targets.ids()
    able = next((item.platform for item in answer.ranked if item.platform in known), None)
    if able is None:
        ranked = ", ".join(item.platform for item in answer.ranked) or "none"
        raise NoPlatformError(
            f"opdeploy deploys to {', '.join(known)}, and to none of the platforms that suit the workload ({ranked}); "
            f"take one all the same with --target"
        )
    confirm(f"Deploy to {able}?", yes=False, instead=f"say --target {able}")
    return found._replace(deploy=found.deploy.model_copy(update={"target": able}))


def rollback(
    name: NameArgument = None,
    *,
    to: Annotated[
        int | None, typer.Option("--to", metavar="VERSION", help="Version.", show_default="the next older one")
    ] = None,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    yes: Yes = False,
    break_lock: BreakLock = False,
    force_conflicts: ForceConflicts = False,
) -> None:
    """Let a version that was kept answer again.

    Where none is named it is the next older one that worked. After an interruption the same command goes on.
    """
    from opdeploy import ui
    from opdeploy.deploy.journal import Journal
    from opdeploy.deploy.locking import require_free
    from opdeploy.deploy.operate import require, require_key
    from opdeploy.deploy.planning import to_roll_back
    from opdeploy.deploy.prepare import AZURE

    found = settings(
        workload,
        Chosen.there(target, resource_group, subscription, cloud, state, more),
    )._replace(force=force_conflicts)
    profile, how = target_of(found)
    with place(found) as there:
        observed = there.place.observe(profile.id, name_of(found, name, profile), pushed=profile.id in AZURE)
        require(observed, found.options)
        if not break_lock:
            require_free(observed.deployment, observed.lock)
        begun = Journal(found.state, profile.id, observed.deployment).unfinished()
        if to is None and begun and begun.operation == "rollback":
            to = begun.version
        made = to_roll_back(how, observed, to, found.options)
        if profile.id in AZURE:  # others tell the key of what runs
            require_key(made, there.place)
        show(made, "table", err=True)
        if made.changes:
            confirm(f"Let version {made.version} of {made.deployment} answer again?", yes=yes)
        else:
            ui.say(f"version {made.version} answers already; what is asked now is whether it still answers rightly")
        carry_out(made, found, there, None, broken=break_lock)


def remove(
    name: NameArgument = None,
    *,
    workload: WorkloadOption = None,
    target: TargetOption = None,
    resource_group: ResourceGroup = None,
    subscription: Subscription = None,
    cloud: Cloud = None,
    state: State = None,
    more: More = None,
    yes: Yes = False,
    break_lock: BreakLock = False,
) -> None:
    """Delete everything that a deployment made, and nothing else; confirm that it is gone."""
    from opdeploy import ui
    from opdeploy.deploy.locking import require_free
    from opdeploy.deploy.operate import require
    from opdeploy.deploy.planning import to_remove
    from opdeploy.errors import OpdeployError

    found = settings(
        workload,
        Chosen.there(target, resource_group, subscription, cloud, state, more),
    )
    profile, how = target_of(found)
    with place(found) as there:
        observed = there.place.observe(profile.id, name_of(found, name, profile), pushed=True)
        require(observed, found.options)
        if not break_lock:
            require_free(observed.deployment, observed.lock)
        made = to_remove(how, observed)
        show(made, "table", err=True)
        confirm(f"Remove {made.deployment} from {made.target}?", yes=yes)
        after = carry_out(made, found, there, None, broken=break_lock)
    if after.found:
        left = ", ".join(f"{item.kind} {item.name}" for item in after.found)
        raise OpdeployError(f"{made.deployment}: this is still there: {left}; remove it again")
    group = f", resource group {observed.group}" if observed.group else ""
    ui.say(f"{made.deployment} is gone from {made.target}{group}: nothing of it is left there")
