"""What was tried, compared and measured of a model, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.ui import new_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from opdeploy.artifact.machine import Machine
    from opdeploy.artifact.measure import Measurement
    from opdeploy.artifact.optimize import Optimised, Trial
    from opdeploy.artifact.verify import Verification
    from opdeploy.runtime.manifest import Evidence


def show_trials(console: Console, result: Optimised) -> None:
    """Print every variant that was tried, the fastest first, with what came of it."""
    from rich.text import Text

    table = new_table(
        "variant", "records/s", "speed-up", "agree", "cosine", "accuracy", "result",
        right=("records/s", "speed-up", "agree", "cosine", "accuracy"),
    )  # fmt: skip
    table.columns[0].no_wrap = True
    for trial in sorted(result.trials, key=lambda item: -(item.speed_up or 0)):
        style = "bold" if trial.state == "best" else "" if trial.state == "accepted" else "dim"
        table.add_row(*map(Text, _cells(trial)), style=style)
    console.print(table)
    console.print()
    for line in _about(result):
        console.print(line, markup=False)


def _cells(trial: Trial) -> tuple[str, ...]:
    found = trial.evidence
    return (
        trial.name,
        _figure(trial.records_per_second),
        "" if trial.speed_up is None else f"{trial.speed_up:.2f}",
        _percent(found.agreement if found else None),
        "" if found is None or found.cosine is None else f"{found.cosine:.4f}",
        _percent(found.accuracy if found else None),
        f"{trial.state}: {trial.why}",
    )


def _about(result: Optimised) -> list[str]:
    from opdeploy.artifact.machine import VNNI

    best, verified = result.best, result.verified
    sets = ", ".join(verified.instruction_sets) or "instruction sets unknown"
    rate = f"{_figure(best.records_per_second)} records/s at batch {result.batch}"
    lines = [
        f"Best: {best.name}, {rate}, {best.speed_up or 1:.2f} times {result.reference.name}.",
        f"Measured and verified on {verified.cpu or 'this processor'} ({sets}), ONNX Runtime {verified.onnxruntime}.",
        f"Judged on {result.judged_on}; calibrated with {result.calibrated_with}.",
    ]
    if best.evidence and best.why != "the same answers":
        lines += _trust(best.evidence)
    if best.precision == "int8" and not VNNI & set(verified.instruction_sets):
        lines.append("This processor has no VNNI: on one that has, INT8 is faster, and its sums do not saturate.")
    if best.precision == "int8":
        lines.append(
            f"On an x86 without VNNI its sums may saturate: {result.reference.name} stays in the artefact, and the "
            "golden check at start decides which is served."
        )
    return lines


def _trust(found: Evidence) -> list[str]:
    from opdeploy.artifact.evidence import at_least

    if found.agreement is None:
        return []
    least = at_least(found.agreement, found.records)
    seen = f"The same class in {found.agreement:.2%} of {found.records} records"
    return [f"{seen} means: in {least:.1%} of all such records or more, with 95 % confidence."]


def show_verification(console: Console, found: Mapping[str, Verification]) -> None:
    """Print for each output how the answers compare."""
    from rich.text import Text

    table = new_table("model", "output", "result", "largest difference", "where", "answer", "reference")
    for name, item in found.items():
        if item.failure:
            table.add_row(*map(Text, (name, "", f"fails: {item.failure}")))
        for difference in item.differences:
            cells = (
                name,
                difference.output,
                "agrees" if difference.agrees else f"differs in {difference.mismatches:.2%}",
                f"{difference.largest:.3g}",
                str(list(difference.where)) if difference.where else "",
                difference.answer,
                difference.reference,
            )
            table.add_row(*map(Text, cells))
    console.print(table)
    for data in sorted({item.data for item in found.values()}):
        console.print(f"Compared on {data}.", markup=False)


def show_measurement(console: Console, found: Measurement) -> None:
    """Print the curve of throughput and latency, its knee, and the machine."""
    table = new_table(
        "threads", "batch", "records/s", "from", "to", "p50 ms", "p95 ms", "p99 ms", "",
        right=("threads", "batch", "records/s", "from", "to", "p50 ms", "p95 ms", "p99 ms"),
    )  # fmt: skip
    for point in found.points:
        figures = (point.records_per_second, point.low, point.high, *point.latency_ms.values())
        mark = "knee" if point == found.knee else ""
        table.add_row(str(point.threads), str(point.batch), *map(_figure, figures), mark)
    console.print(table)
    console.print()
    for line in (*_results(found), _machine(found.machine)):
        console.print(line, markup=False)


def _results(found: Measurement) -> list[str]:
    knee = found.knee
    best = f"batch {knee.batch}, {_threads(knee.threads)}, {_figure(knee.records_per_second)} records/s"
    what = f"{found.model}, {found.provider}, ONNX Runtime {found.onnxruntime}, {found.date}"
    return [
        f"Knee: {best}; larger batches add little but latency.",
        *(
            f"With {_threads(item.threads)}: loads in {item.load_s:.2g} s, takes {item.peak_memory_mb:,.0f} MB at most."
            for item in found.loading
        ),
        f"{what}; data: {found.data}; {found.points[0].repetitions} repetitions.",
    ]


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def _machine(machine: Machine) -> str:
    cores = "cores unknown" if machine.cores is None else f"{machine.cores} cores"
    threads = "" if machine.threads_per_core is None else f", {machine.threads_per_core} per core"
    gpus = f"; {', '.join(machine.gpus)}" if machine.gpus else "; no GPU"
    sets = ", ".join(machine.instruction_sets)
    return (
        f"{machine.cpu or 'processor unknown'}, {cores} ({machine.usable_cpus:g} usable threads{threads}), "
        f"{machine.memory_gb:g} GB{gpus}; {sets}"
    )


def _figure(value: float | None) -> str:
    """Write a figure with three digits or so."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits before the point


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
