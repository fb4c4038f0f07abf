"""`opdeploy test-local`."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from opdeploy.cli.options import DEFAULT, File, SizeName, WorkloadFile, format_of, require_alive, require_size
from opdeploy.cli.test_local_options import (
    BaseImage,
    Cpus,
    KeepImage,
    Memory,
    Model,
    NoSave,
    Output,
    OutputName,
    Records,
    Runtime,
    Seconds,
    Send,
    Setting,
    Slo,
    Target,
    Timeout,
    Wheels,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opdeploy.local.demand import Demand
    from opdeploy.local.limits import Wanted
    from opdeploy.local.requests import Requests
    from opdeploy.local.served import Limits, Served
    from opdeploy.local.served import Runtime as RuntimeOf
    from opdeploy.local.start import Containers
    from opdeploy.platform import Profile

_PACKAGES = ("granian", "httptools", "msgspec", "numpy", "onnx", "onnxruntime", "orjson", "psutil")
SETTINGS = ("threads", "max-batch", "max-delay-ms", "max-queue", "max-wait", "deadline", "max-body-mb", "max-json-mb")
"""Settings of the server that may be tried; the others decide where and by whom it is asked."""


def try_locally(
    model: Model = None,
    *,
    workload: WorkloadFile = None,
    target: Target = None,
    runtime: Runtime = None,
    cpus: Cpus = None,
    memory: Memory = None,
    size: SizeName = None,
    slo_ms: Slo = None,
    records: Records = None,
    send: Send = "tensors",
    seconds: Seconds = 25.0,
    timeout: Timeout = 120.0,
    setting: Setting = None,
    base_image: BaseImage = None,
    wheels: Wheels = None,
    keep_image: KeepImage = False,
    no_save: NoSave = False,
    output: Output = None,
    file: File = None,
) -> None:
    """Try a model's server on this machine: start it, ask for the golden answers, load it, and measure.

    The load rises until p95 or errors pass what is wanted; the rate that was kept is written into the artefact. Without
    a model, that of the workload file is tried, workload.yaml if none is named.

    Exits with 1 when the server fails or no rate keeps the latency wanted, with 4 when the target can be had no more,
    and with 5 when its answers are wrong.
    """
    require_packages()
    from opdeploy import files, ui
    from opdeploy.artifact.speeds import of_model
    from opdeploy.cli.containers import Building
    from opdeploy.cli.containers import containers as containers_of
    from opdeploy.loadtest.sweep import Goal
    from opdeploy.local.limits import Wanted
    from opdeploy.local.requests import requests
    from opdeploy.local.start import Start, started
    from opdeploy.local.subject import subject
    from opdeploy.local.trial import Plan, trial

    form = format_of(output, file, get_args(OutputName))
    if file:
        files.check_place(file)
    require_size(size)
    chosen = _chosen(model, workload)
    variables = _variables(setting or [])
    kept = _kept(chosen.model, no_save=no_save)
    demand = chosen.demand
    with ExitStack() as stack:
        profile = _target(target) if target else None
        containers = containers_of(runtime, Building(base_image, wheels, keep_image), profile, stack)
        limits = _limits(profile, Wanted(cpus, memory, demand.memory_gb), containers)
        tried = stack.enter_context(subject(chosen.model, chosen.name))
        made = requests(tried, send, records or demand.records)
        _say_too_large(profile, made)
        goal = Goal(seconds, slo_ms or demand.p95_ms)
        start = Start(limits, containers, variables)
        with (
            evidence(),
            ui.progress("test-local") as watch,
            started(tried.package, start, watch) as (running, image),
        ):
            kind: RuntimeOf = "docker" if containers else "process"
            plan = Plan(kind, limits, made, timeout, goal, variables, image, size, of_model(chosen.model).measured)
            found = trial(tried, running, plan, watch)
        name, digest = tried.package.manifest.name, tried.package.digest
    _say_kept(found)
    _deliver(name, found, demand.peak, form, file)
    if kept:
        _keep(chosen.model, digest, found)
    _require_kept(name, found)


def _target(name: str) -> Profile:
    """Return a platform; raises InputError where there is none of that name, NoPlatformError where it has ended."""
    from opdeploy.catalogue import load_catalogue

    profile = load_catalogue().find(name, "--target")
    require_alive(profile)
    return profile


def require_packages() -> None:
    """Raise InputError where a package of the extra `local` is missing."""
    from importlib.util import find_spec

    from opdeploy.errors import InputError

    for name in _PACKAGES:
        if find_spec(name) is None:
            raise InputError(f"the package {name} is missing; pip install 'opdeploy[local]'")


class _Chosen(NamedTuple):
    """What is tried, and what is demanded of it."""

    model: Path
    name: str
    demand: Demand


def _chosen(model: Path | None, workload: Path | None) -> _Chosen:
    """Return the model that was named, or that of the workload, with what the workload demands."""
    from opdeploy.artifact.size import size_on_disk
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.model.options import name_of
    from opdeploy.errors import InputError
    from opdeploy.local.demand import demand
    from opdeploy.workload_file import exists, load_workload

    if model is None and workload is None and not DEFAULT.exists():
        raise InputError(f"name a model, or a workload file with --workload; here is no {DEFAULT}")
    if model is None:
        workload = workload or DEFAULT
    asked = load_workload(workload, load_catalogue().all_ids) if workload else None
    if model is None and workload and asked:
        if asked.model.path is None:
            raise InputError(f"{workload}: model.path: names no model; write it there, or name one: test-local MODEL")
        model = workload.parent / asked.model.path
    if model and model.suffix.lower() in (".yaml", ".yml"):
        raise InputError(f"{model}: is no model; a workload file is named with --workload {model}")
    if model is None or not exists(model):
        raise InputError(f"{model}: no such model; name an artefact or an ONNX file")
    return _Chosen(model, name_of(None, model), demand(asked, size_on_disk(model) / 1e6))


def _variables(settings: list[str]) -> dict[str, str]:
    """Return the variables of the server that settings, `name=value`, stand for."""
    from opdeploy.errors import InputError, nearest

    found = {}
    for item in settings:
        name, sign, value = item.partition("=")
        if name not in SETTINGS or not sign or not value:
            why = (
                "give it a value, such as max-batch=1"
                if name in SETTINGS
                else f"no such setting{nearest(name, [*SETTINGS])}"
            )
            raise InputError(f"--setting {item}: {why}")
        found[f"OPDEPLOY_{name.upper().replace('-', '_')}"] = value
    return found


def _kept(model: Path, *, no_save: bool) -> bool:
    """Tell whether the measurement goes into the artefact; raises InputError where it should, and cannot."""
    from opdeploy.artifact.size import is_artefact
    from opdeploy.local.keep import check_writable

    if no_save or not is_artefact(model):
        return False
    check_writable(model)
    return True


def _limits(profile: Profile | None, wanted: Wanted, containers: Containers | None) -> Limits:
    """Return what the server gets; what has to be said of it is said."""
    import psutil

    from opdeploy import ui
    from opdeploy.local.limits import Room, limits
    from opdeploy.runtime.cpus import usable_cpus

    room = Room(usable_cpus(), round(psutil.virtual_memory().total / 1e9, 1))
    if containers:
        about = containers.engine.about()
        room = Room(about.cpus, round(about.memory / 1e9, 1))
    found, said = limits("docker" if containers else "process", wanted, profile, room)
    for line in said:
        ui.warn(line)
    return found


def _say_too_large(profile: Profile | None, made: Requests) -> None:
    from opdeploy import ui
    from opdeploy.local.limits import too_large

    said = profile and too_large(profile, made.megabytes)
    if said:
        ui.warn(said)


@contextmanager
def evidence() -> Iterator[None]:
    """Say what is known of a failure, or of what an interrupt leaves, before its error."""
    from opdeploy import ui
    from opdeploy.errors import OpdeployError

    try:
        yield
    except (OpdeployError, KeyboardInterrupt, SystemExit) as error:
        for note in (*getattr(error, "lines", ()), *getattr(error, "__notes__", ())):
            ui.say(note)
        raise


def _say_kept(found: Served) -> None:
    from opdeploy import ui

    if found.image and found.image.name:
        from opdeploy.local.container import kept_image

        ui.say(kept_image(found.image.name))


def _require_kept(name: str, found: Served) -> None:
    """Raise OpdeployError where a latency was wanted, and no rate keeps it."""
    from opdeploy.errors import OpdeployError

    if found.slo_ms and found.requests_per_second is None:
        raise OpdeployError(
            f"{name}: no rate keeps p95 within {found.slo_ms:g} ms here: one client has {found.points[0].p95:g} ms; "
            "give it more processors or a faster variant, or ask for less"
        )


def _deliver(name: str, found: Served, peak: float | None, form: OutputName, file: Path | None) -> None:
    from opdeploy import ui
    from opdeploy.artifact.report import written

    if form == "json":
        ui.deliver(written(found), file)
        return
    from opdeploy.ui.test_local import show_served

    ui.tables(lambda console: show_served(console, name, found, peak), file)


def _keep(model: Path, digest: str, found: Served) -> None:
    from opdeploy import ui
    from opdeploy.artifact.report import written
    from opdeploy.local.keep import keep
    from opdeploy.local.served import name_of

    new = keep(model, digest, name_of(found), written(found))
    ui.say(f"wrote the measurement into {model}, which has another digest now")
    ui.say(f"sha256:{new}")
