"""What `--load` does after a deployment: loads the endpoint, and holds what it carries against what was expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.artifact.machine import Machine
    from opdeploy.cli.places import There
    from opdeploy.cli.settings import Settings
    from opdeploy.deploy.loading import Loaded
    from opdeploy.deployment import Observed
    from opdeploy.local.predicted import Predicted
    from opdeploy.market.sizes import Size


def load(found: Settings, there: There, observed: Observed, artefact: Path, key: str | None, seconds: float) -> None:
    """Load an endpoint for about so long, print what it carries, and keep that in the workload's artefact.

    It is kept where it is that of one instance whose processors are known; else it is said why it is not.

    Raises OpdeployError where the endpoint does not answer.
    """
    from opdeploy import ui
    from opdeploy.cli.autoscaled import model_of, pod_of
    from opdeploy.deploy.loading import Endpoint, Where, document, instances, loaded
    from opdeploy.loadtest.sweep import Goal
    from opdeploy.local.demand import demand
    from opdeploy.local.served import Limits
    from opdeploy.local.subject import subject
    from opdeploy.ui.test_local import show_loaded

    platform, workload = observed.target, found.workload
    assert workload is not None  # noqa: S101 - what is deployed has one
    wanted = demand(workload, 0.0)
    goal = Goal(seconds, wanted.p95_ms)
    sizes = _sizes()
    model = model_of(found)
    what = instances(found.deploy, workload, sizes, pod_of(workload, model).threads if model else None)
    size = sizes[what.size] if what.size else None
    with subject(artefact, "model") as tried, ui.progress("load") as watch:
        seen = loaded(Endpoint(there.place, observed, key), tried, wanted.records, goal, watch)
        cpus, machine = _machine(platform, found, size)
        digest = tried.package.manifest.files[tried.variant(seen.told.variant).file]
        known = _expected(found, platform, size, machine, (digest, cpus, seen.records)) if what.number == 1 else None
        limits = Limits(cpus or 1.0, size.shape.memory_gib * 1.073741824 if size else None, platform)
        result = document(seen, tried, goal, Where(limits, machine, known))
    ui.tables(lambda console: show_loaded(console, observed.deployment, result))
    why = _not_kept(found, what.number, cpus)
    if why:
        ui.say(f"the measurement is not kept: {why}")
    else:
        _keep(found, result, artefact)


def _sizes() -> dict[str, Size]:
    from opdeploy.catalogue import load_market

    return load_market().sizes


def _machine(platform: str, found: Settings, size: Size | None) -> tuple[float | None, Machine]:
    """Return the processors of an instance, None where they are not known, and what is known of its machine."""
    from opdeploy.artifact.machine import Machine, describe
    from opdeploy.runtime.cpus import usable_cpus

    given = found.deploy.listening.cpus if platform in {"local", "vm"} else None
    if platform == "local":
        return given or usable_cpus(), describe()
    if size is None:
        return given, Machine(None, None, None, given or 1.0, (), 0.0, (), "")
    vcpus, threads = size.shape.vcpus, size.series.threads_per_core
    gpus = (str(size.series.gpu),) if size.gpu else ()
    memory = size.shape.memory_gib * 1.073741824
    known = [set(each.instruction_sets) for each in size.processors]
    sets = tuple(sorted(set.intersection(*known))) if known else ()
    return given or vcpus, Machine(None, None, threads, vcpus, sets, memory, gpus, "", size.id)


def _expected(
    found: Settings, platform: str, size: Size | None, machine: Machine, what: tuple[str, float | None, int]
) -> Predicted | None:
    """Return what an instance was expected to carry: on this machine by its measurements, else as it was sized."""
    from opdeploy.advisor.capacity import ability
    from opdeploy.advisor.needs import assess
    from opdeploy.advisor.offers import Shop, model_of
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.cli.answer import facts
    from opdeploy.cli.autoscaled import model_of as model_file
    from opdeploy.cli.options import day
    from opdeploy.loadtest.curve import short
    from opdeploy.local.predicted import predicted

    workload, model = found.workload, model_file(found)
    if workload is None or found.file is None or model is None:
        return None
    known = facts(found.file, workload, ())
    digest, cpus, records = what
    if platform == "local":
        return predicted(known.speeds.measured, digest, machine, cpus or 1.0, records)
    needs = assess(workload, size_on_disk(model) / 1e6)[0]
    if size is None or needs.job:
        return None
    able = ability(model_of(Shop(needs, known.market, known.speeds, day(None))), size, known.market)
    times = [branch.request for branch in able.branches]
    return {
        "value": short(1 / times[0].value),
        "low": short(1 / max(time.high for time in times)),
        "high": short(1 / min(time.low for time in times)),
        "p95_ms": short(1000 * (times[0].value * able.spread + able.branches[0].waits)),
        "from": f"the recommendation for {size.id} ({able.basis})",
    }


def _not_kept(found: Settings, number: int | None, cpus: float | None) -> str | None:
    """Say why what was found tells nothing of one instance, or is kept nowhere; None where it does, and is."""
    from opdeploy.artifact.size import is_artefact
    from opdeploy.cli.autoscaled import model_of
    from opdeploy.errors import InputError
    from opdeploy.local.keep import check_writable

    model = model_of(found)
    if number != 1:
        return "more than one instance may have answered" if number is None else f"{number} instances answered"
    if cpus is None:
        return "the processors of the machine are not known"
    if model is None or not is_artefact(model):
        return f"{model} is no artefact; make one with: opdeploy model package"
    try:
        check_writable(model)
    except InputError:
        return f"{model} is write-protected"
    return None


def _keep(found: Settings, result: Loaded, artefact: Path) -> None:
    """Keep a measurement in the workload's artefact; that it could not be is said, and no error: it was printed."""
    import json

    from opdeploy import ui
    from opdeploy.artifact.report import finite
    from opdeploy.cli.autoscaled import model_of
    from opdeploy.deploy.loading import name_of
    from opdeploy.errors import OpdeployError
    from opdeploy.local.keep import keep
    from opdeploy.runtime.package import MANIFEST, sha256

    model = model_of(found)
    assert model is not None  # noqa: S101 - the caller's condition
    try:
        new = keep(model, sha256(artefact / MANIFEST), name_of(result), json.dumps(finite(result), indent=1) + "\n")
    except OpdeployError as error:
        ui.say(f"the measurement is not kept: {error}")
        return
    ui.say(
        f"wrote the measurement into {model}, which has another digest now, and is another version if deployed again"
    )
    ui.say(f"sha256:{new}")
