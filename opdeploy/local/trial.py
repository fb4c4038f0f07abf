"""One trial of a server: ready, right, and how much it carries."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opdeploy.errors import DifferenceError
from opdeploy.loadtest.curve import short
from opdeploy.loadtest.generator import Server
from opdeploy.loadtest.sweep import sweep
from opdeploy.local import answers
from opdeploy.local.predicted import predicted
from opdeploy.local.served import Served
from opdeploy.local.server import explained, failure, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opdeploy.loadtest.sweep import Goal, Sweep
    from opdeploy.local.answers import Asked
    from opdeploy.local.requests import Requests
    from opdeploy.local.served import Image, Limits, Runtime
    from opdeploy.local.server import Running
    from opdeploy.local.subject import Subject
    from opdeploy.speed import Measured

    Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a trial."""

    runtime: Runtime
    limits: Limits
    requests: Requests
    ready_s: float
    """How long the server may take to get ready."""
    goal: Goal
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the server."""
    image: Image | None = None
    size: str | None = None
    """Of the cloud, that this machine has, where it is known."""
    measured: tuple[Measured, ...] = ()
    """What was known of the model before."""


def trial(subject: Subject, running: Running, plan: Plan, watch: Watch) -> Served:
    """Try a server that was started.

    Raises DifferenceError where its answers are wrong, else what tells how it failed, with its log as notes.
    """
    from opdeploy.artifact.machine import describe

    watch("waits until the server is ready")
    ready = wait_until_ready(running, plan.ready_s)
    watch("asks for the golden answers")
    with explained(running, "it was asked for the golden answers"):
        told = answers.about(running.address)
        variant = subject.variant(told.variant)
        checked = answers.check(running.address, told, subject, variant)
        _require_right(checked, subject)
    found, others = _loaded(running, plan.requests.on_the_wire(told.name), plan.goal, watch)
    digest, machine = subject.package.manifest.files[variant.file], describe(plan.size)
    return Served(
        kind="served",
        format=1,
        date=datetime.now(UTC).date().isoformat(),
        model=variant.name,
        sha256=digest,
        runtime=plan.runtime,
        limits=plan.limits,
        settings=dict(plan.settings),
        machine=machine,
        onnxruntime=told.onnxruntime,
        opdeploy=told.opdeploy,
        max_batch=told.max_batch,
        data=subject.records,
        carried=plan.requests.carried,
        records_per_request=plan.requests.size,
        image=plan.image,
        ready_s=short(ready),
        golden=checked,
        peak_memory_mb=short(running.peak_memory_mb()),
        slo_ms=plan.goal.slo_ms,
        limit_ms=found.limit_ms,
        requests_per_second=found.knee.rate if found.knee else None,
        capacity=found.capacity,
        knee=found.knee,
        finished=found.finished,
        points=found.points,
        other_cpus=others,
        predicted=predicted(plan.measured, digest, machine, plan.limits.cpus, plan.requests.size),
    )


def _require_right(checked: list[Asked], subject: Subject) -> None:
    wrong = next((item for item in checked if not item.agrees), None)
    if wrong is None:
        return
    raise DifferenceError(
        f"{subject.package.manifest.name}: {wrong.route}: the server gives other answers than the golden ones: "
        f"{wrong.where}; it is not fit to be deployed: verify the model with opdeploy model verify --golden"
    )


def _loaded(running: Running, made: list[bytes], goal: Goal, watch: Watch) -> tuple[Sweep, float]:
    """Load the server; return the curve, and how many processors other processes kept busy meanwhile."""
    host, port, *_ = running.address

    def cpu() -> float:
        if running.exit_code() is not None:
            raise failure(running, "ended under load")
        return running.cpu_seconds()

    before, mine, busy, start = cpu(), time.process_time(), _busy_seconds(), time.monotonic()
    try:
        found = sweep(Server(host, port, made), goal, cpu, lambda step: watch(f"loads it: {step}"))
    except OSError as error:
        if running.exit_code() is not None:
            raise failure(running, "ended under load") from None
        raise failure(running, f"takes no connection under load: {error or type(error).__name__}") from None
    ours = cpu() - before + time.process_time() - mine
    others = (_busy_seconds() - busy - ours) / (time.monotonic() - start)
    return found, short(max(0.0, others))


def _busy_seconds() -> float:
    """Return the processor time that this machine's processes have taken, as far as the system tells."""
    import psutil

    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))
