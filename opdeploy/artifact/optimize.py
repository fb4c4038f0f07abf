"""Tries variants of a model, measures and checks each, and keeps the fastest whose answers stay right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Literal

from opdeploy.artifact import evidence, graph, variants
from opdeploy.artifact.machine import describe
from opdeploy.artifact.samples import fixed_batch
from opdeploy.artifact.timing import alternate, block, speed_ups
from opdeploy.artifact.variants import Candidate, candidates, quiet, threaded
from opdeploy.errors import DifferenceError, OpdeployError
from opdeploy.runtime.manifest import Verified
from opdeploy.runtime.session import Session
from opdeploy.runtime.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opdeploy.artifact.evidence import Task, Verdict
    from opdeploy.artifact.samples import Samples
    from opdeploy.artifact.timing import Block
    from opdeploy.runtime.manifest import Evidence
    from opdeploy.runtime.session import Arrays

NOISE = 1.05
"""How much faster a variant must be than the reference to be worth it: less is lost in the noise of a machine."""
FEWEST_TO_SPLIT = 8
"""Records from which on one half calibrates and the other one judges."""

State = Literal["best", "accepted", "rejected", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the variants are tried for."""

    batch: int = 1
    """Records in one run, where the graph leaves that free."""
    max_accuracy_loss: float = 0.01
    """Share of the accuracy that may be lost, from 0 to 1."""
    task: Task = "auto"
    rounds: int = 5
    seconds: float = 0.5
    """Length of one block of runs."""
    judged: Callable[[Arrays, Arrays], Arrays] = lambda outputs, _: outputs
    """Makes what is judged of a model's outputs and inputs."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one variant."""

    name: str
    precision: str
    settings: Settings
    state: State
    why: str
    records_per_second: float | None = None
    reference_records_per_second: float | None = None
    """Of the reference, in the same rounds."""
    speed_up: float | None = None
    """Against the reference, run by turns."""
    spread: tuple[float, float] | None = None
    """The least and the largest speed-up of a round."""
    evidence: Evidence | None = None
    graph: Path | None = None
    """File of its graph."""


@dataclass(frozen=True, slots=True)
class Optimised:
    """All that was tried: the reference first, then in the order of trial."""

    trials: list[Trial]
    batch: int
    verified: Verified
    judged_on: str
    calibrated_with: str

    @property
    def best(self) -> Trial:
        """The variant to serve."""
        return next(trial for trial in self.trials if trial.state == "best")

    @property
    def rate(self) -> float:
        """Records per second of the reference: the median over all trials, since a machine is not always as fast."""
        rates = [item.reference_records_per_second or item.records_per_second for item in self.trials]
        return median(rate for rate in rates if rate)

    @property
    def reference(self) -> Trial:
        """The graph as it is."""
        return self.trials[0]


@dataclass(frozen=True, slots=True)
class _Bench:
    """What every trial needs."""

    model: Path
    folder: Path
    samples: Samples
    batch: int
    goal: Goal
    references: Arrays
    baseline: Session


def optimize(
    model: Path,
    samples: Samples,
    goal: Goal,
    folder: Path,
    propose: Callable[[Path, Samples, int | None], Sequence[Candidate]] = candidates,
    watch: Callable[[str], None] = lambda _: None,
) -> Optimised:
    """Try variants of a model and write their graphs to a folder; `watch` is told what is tried next.

    Raises DifferenceError where ONNX Runtime gives other answers than the graph as exported, OpdeployError where the
    model fails on the samples.
    """
    graph.load(model, weights=False)
    baseline = Session(model)
    fixed = fixed_batch(baseline.inputs)
    calibration, judged = _halves(samples)
    # As exported, a quantised graph is computed in fp32 between its steps of 8 bits, which is not what it is for.
    as_exported = Settings() if variants.precision(model) == "int8" else Settings(level="disable")
    bench = _Bench(
        model,
        folder,
        judged,
        fixed or goal.batch,
        goal,
        _answers(Session(model, as_exported), judged, fixed or goal.batch, goal),
        baseline,
    )
    watch("the model as it is")
    reference = _reference(bench)
    trials = [reference]
    for candidate in propose(model, calibration, fixed):
        watch(candidate.name)
        trials.append(_tried(bench, candidate))
    quickest = fastest(trials)
    for candidate in threaded(Candidate(quickest.name, quickest.precision, quickest.settings, graph=quickest.graph)):
        watch(candidate.name)
        trials.append(_tried(bench, candidate))
    quickest = fastest(trials)
    return Optimised(
        trials=[replace(trial, state="best") if trial is quickest else trial for trial in trials],
        batch=bench.batch,
        verified=verified_here(),
        judged_on=f"{len(judged)} records, {samples.source}",
        calibrated_with=f"{min(len(calibration), variants.CALIBRATED)} records, {samples.source}",
    )


def verified_here() -> Verified:
    """Return where and when answers are checked: here, today."""
    import onnxruntime

    machine = describe()
    return Verified(
        datetime.now(UTC).date().isoformat(),
        machine.cpu,
        machine.instruction_sets,
        machine.gpus,
        onnxruntime.__version__,
    )


def _halves(samples: Samples) -> tuple[Samples, Samples]:
    """Return the records that calibrate and those that judge; all do both where there are few."""
    if len(samples) < FEWEST_TO_SPLIT:
        return samples, samples
    return samples.take(slice(0, None, 2)), samples.take(slice(1, None, 2))


def _reference(bench: _Bench) -> Trial:
    import numpy as np

    for name, array in bench.references.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise OpdeployError(
                f"{bench.model}: gives what is not a finite number in {name!r} for {bench.samples.source}; "
                "nothing can be compared with that"
            )
    verdict = _judged(bench, bench.baseline)
    if verdict.why != "the same answers":
        raise DifferenceError(
            f"{bench.model}: ONNX Runtime's optimised graph gives other answers than the graph as exported "
            f"({verdict.why}); export the model again, with another opset"
        )
    rate = median(item.rate for item in alternate({"": _block(bench, bench.baseline)}, bench.goal.rounds)[""])
    name = variants.precision(bench.model)
    return Trial(
        name, name, Settings(), "accepted", "the reference", rate, rate, 1.0, None, verdict.evidence, bench.model
    )


def _tried(bench: _Bench, candidate: Candidate) -> Trial:
    """Make, check and measure a variant; whatever goes wrong is its result."""
    trial = Trial(candidate.name, candidate.precision, candidate.settings, "skipped", candidate.skipped)
    if candidate.skipped:
        return trial
    file = bench.folder / f"{candidate.name}.onnx" if candidate.make else candidate.graph or bench.model
    try:
        if candidate.make:
            with quiet():
                candidate.make(file)
        session = Session(file, candidate.settings)
        verdict = _judged(bench, session)
        tasks = {"": _block(bench, bench.baseline), "mine": _block(bench, session)}
        blocks = alternate(tasks, bench.goal.rounds)
        ratios = speed_ups(blocks["mine"], blocks[""])
    except variants.NotApplicableError as error:
        return replace(trial, why=str(error))
    except Exception as error:  # noqa: BLE001  the tools raise what they like, and none of it is the user's fault
        return replace(trial, state="failed", why=" ".join(f"{error}".split())[:200] or type(error).__name__)
    return replace(
        trial,
        state="accepted" if verdict.accepted else "rejected",
        why=verdict.why,
        records_per_second=median(item.rate for item in blocks["mine"]),
        reference_records_per_second=median(item.rate for item in blocks[""]),
        speed_up=median(ratios),
        spread=(min(ratios), max(ratios)),
        evidence=verdict.evidence,
        graph=file,
    )


def _judged(bench: _Bench, session: Session) -> Verdict:
    outputs = _answers(session, bench.samples, bench.batch, bench.goal)
    return evidence.judge(outputs, bench.references, bench.samples, bench.goal.max_accuracy_loss, bench.goal.task)


def _answers(session: Session, samples: Samples, batch: int, goal: Goal) -> Arrays:
    return goal.judged(evidence.answers(session, samples, batch), samples.inputs)


def _block(bench: _Bench, session: Session) -> Callable[[], Block]:
    return partial(block, session, bench.samples.batch(bench.batch), bench.goal.seconds)


def fastest(trials: Sequence[Trial]) -> Trial:
    """Return the fastest accepted variant, of those that are as fast the one with the best answers.

    It is the reference, where no other is clearly faster.
    """
    accepted = [item for item in trials if item.state == "accepted"]
    most = max(item.speed_up or 0 for item in accepted)
    return max((item for item in accepted if (item.speed_up or 0) * NOISE >= most), key=_rightness)


def _rightness(trial: Trial) -> tuple[float, ...]:
    found = trial.evidence
    if found is None:
        return (0, 0, 0, 0)
    return (found.accuracy or 0, found.agreement or 0, found.cosine or 0, trial.speed_up or 0)
