"""What the commands of deployments share: what is made ready, where it lives, plans that are shown and carried out."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from opdeploy.cli.options import DEFAULT, require_alive
from opdeploy.cli.settings import Settings, name_of, rule_of, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import JsonValue

    from opdeploy.cli.places import Place, There
    from opdeploy.deploy.operate import Work
    from opdeploy.deploy.prepare import Asked, Prepared
    from opdeploy.deploy_settings import Deploy
    from opdeploy.deployment import Observed
    from opdeploy.image import ImageSettings, Sources
    from opdeploy.plan import Plan
    from opdeploy.render import Bundle
    from opdeploy.workload import Workload


PlanFormat = Literal["table", "json", "markdown"]


MOST_IN_FLIGHT = 10_000
"""Requests under way at one pod, that an autoscaler may be told."""


class Inputs(NamedTuple):
    """Everything that files are made of."""

    found: Settings
    base_image: str | None
    wheels: Path | None
    public_no_auth: bool
    ready_s: float

    def as_data(self) -> dict[str, JsonValue]:
        """Return what a plan keeps of it, to be made again from."""
        recommended = {} if self.found.in_flight is None else {"in_flight": self.found.in_flight}
        return {
            "workload": str(self.found.file),
            "deploy": self.found.deploy.model_dump(mode="json", exclude_none=True),
            "base_image": self.base_image,
            "wheels": str(self.wheels) if self.wheels else None,
            "public_no_auth": self.public_no_auth,
            "ready_s": self.ready_s,
            **recommended,
        }

    @classmethod
    def of(cls, plan: Plan) -> Inputs:
        """Return what a plan was made from.

        Raises InputError where the workload file is not there any more, or the plan does not tell.
        """
        from opdeploy.catalogue import load_catalogue
        from opdeploy.deploy_settings import Deploy
        from opdeploy.errors import InputError
        from opdeploy.workload_file import load_workload

        kept = plan.settings
        try:
            file, wheels, base = Path(str(kept["workload"])), kept["wheels"], kept["base_image"]
            deploy = Deploy.model_validate_json(json.dumps(kept["deploy"]))
            public, ready_s = bool(kept["public_no_auth"]), float(str(kept["ready_s"]))
            in_flight = _in_flight(kept["in_flight"]) if "in_flight" in kept else None
        except (KeyError, ValueError):  # what pydantic raises is a ValueError
            raise InputError("the plan's settings are not those of this opdeploy; make the plan again") from None
        if not file.exists():
            raise InputError(f"{file}: no such file; apply the plan in the folder that it was made in")
        found = Settings(deploy, file, load_workload(file, load_catalogue().all_ids), in_flight=in_flight)
        return cls(found, str(base) if base else None, Path(str(wheels)) if wheels else None, public, ready_s)


def _in_flight(told: object) -> float:
    """Return the requests under way that an autoscaler is told; raises ValueError for what no plan says."""
    value = float(str(told))
    if not 1 <= value <= MOST_IN_FLIGHT:
        raise ValueError
    return value


@contextmanager
def made_ready(inputs: Inputs, platform: str | None = None) -> Iterator[tuple[Asked, Prepared]]:
    """Give what a deployment of the workload's model is made of; a model that is not packaged is packaged first.

    `platform` is that of its image, where the place has said so. Raises InputError where there is no workload file, or
    no model.
    """
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.cli.containers import Building, image_settings
    from opdeploy.deploy.artefacts import packaged
    from opdeploy.deploy.prepare import Asked, on_gpu, prepared
    from opdeploy.image import Sources
    from opdeploy.local.demand import demand

    found = inputs.found
    workload, model = require_model(found)
    profile, _ = target_of(found)
    asked = Asked(
        workload=workload,
        settings=found.deploy,
        profile=profile,
        image=image_settings(Building(inputs.base_image, inputs.wheels, kept=False), profile, Sources()).model_copy(
            update={"gpu": on_gpu(profile.id, found.deploy, workload)} | ({"platform": platform} if platform else {})
        ),
        memory_gb=demand(workload, size_on_disk(model) / 1e6).memory_gb,
        public_no_auth=inputs.public_no_auth,
        ready_s=inputs.ready_s,
        in_flight=found.in_flight,
    )
    with prepared(packaged(model, workload.name, found.state), asked) as ready:
        yield asked, ready


def require_model(found: Settings) -> tuple[Workload, Path]:
    """Return the workload and its model, where a deployment can be made of them.

    Raises InputError where there is no workload file, or it names no model, or where the platform takes none.
    """
    from opdeploy.errors import InputError

    if found.workload is None or found.file is None:
        raise InputError(f"{DEFAULT}: no such file; name a workload file, or write one with: opdeploy init")
    if found.workload.model.path is None:
        raise InputError(f"{found.file}: model.path: names no model; write it there")
    require_alive(target_of(found)[0])
    return found.workload, found.file.parent / found.workload.model.path


def notes_of(
    found: Settings, asked: Asked, ready: Prepared, observed: Observed, *, broken: bool = False, allowed: bool = False
) -> tuple[str, ...]:
    """Return what a person should know first, also whose lock is broken; raises what `notes.refuse` raises.

    `allowed` tells whether plain HTTP was.
    """
    from opdeploy.advisor.constraints import exclusions
    from opdeploy.advisor.needs import assess
    from opdeploy.cli.options import day
    from opdeploy.deploy.journal import Journal
    from opdeploy.deploy.locking import at_work, gone
    from opdeploy.deploy.notes import Facts, notes, refuse

    on = day(None)
    needs = assess(asked.workload, None)[0]
    reasons = exclusions(needs, asked.profile, on)
    refuse(ready.wanted, asked.workload, reasons)
    held = observed.lock if observed.lock and not gone(observed.lock) else None
    unfinished = None if held else Journal(found.state, asked.profile.id, ready.wanted.deployment).unfinished()
    synthetic = ready.package.manifest.golden.synthetic
    busy = at_work(held) if held and broken else None
    return notes(
        Facts(
            ready.wanted,
            asked.workload,
            asked.profile,
            reasons,
            synthetic,
            unfinished,
            busy,
            useless=found.useless,
            is_allowed=allowed,
            rule=rule_of(found, asked.profile),
            shows_key=_shows_key(ready, observed),
            scaling=found.scaling,
        )
    )


def require_allowed(made: Plan, found: Settings, ready: Prepared, *, allow_plain_http: bool) -> None:
    """Raise InputError for a plan that changes what is reached over plain HTTP, unless that is allowed."""
    from opdeploy.deploy import notes

    if made.changes and not allow_plain_http:
        host, instead = _exposed(found, ready.wanted.settings)
        notes.require_allowed(ready.wanted, host=host, instead=instead)


def _shows_key(ready: Prepared, observed: Observed) -> bool:
    """Tell whether a deployment makes an API key that is shown: none is known, and no Key Vault is to have it."""
    told = observed.facts.get("key")
    known = isinstance(told, dict) and (told.get("known") or told.get("vault"))
    vault = ready.wanted.settings.azure.key_vault
    return ready.wanted.keyed and not (known or vault or any(version.proven for version in observed.versions))


def _exposed(found: Settings, deploy: Deploy) -> tuple[str, str]:
    """Return what lets others reach a deployment, with where it was given, and what would be safe instead."""
    from opdeploy.deploy.prepare import AZURE, CLUSTER

    if deploy.target in CLUSTER:
        chosen = deploy.kubernetes
        key = "ingress_class" if chosen.ingress_class else "gateway_class" if chosen.gateway_class else "service_type"
        key = "service_type" if chosen.service_type not in {None, "ClusterIP"} else key
        said = f"{found.given(f'kubernetes.{key}')} {getattr(chosen, key)}"
        return said, "give hostname, ingress_class or gateway_class, and tls_secret of deploy.kubernetes"
    if deploy.target in AZURE:  # those that answer over TLS let nobody on the way read along
        return (
            "a container group has a public address",
            "name a subnet with --set aci.subnet=ID, which alone reaches it",
        )
    given = found.given("vm.listen" if deploy.target == "vm" else "local.host")
    return f"{given} {deploy.listening.host}", "listen on 127.0.0.1 behind a proxy that has a certificate"


def nothing_there(target: str, deployment: str) -> Observed:
    """Return what is there before a first deployment."""
    from opdeploy.deployment import Observed

    return Observed(target=target, deployment=deployment)


def assumed(asked: Asked) -> tuple[str, ...]:
    """Return what is assumed of a place that is not asked."""
    if asked.profile.image_platform or asked.profile.id == "local":
        return ()
    return (f"{asked.profile.id} was not asked for its processor: the image is taken to be for {asked.image.platform}",)


def confirm(question: str, *, yes: bool, instead: str = "look at the plan, and say --yes") -> None:
    """Ask a question; raises UnconfirmedError where there is no terminal, or the answer is no."""
    from opdeploy.errors import UnconfirmedError

    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UnconfirmedError(f"{question} Nobody can be asked here; {instead}")
    if not typer.confirm(question, err=True):
        raise UnconfirmedError("the answer was no, and nothing was changed")


@contextmanager
def working(found: Settings, there: There, deployment: str, artefact: Path | None = None) -> Iterator[Work]:
    """Give what a plan is carried out with; progress is shown."""
    from opdeploy import ui
    from opdeploy.deploy.journal import Journal
    from opdeploy.deploy.operate import Work

    profile, target = target_of(found)
    journal = Journal(found.state, profile.id, deployment)
    with ui.steps() as watch:
        yield Work(target, there.place, there.clients, journal, watch, ui.say, artefact, found.options)


def planned(inputs: Inputs, ready: Prepared, observed: Observed, said: Iterable[str]) -> Plan:
    """Return the plan of a deployment, with what it was made from."""
    from opdeploy.deploy.planning import to_deploy

    _, target = target_of(inputs.found)
    made = to_deploy(target, ready.wanted, observed, said)
    return made.model_copy(update={"settings": inputs.as_data()})


@contextmanager
def opened(inputs: Inputs) -> Iterator[tuple[Asked, Prepared, There]]:
    """Give what a deployment is made of, and the place where it is to live, which is asked what images it runs.

    What a build fetches comes from where the user's pip gets it. Raises what `made_ready` and `place` raise.
    """
    from opdeploy import image, ui
    from opdeploy.cli.places import place
    from opdeploy.clients.docker.maker import Making
    from opdeploy.deploy.prepare import require_unchanged

    def made() -> tuple[Bundle, ImageSettings]:
        require_unchanged(ready.package)
        settings = ready.image.model_copy(update={"sources": _sources(asked)})
        return image.bundle(ready.package, settings), settings

    require_model(inputs.found)
    with (
        ui.progress("build") as watch,
        place(inputs.found, Making(made, watch)) as there,
        made_ready(completed(inputs, there), there.platform) as (asked, ready),
    ):
        yield asked, ready, there


def completed(inputs: Inputs, there: There) -> Inputs:
    """Return everything that files are made of, with what the place adds to the settings."""
    if there.completed is None:
        return inputs
    profile, _ = target_of(inputs.found)
    deploy = there.completed(name_of(inputs.found, None, profile))
    return inputs._replace(found=inputs.found._replace(deploy=deploy))


def _sources(asked: Asked) -> Sources:
    """Return where the packages of an image come from."""
    from opdeploy.clients.pip import sources

    return sources().model_copy(update={"wheels": asked.image.sources.wheels})


def require_buildable(made: Plan, asked: Asked, there: There) -> None:
    """Raise InputError where a build would be refused its index, NoEngineError where nothing answers that could build.

    So this is known before anyone is asked.
    """
    from opdeploy.clients.docker.maker import Maker

    if any(step.call == "image.build" for step in made.steps):
        _sources(asked).arguments()
        maker = there.clients.get("image")
        if isinstance(maker, Maker):
            maker.require()


def unbuildable(made: Plan, asked: Asked, there: There) -> Iterator[str]:
    """Yield why a plan's image cannot be built, with what to do."""
    from opdeploy.errors import OpdeployError

    try:
        require_buildable(made, asked, there)
    except OpdeployError as error:
        yield str(error)


def carry_out(
    made: Plan, found: Settings, there: There, artefact: Path | None, *, broken: bool, load: float | None = None
) -> Observed:
    """Carry out a plan, show what came of it, and return what is there now; raises what `perform` raises.

    Where `load` says for how many seconds, the endpoint is loaded then.
    """
    from opdeploy import ui
    from opdeploy.cli.places import API_KEY
    from opdeploy.deploy.operate import perform
    from opdeploy.ui.deployment import show_done

    with working(found, there, made.deployment, artefact) as work:
        after = perform(made, work, broken=broken)
    if made.operation != "remove":
        given = os.environ.get(API_KEY)
        has_key = bool(given) and there.place.api_key(made.deployment) == given
        ui.tables(lambda console: show_done(console, after, work.checks, found.options, has_key=has_key))
    if load and artefact:
        from opdeploy.cli.loading import load as loaded

        loaded(found, there, after, artefact, there.place.api_key(made.deployment) or work.made_key, load)
    return after


def require_possible(ready: Prepared, there: Place, observed: Observed, *, broken: bool) -> None:
    """Raise OpdeployError where somebody is at work on it, or something stands in its way, before anything is built.

    Where it is more than one thing, all are said first.
    """
    from opdeploy import ui
    from opdeploy.deploy.locking import require_free
    from opdeploy.errors import OpdeployError

    if not broken:
        require_free(observed.deployment, observed.lock)
    found = [*there.obstacles(ready.wanted)]
    if len(found) == 1:
        raise OpdeployError(found[0])
    for obstacle in found:
        ui.say(obstacle)
    if found:
        raise OpdeployError(
            f"{len(found)} things stand in the way, and nothing was made; the lines above say what to do"
        )


def show(made: Plan, form: PlanFormat, *, err: bool = False) -> None:
    """Show a plan."""
    from opdeploy import ui
    from opdeploy.ui.plan import markdown, show_plan

    if form == "json":
        ui.deliver(made.model_dump_json(indent=2))
    elif form == "markdown":
        ui.deliver(markdown(made))
    else:
        ui.tables(lambda console: show_plan(console, made), err=err)
