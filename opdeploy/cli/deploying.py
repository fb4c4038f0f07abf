"""What the commands of deployments share: what is made ready, where it lives, plans that are shown and carried out."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from opdeploy.cli.options import DEFAULT, require_alive
from opdeploy.cli.settings import Settings, target_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from opdeploy.clients.docker.host import Host, Making
    from opdeploy.deploy.operate import Work
    from opdeploy.deploy.prepare import Asked, Prepared
    from opdeploy.deployment import Observed
    from opdeploy.image import ImageSettings, Sources
    from opdeploy.plan import Plan
    from opdeploy.render import Bundle


PlanFormat = Literal["table", "json", "markdown"]


@contextmanager
def place(making: Making | None = None) -> Iterator[Host]:
    """Give where deployments live: the Docker engine."""
    from opdeploy.clients import docker
    from opdeploy.clients.docker import here
    from opdeploy.deploy.locking import owner

    here.require()
    with docker.connected() as engine:
        yield engine.host(owner(), making)


class Inputs(NamedTuple):
    """Everything that files are made of."""

    found: Settings
    base_image: str | None
    wheels: Path | None
    public_no_auth: bool
    ready_s: float

    def as_data(self) -> dict[str, JsonValue]:
        """Return what a plan keeps of it, to be made again from."""
        return {
            "workload": str(self.found.file),
            "deploy": self.found.deploy.model_dump(mode="json", exclude_none=True),
            "base_image": self.base_image,
            "wheels": str(self.wheels) if self.wheels else None,
            "public_no_auth": self.public_no_auth,
            "ready_s": self.ready_s,
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
        except (KeyError, ValueError):  # what pydantic raises is a ValueError
            raise InputError("the plan's settings are not those of this opdeploy; make the plan again") from None
        if not file.exists():
            raise InputError(f"{file}: no such file; apply the plan in the folder that it was made in")
        found = Settings(deploy, file, load_workload(file, load_catalogue().all_ids))
        return cls(found, str(base) if base else None, Path(str(wheels)) if wheels else None, public, ready_s)


@contextmanager
def made_ready(inputs: Inputs) -> Iterator[tuple[Asked, Prepared]]:
    """Give what a deployment of the workload's model is made of; a model that is not packaged is packaged first.

    Raises InputError where there is no workload file, or no model.
    """
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.cli.containers import Building, image_settings
    from opdeploy.deploy.artefacts import packaged
    from opdeploy.deploy.prepare import Asked, prepared
    from opdeploy.errors import InputError
    from opdeploy.image import Sources
    from opdeploy.local.demand import demand

    found = inputs.found
    if found.workload is None or found.file is None:
        raise InputError(f"{DEFAULT}: no such file; name a workload file, or write one with: opdeploy init")
    if found.workload.model.path is None:
        raise InputError(f"{found.file}: model.path: names no model; write it there")
    profile, _ = target_of(found)
    require_alive(profile)
    model = found.file.parent / found.workload.model.path
    asked = Asked(
        workload=found.workload,
        settings=found.deploy,
        profile=profile,
        image=image_settings(Building(inputs.base_image, inputs.wheels, kept=False), profile, Sources()),
        memory_gb=demand(found.workload, size_on_disk(model) / 1e6).memory_gb,
        public_no_auth=inputs.public_no_auth,
        ready_s=inputs.ready_s,
    )
    with prepared(packaged(model, found.workload.name, found.state), asked) as ready:
        yield asked, ready


def notes_of(
    found: Settings, asked: Asked, ready: Prepared, observed: Observed, *, allow_plain_http: bool
) -> tuple[str, ...]:
    """Return what a person should know first; raises what `notes.refuse` raises."""
    from opdeploy.advisor.constraints import exclusions
    from opdeploy.advisor.needs import assess
    from opdeploy.cli.options import day
    from opdeploy.deploy.journal import Journal
    from opdeploy.deploy.locking import at_work, gone
    from opdeploy.deploy.notes import Facts, notes, refuse

    on = day(None)
    refuse(ready.wanted, asked.workload, host=found.given("local.host"), allow_plain_http=allow_plain_http)
    needs = assess(asked.workload, None)[0]
    unfinished = Journal(found.state, asked.profile.id, ready.wanted.deployment).unfinished()
    reasons = exclusions(needs, asked.profile, on)
    synthetic = ready.package.manifest.golden.synthetic
    busy = at_work(observed.lock) if observed.lock and not gone(observed.lock) else None
    return notes(Facts(ready.wanted, asked.workload, asked.profile, reasons, synthetic, unfinished, busy))


def nothing_there(target: str, deployment: str) -> Observed:
    """Return what is there before a first deployment."""
    from opdeploy.deployment import Observed

    return Observed(target=target, deployment=deployment)


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
def working(found: Settings, host: Host, deployment: str, artefact: Path | None = None) -> Iterator[Work]:
    """Give what a plan is carried out with; progress is shown."""
    from opdeploy import ui
    from opdeploy.deploy.journal import Journal
    from opdeploy.deploy.operate import Work

    profile, target = target_of(found)
    journal = Journal(found.state, profile.id, deployment)
    with ui.steps() as watch:
        yield Work(target, host, "docker", journal, watch, ui.say, artefact)


def planned(inputs: Inputs, ready: Prepared, observed: Observed, said: tuple[str, ...]) -> Plan:
    """Return the plan of a deployment, with what it was made from."""
    from opdeploy.deploy.planning import to_deploy

    _, target = target_of(inputs.found)
    made = to_deploy(target, ready.wanted, observed, said)
    return made.model_copy(update={"settings": inputs.as_data()})


@contextmanager
def place_of(asked: Asked, ready: Prepared) -> Iterator[Host]:
    """Give the place with what images are built of: what is fetched comes from where the user's pip gets it."""
    from opdeploy import image, ui
    from opdeploy.clients.docker.host import Making
    from opdeploy.deploy.prepare import require_unchanged

    def made() -> tuple[Bundle, ImageSettings]:
        require_unchanged(ready.package)
        settings = ready.image.model_copy(update={"sources": _sources(asked)})
        return image.bundle(ready.package, settings), settings

    with ui.progress("build") as watch, place(Making(made, watch)) as there:
        yield there


def _sources(asked: Asked) -> Sources:
    """Return where the packages of an image come from."""
    from opdeploy.clients.pip import sources

    return sources().model_copy(update={"wheels": asked.image.sources.wheels})


def require_buildable(made: Plan, asked: Asked) -> None:
    """Raise InputError where a build would be refused its index, so that this is known before anyone is asked."""
    if any(step.call == "docker.build" for step in made.steps):
        _sources(asked).arguments()


def carry_out(made: Plan, found: Settings, there: Host, artefact: Path | None, *, broken: bool) -> Observed:
    """Carry out a plan, show what came of it, and return what is there now; raises what `perform` raises."""
    from opdeploy import ui
    from opdeploy.deploy.operate import perform
    from opdeploy.ui.deployment import show_done

    with working(found, there, made.deployment, artefact) as work:
        after = perform(made, work, broken=broken)
    if made.operation != "remove":
        ui.tables(lambda console: show_done(console, after, work.checks))
    return after


def require_possible(ready: Prepared, there: Host, observed: Observed, *, broken: bool) -> None:
    """Raise OpdeployError where somebody is at work on it, or something stands in its way, before anything is built."""
    from opdeploy.deploy.locking import require_free
    from opdeploy.deploy.obstacles import obstacles
    from opdeploy.errors import OpdeployError

    if not broken:
        require_free(observed.deployment, observed.lock)
    for obstacle in obstacles(ready.wanted, there):
        raise OpdeployError(obstacle)


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
