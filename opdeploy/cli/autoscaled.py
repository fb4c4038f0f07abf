"""Fills in what the settings of a deployment leave open of its instances, from the recommendation for its platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.advisor.offers import Choice
    from opdeploy.cli.settings import Settings
    from opdeploy.deploy.autoscaling import Pod
    from opdeploy.workload import Workload


def autoscaled(found: Settings) -> Settings:
    """Return the settings with how many instances there are, and when another is started, where they leave that open.

    It is left to what is usual where the workload tells no load, or the platform has no size that carries it.

    Raises InputError for a model, or prices, that cannot be read.
    """
    from opdeploy.cli.settings import target_of
    from opdeploy.deploy.autoscaling import SCALES, gives_load, taken

    workload, model = found.workload, model_of(found)
    if workload is None or model is None or found.deploy.target not in SCALES:
        return found
    if workload.generative or not gives_load(workload):
        return found
    profile, _ = target_of(found)
    new = taken(profile.id, found.deploy, workload, choices(found, profile.id), pod_of(workload, model))
    return found._replace(deploy=new.settings, in_flight=new.in_flight, scaling=new.said) if new else found


def model_of(found: Settings) -> Path | None:
    """Return the model of the workload; None where there is none."""
    from opdeploy.workload_file import exists

    if found.file is None or found.workload is None or found.workload.model.path is None:
        return None
    model = found.file.parent / found.workload.model.path
    return model if exists(model) else None


def choices(found: Settings, platform: str) -> tuple[Choice, ...]:
    """Return the sizes of a platform that do what the workload demands, the cheapest first; none where it is out."""
    from opdeploy.advisor.constraints import exclusions
    from opdeploy.advisor.needs import assess
    from opdeploy.advisor.offers import Shop, consider
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import facts
    from opdeploy.cli.options import day

    workload, model = found.workload, model_of(found)
    if workload is None or found.file is None or workload.generative:
        return ()
    profile, on = load_catalogue().find(platform, "--target"), day(None)
    needs = assess(workload, size_on_disk(model) / 1e6 if model else None)[0]
    if needs.job or exclusions(needs, profile, on):
        return ()
    known = facts(found.file, workload, ())
    considered = consider(Shop(needs, known.market, known.speeds, on), profile)
    return () if considered.reasons else considered.choices


def pod_of(workload: Workload, model: Path) -> Pod:
    """Return what is known of a pod beside the settings of the deployment."""
    from opdeploy.artifact.size import is_artefact, size_on_disk
    from opdeploy.deploy.autoscaling import Pod
    from opdeploy.deploy.measured import measured
    from opdeploy.local.demand import demand
    from opdeploy.runtime.package import opened

    threads = None
    if is_artefact(model):
        with opened(model, verified=False) as package:
            threads = measured(package).threads
    return Pod(threads, demand(workload, size_on_disk(model) / 1e6).memory_gb)
