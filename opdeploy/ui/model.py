"""What was tried, compared and measured of a model, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.ui import new_table, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from opdeploy.artifact.machine import Machine
    from opdeploy.artifact.measure import Carrying, Measurement
    from opdeploy.artifact.optimize import Optimised, Trial
    from opdeploy.artifact.verify import Verification
    from opdeploy.runtime.manifest import Evidence


def show_trials(console: Console, result: Optimised) -> None:
    """Print every variant that was tried, the fastest first, with what came of it, and why."""
    from rich.text import Text

    labelled = any(trial.evidence and trial.evidence.accuracy is not None for trial in result.trials)
    figures = ("records/s", "speed-up", "±", "accuracy" if labelled else "agree", "cosine")
    table = new_table("variant", *figures, "result", right=figures)
    for column in table.columns[1:]:
        column.no_wrap = True
    trials = sorted(result.trials, key=lambda item: -(item.speed_up or 0))
    for trial in trials:
        style = "bold" if trial.state == "best" else "" if trial.state == "accepted" else "dim"
        table.add_row(*map(Text, _cells(trial, result.rate, labelled=labelled)), style=style)
    console.print(table)
    console.print()
    for line in (*_reasons(trials), "", *_about(result)):
        console.print(printable(line), markup=False)


def _cells(trial: Trial, rate: float, *, labelled: bool) -> tuple[str, ...]:
    found = trial.evidence
    share = None if found is None else found.accuracy if labelled else found.agreement
    return (
        trial.name,
        "" if trial.speed_up is None else figure(rate * trial.speed_up),
        "" if trial.speed_up is None else f"{trial.speed_up:.2f}",
        _spread(trial),
        _percent(share),
        "" if found is None or found.cosine is None else f"{found.cosine:.4f}",
        trial.state,
    )


def _spread(trial: Trial) -> str:
    """Write half of what lies between the slowest and the fastest round, as a share of the speed-up."""
    if trial.spread is None or not trial.speed_up:
        return ""
    return f"{(trial.spread[1] - trial.spread[0]) / 2 / trial.speed_up:.0%}"


def _reasons(trials: Sequence[Trial]) -> list[str]:
    """Return why variants ended as they did; those that did so alike are told together."""
    names: dict[tuple[str, str], list[str]] = {}
    for trial in trials:
        state = "accepted" if trial.state == "best" else trial.state
        names.setdefault((state, trial.why), []).append(trial.name)
    order = ("accepted", "rejected", "failed", "skipped")
    found = sorted(names.items(), key=lambda item: order.index(item[0][0]))
    return [f"{state.capitalize()}: {', '.join(alike)}: {why}." for (state, why), alike in found]


def _about(result: Optimised) -> list[str]:
    from opdeploy.artifact.machine import VNNI

    best, verified = result.best, result.verified
    sets = ", ".join(verified.instruction_sets) or "instruction sets unknown"
    speed_up = best.speed_up or 1
    rate = f"{figure(result.rate * speed_up)} records/s at batch {result.batch}"
    lines = [
        f"Best: {best.name}, {rate}, {speed_up:.2f} times {result.reference.name}.{_over(result)}",
        f"Measured and verified on {verified.cpu or 'this processor'} ({sets}), ONNX Runtime {verified.onnxruntime}.",
        f"Judged on {result.judged_on}; calibrated with {result.calibrated_with}.",
    ]
    if best.evidence and best.why != "the same answers":
        lines += _trust(best.evidence)
    if best.precision == "int8" and not VNNI & set(verified.instruction_sets):
        lines.append("This processor has no VNNI: on one that has, INT8 is faster, and its sums do not saturate.")
    if best.precision == "int8" != result.reference.precision:
        lines.append(
            f"On an x86 without VNNI its sums may saturate: {result.reference.name} stays in the artefact, and the "
            "golden check at start decides which is served."
        )
    return lines


def _over(result: Optimised) -> str:
    """Say why a faster variant is not the best one, where there is one."""
    faster = [item for item in result.trials if item.state == "accepted" and item.speed_up and result.best.speed_up]
    faster = [item for item in faster if (item.speed_up or 0) > (result.best.speed_up or 0)]
    if not faster:
        return ""
    return f" {', '.join(item.name for item in faster)}: as fast within 5 %, with answers that are no better."


def _trust(found: Evidence) -> list[str]:
    from opdeploy.artifact.evidence import at_least

    if found.agreement is None:
        return []
    least = at_least(found.agreement, found.records)
    seen = f"The same class in {found.agreement:.2%} of {found.records} records"
    return [f"{seen} means: in {least:.1%} of all such records or more, with 95 % confidence."]


def show_verification(console: Console, found: Mapping[str, Verification]) -> None:
    """Print for each output how the answers compare, and where they are farthest apart."""
    from rich.text import Text

    table = new_table("model", "output", "result", "largest difference", right=("largest difference",))
    lines = []
    for name, item in found.items():
        if item.failure:
            table.add_row(*map(Text, (printable(name), "", "fails", "")))
            lines.append(f"{name}: {item.failure}")
        for difference in item.differences:
            result = "agrees" if difference.agrees else f"differs in {difference.mismatches:.2%}"
            cells = (name, difference.output, result, f"{difference.largest:.3g}")
            table.add_row(*map(Text, map(printable, cells)))
            if difference.mismatches:
                lines.append(f"{name}: {difference}")
    console.print(table)
    console.print()
    said = sorted({f"Compared on {item.data}; allowed: {item.allowed}." for item in found.values()})
    for line in (*lines, *said):
        console.print(printable(line), markup=False)


def show_measurement(console: Console, found: Measurement) -> None:
    """Print the curve of throughput and latency, its knee, and the machine."""
    table = new_table(
        "threads", "batch", "records/s", "spread", "p50 ms", "p95 ms", "p99 ms", "",
        right=("threads", "batch", "records/s", "spread", "p50 ms", "p95 ms", "p99 ms"),
    )  # fmt: skip
    for point in found.points:
        spread = f"{(point.high - point.low) / point.records_per_second:.1%}"
        mark = "knee" if point == found.knee else ""
        latency = map(figure, point.latency_ms.values())
        rate = figure(point.records_per_second)
        table.add_row(str(point.threads), str(point.batch), rate, spread, *latency, mark)
    console.print(table)
    console.print()
    for line in (*_results(found), machine_line(found.machine)):
        console.print(printable(line), markup=False)


def _results(found: Measurement) -> list[str]:
    knee = found.knee
    best = f"batch {knee.batch}, {_threads(knee.threads)}, {figure(knee.records_per_second)} records/s"
    largest = max(point.batch for point in found.points)
    more = "larger batches were not tried" if knee.batch == largest else "larger batches add little but latency"
    what = f"{found.model}, {found.provider}, ONNX Runtime {found.onnxruntime}, {found.date}"
    return [
        f"Knee: {best}; {more}.",
        *(
            f"With {_threads(item.threads)}: loads in {item.load_s:.2g} s, takes {item.peak_memory_mb:,.0f} MB at most."
            for item in found.loading
        ),
        *_requests(found.carrying),
        f"{what}; data: {found.data}; {_repetitions(found.points[0].repetitions)}.",
    ]


def _requests(carrying: Sequence[Carrying]) -> list[str]:
    """Say what a request costs a server that is kept busy, with the fewest records, for each number of processors."""
    fewest = min((item.records for item in carrying), default=0)
    costs = [
        f"{figure(item.ms)} ms with {item.cpus} processor{'s' if item.cpus > 1 else ''}"
        for item in carrying
        if item.records == fewest
    ]
    records = f" of {fewest} records" if fewest > 1 else ""
    return [f"A request{records} costs the server beside the run: {', '.join(costs)}."] if costs else []


def _repetitions(count: int) -> str:
    return "1 repetition" if count == 1 else f"{count} repetitions, of which the spread is the range"


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"


def machine_line(machine: Machine) -> str:
    """Describe a machine in one line."""
    cores = "cores unknown" if machine.cores is None else f"{machine.cores} cores"
    threads = "" if machine.threads_per_core is None else f", {machine.threads_per_core} per core"
    gpus = f"; {', '.join(machine.gpus)}" if machine.gpus else "; no GPU"
    sets = ", ".join(machine.instruction_sets)
    size = f"{machine.size}: " if machine.size else ""
    return (
        f"{size}{machine.cpu or 'processor unknown'}, {cores} ({machine.usable_cpus:g} usable threads{threads}), "
        f"{machine.memory_gb:g} GB{gpus}; {sets}"
    )


def figure(value: float | None) -> str:
    """Write a figure with three digits or so."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits before the point


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.2%}"
