"""What a server carries on this machine, as a table and a few lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from opdeploy.ui import new_table, printable
from opdeploy.ui.model import figure, machine_line

if TYPE_CHECKING:
    from rich.console import Console

    from opdeploy.deploy.loading import Loaded
    from opdeploy.loadtest.curve import Point
    from opdeploy.local.predicted import Predicted
    from opdeploy.local.served import Limits, Served

_FIGURES = ("answered/s", "p50 ms", "p95 ms", "p99 ms", "errors", "CPU ms")
_FEW = 100
"""Requests of a step below which its p99 is the slowest of them."""
_NEARLY_ALL = 0.8
"""Of a processor: the one thread of the load generator has no more, and may be what is measured."""
_MUCH = 0.1
"""A share of the processors: more than this, taken by other processes, changes the figures."""


def show_served(console: Console, name: str, found: Served, peak: float | None) -> None:
    """Print the steps of the load, and what they say; `peak` is the workload's, in requests a second."""
    table = new_table("load", *_FIGURES, "", right=_FIGURES)
    for item in found.points:
        style = "bold" if item == found.knee else ""
        table.add_row(*_cells(item), _mark(item, found), style=style)
    console.print(table)
    console.print()
    for line in (*_results(name, found, peak), *_conditions(found)):
        console.print(printable(line), markup=False)


def show_loaded(console: Console, name: str, found: Loaded) -> None:
    """Print what a deployment carried, and what was expected of it."""
    kept = "none" if found.requests_per_second is None else f"{figure(found.requests_per_second)} requests/s"
    limit = f"p95 within {figure(found.limit_ms)} ms" + ("" if found.slo_ms else ", five times that of one client")
    lines = [
        f"{name}, loaded from here: {figure(found.capacity)} requests/s at most; kept with {limit}: {kept}.",
    ]
    if found.predicted:
        lines.append(gap(found.predicted, found.capacity, found.points[0].p95))
    else:
        lines.append(
            "Nothing was predicted: its size or its number of instances is not known, or its model was not measured."
        )
    for line in lines:
        console.print(printable(line), markup=False)


def _cells(item: Point) -> tuple[str, ...]:
    load = f"{item.connections} client{'s' if item.connections > 1 else ''}"
    if item.rate is not None:
        load = f"{figure(item.rate)}/s"
    times = (_latency(value) for value in item.latency_ms.values())
    cost = figure(item.cpu_ms_per_request) if item.cpu_ms_per_request else ""
    errors = f"{item.errors / item.requests:.1%}" if item.errors else "0"
    return (load, figure(item.requests_per_second), *times, errors, cost)


def _latency(milliseconds: float) -> str:
    return figure(milliseconds) if math.isfinite(milliseconds) else "none"


def _mark(item: Point, found: Served) -> str:
    from opdeploy.loadtest.curve import fails, grows

    if item == found.knee:
        return "knee"
    if item.rate is None:
        return ""
    if item.p95 > found.limit_ms:
        return "too slow"
    if fails(item):
        return "errors"
    return "slower and slower" if grows(item) else ""


def _results(name: str, found: Served, peak: float | None) -> list[str]:
    lines = [throughput(found)]
    if found.predicted:
        lines.append(gap(found.predicted, found.capacity, found.points[0].p95))
    if not found.finished:
        lines.append("The load ended before the highest rate was found and confirmed: a larger --seconds tells more.")
    if found.knee:
        busy = found.knee.server_cpus
        lines.append(f"At that rate the server keeps {busy:.2f} of {_processors(found.limits.cpus)} busy.")
    if found.requests_per_second and peak:
        count = math.ceil(peak / found.requests_per_second)
        servers = "one such server carries" if count == 1 else f"{count} such servers carry"
        lines.append(f"The workload's peak is {figure(peak)} requests/s: {servers} it.")
    kept = "" if found.limits.memory_gb is None else f" of {found.limits.memory_gb:g} GB"
    lines.append(f"Ready after {found.ready_s:.2g} s; memory: {found.peak_memory_mb:,.0f} MB{kept} at most.")
    if found.image:
        lines.append(f"Image: {found.image.size_mb:,.0f} MB, built in {found.image.build_s:.2g} s.")
    lines += [f"{item.route}: {item.records}: {item.where}." for item in found.golden]
    what = f"{name}, {found.model}, ONNX Runtime {found.onnxruntime}, {found.date}"
    records = "record" if found.records_per_request == 1 else "records"
    sent = "binary tensors" if found.carried == "tensors" else "JSON, prepared by the server"
    return [*lines, f"{what}; {found.records_per_request} {records} in a request, as {sent}."]


def throughput(found: Served) -> str:
    """Say which rate was kept, and within what latency."""
    wanted = found.slo_ms is not None
    limit = f"p95 within {figure(found.limit_ms)} ms" + ("" if wanted else ", five times that of one client")
    if found.requests_per_second is None:
        return f"No rate was kept with {limit}; one client has {_latency(found.points[0].p95)} ms."
    rate = figure(found.requests_per_second)
    records = figure(found.requests_per_second * found.records_per_request)
    more = "" if found.records_per_request == 1 else f", {records} records/s"
    return f"{'Throughput at the SLO' if wanted else 'Knee'}: {rate} requests/s{more} ({limit}, errors at most 1%)."


def gap(known: Predicted, observed: float, p95: float) -> str:
    """Say what was expected, in requests a second and of a lone one, and how far off that was."""
    off = observed / known["value"] - 1
    size = f"{abs(off):.0%}"
    how = "as expected" if size == "0%" else f"{size} {'more' if off > 0 else 'less'}"
    inside = "within" if known["low"] <= observed <= known["high"] else "outside"
    return (
        f"Predicted {figure(known['value'])} requests/s ({figure(known['low'])} to {figure(known['high'])}) from "
        f"{known['from']}; observed {figure(observed)}, {how}: {inside} the interval. p95 of one client: predicted "
        f"{figure(known['p95_ms'])}, observed {_latency(p95)} ms."
    )


def _within(limits: Limits) -> str:
    if limits.target is None:
        return ""
    if not limits.unknown:
        return f" within the limits of {limits.target}"
    unknown = ", ".join({"cpus": "processors", "memory_gb": "memory"}[name] for name in limits.unknown)
    return f" for {limits.target} (not known of it: {unknown})"


def _conditions(found: Served) -> list[str]:
    limits = found.limits
    memory = "memory not limited" if limits.memory_gb is None else f"{limits.memory_gb:g} GB"
    server = {"docker": "a container", "process": "a process"}[found.runtime]
    few = min(item.requests for item in found.points)
    generator = (found.knee or found.points[-1]).generator_cpus
    lines = [
        f"The server was {server}{_within(limits)}: {_processors(limits.cpus)}, {memory}.",
        f"The load generator took {generator:.2f} processors of this machine itself.",
    ]
    if max(item.generator_cpus for item in found.points) > _NEARLY_ALL:
        lines.append("In a step it took nearly a whole one: there it may be the limit, and not the server.")
    if few < _FEW:
        lines.append(f"A step had {few} requests: --seconds makes the steps longer, and their percentiles firmer.")
    if found.other_cpus > _MUCH * found.machine.usable_cpus:
        proxy = ", such as the engine's proxy," if found.runtime == "docker" else ""
        lines.append(f"Other processes{proxy} took {found.other_cpus:.2f} processors: without them it is faster.")
    return [*lines, machine_line(found.machine)]


def _processors(count: float) -> str:
    return f"{count:g} processor{'' if count == 1 else 's'}"
