"""What one instance of a size can do, from what was measured elsewhere: a time, an interval, and how good it is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opdeploy.advisor import scaling
from opdeploy.advisor.named import is_named
from opdeploy.speed import CPU, Estimate, Run, Served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opdeploy.market import Market
    from opdeploy.market.sizes import Generation, Size
    from opdeploy.market.speeds import Known
    from opdeploy.recommendation import Basis
    from opdeploy.speed import Machine, Measured, Speeds, Variant

OTHER_PROCESSOR = Estimate(1.0, 0.8, 1.33)
"""Time on another processor with the same instruction sets: clocks and caches differ by a quarter. A judgement."""
UNKNOWN_PROCESSOR = Estimate(1.0, 0.4, 2.5)
"""The same where the measurement does not say on what it was made. A judgement."""
WITHOUT_AVX512 = Estimate(1.5, 1.0, 2.0)
"""Time without AVX-512 against that with it: half the width, and nothing where a run waits for memory. A judgement."""
WITHOUT_VNNI = Estimate(3.0, 1.5, 6.0)
"""Time of INT8 without VNNI against that with it: three instructions for one, each of half the width (ONNX Runtime,
its MLAS kernels for U8X8), and less where a run does other things too. A judgement."""
GFLOPS_OF_A_CORE = Estimate(40.0, 8.0, 190.0)
"""Floating-point operations a second, in 10^9, of FP32 on one core. Low: the chapter, ResNet-152 on a DS15. High: ONNX
Runtime 1.32, ResNet-50 on an AMD EPYC with AVX-512, measured 2026-11-25. The value between is a judgement."""
DEFAULT_SPREAD = 1.3
"""95th percentile of the time of a run over its median, where none was measured."""
DECODING_S = Estimate(0.03, 0.02, 0.06)
"""Seconds of one core for a megabyte of JPEG: Pillow 12, decoded and made small, 0.64 to 12 megapixels, measured
2026-11-27 (27 to 34 ms); an older processor takes twice as long."""
SIBLING = 1.3
"""What a second thread adds to a core at most: D. T. Marr et al., Intel Technology Journal 6(1), 2002, says 30 %."""
BATCHED = 8
"""Records of requests that wait together, which a GPU computes together, at most."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What one instance does where some generations of processors serve it; times in seconds."""

    processors: tuple[str, ...]
    """Names of the generations; empty where nothing depends on them."""
    request: Estimate
    """Time for which an instance is busy with a request, when many wait."""
    waits: float
    """Time for which a request waits in addition for others that it is computed with."""
    record: Estimate
    """Time of a record in a run over many."""


@dataclass(frozen=True, slots=True)
class Ability:
    """What one instance of a size does, by the processors that may serve it: the slowest first."""

    branches: tuple[Branch, ...]
    spread: float
    """95th percentile of the time of a request over its mean, at an instance that does nothing else."""
    basis: Basis
    variant: str | None
    """The form of the model that it runs; None where that is not known."""
    precision: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """What is known of the model and of its requests."""

    name: str | None
    gflops: float
    records: int
    """In a request."""
    payload_mb: float
    images: bool
    """Whether requests bring images that have to be decoded."""
    speeds: Speeds


def ability(model: Model, size: Size, market: Market) -> Ability:
    """Return what an instance of a size does with a model."""
    return _on_gpu(model, size, market) if size.gpu else _on_cpu(model, size, market)


def _on_cpu(model: Model, size: Size, market: Market) -> Ability:
    cores = usable_cores(size)
    found = _best(_on_cpus(model.speeds), size, cores, model.records)
    if found is None:
        return _guessed_on_cpu(model, size, market, cores)
    item, variant = found
    form = variant.precision if variant else "fp32"
    here = item.machine.size == size.id
    request, record = _times(item, model.records, cores)
    waits = _waits(item, model.records, cores, request)
    prepared = isinstance(item, Served) and item.carried == "records"
    decoding = None if prepared else _decoding(model, cores)
    if decoding:
        request, record = _sum(request, decoding), _sum(record, _scaled(decoding, 1 / model.records))
    if here:
        branches = [Branch((), request, waits, record)]
    else:
        branches = [
            Branch(names, _roomy(request.times(factor), size), waits * factor.value, _roomy(record.times(factor), size))
            for names, factor in _factors(item.machine, size, form)
        ]
    why = [_said(item, variant)]
    if not here:
        why.append(f"carried over to {cores:g} cores of {size.id}")
    if len(branches) > 1:
        why += map(_branch_said, branches)
    return Ability(
        branches=tuple(sorted(branches, key=lambda branch: -branch.request.value)),
        spread=_spread(item, model.records, cores),
        basis="measured" if here else "scaled",
        variant=variant.name if variant else None,
        precision=form,
        why=tuple(why),
    )


def usable_cores(size: Size) -> float:
    """Return the physical cores that an instance has for long."""
    return size.cores * (size.series.baseline or 1.0)


def _on_cpus(speeds: Speeds) -> Iterator[tuple[Measured, Variant | None]]:
    """Yield what was measured on processors, with the form of the model that it was."""
    forms = {variant.sha256: variant for variant in speeds.variants}
    for item in speeds.measured:
        if item.provider == CPU:
            yield item, forms.get(item.sha256)


def _best(
    found: Iterable[tuple[Measured, Variant | None]], size: Size, cores: float, records: int
) -> tuple[Measured, Variant | None] | None:
    """Return what was measured of the fastest form here: of this size, and of a server with such requests, if it was.

    Which form is the fastest the slowest processors decide that may serve the size.
    """

    def seconds(pair: tuple[Measured, Variant | None]) -> tuple[bool, float]:
        item, variant = pair
        here = item.machine.size == size.id
        form = variant.precision if variant else "fp32"
        slower = 1.0 if here else max(factor.value for _, factor in _factors(item.machine, size, form))
        return not here, _times(item, records, cores)[0].value * slower

    def rank(pair: tuple[Measured, Variant | None]) -> tuple[bool, bool, float]:
        elsewhere, time = seconds(pair)
        fits = isinstance(pair[0], Served) and pair[0].records_per_request == records
        return elsewhere, not fits, time

    forms: dict[str, tuple[Measured, Variant | None]] = {}
    for pair in sorted(found, key=rank):
        forms.setdefault(pair[0].sha256, pair)
    return min(forms.values(), key=seconds, default=None)


def _times(item: Measured, records: int, cores: float) -> tuple[Estimate, Estimate]:
    """Return the time of a request and of a record on so many cores of the machine that was measured."""
    if isinstance(item, Run):
        return scaling.request_seconds(item, records, cores), scaling.record_seconds(item, cores)
    each = 1 / item.capacity
    had = item.limits.cpus / (item.machine.threads_per_core or 1)
    request = scaling.seconds_on(Estimate(each, each / 1.1, each * 1.1), had, cores)
    record = _scaled(request, 1 / item.records_per_request)
    return _scaled(request, records / item.records_per_request), record


def _waits(item: Measured, records: int, cores: float, request: Estimate) -> float:
    """Return the time for which a request waits for others that it is computed with."""
    if not isinstance(item, Run):
        return 0.0
    alone = scaling.request_seconds(item, records, cores, together=records)
    return max(0.0, alone.value - request.value)


def _spread(item: Measured, records: int, cores: float) -> float:
    """Return the 95th percentile of the time of a request over its mean, where it waits for no other one."""
    if isinstance(item, Run):
        return scaling.latency_ratio(item, records, cores).value
    for step in item.points:
        p50, p95 = step.latency_ms.get("p50"), step.latency_ms.get("p95")
        if step.connections == 1 and step.loop == "closed" and p50 and p95:
            return max(1.0, p95 / p50)
    return DEFAULT_SPREAD


def _factors(machine: Machine, size: Size, precision: str) -> list[tuple[tuple[str, ...], Estimate]]:
    """Return, for each kind of processors that may serve a size, by what the time there differs."""
    if not machine.instruction_sets:
        return [((), UNKNOWN_PROCESSOR)]
    kinds: dict[Estimate, list[str]] = {}
    for name, sets in _kinds(size.processors):
        kinds.setdefault(_factor(set(machine.instruction_sets), sets, precision), []).append(name)
    return [(tuple(names) if len(kinds) > 1 else (), factor) for factor, names in kinds.items()]


def _kinds(processors: Sequence[Generation]) -> list[tuple[str, set[str]]]:
    if processors:
        return [(each.title, set(each.instruction_sets)) for each in processors]
    # Where nothing tells, there are those with AVX-512 and VNNI, and those without.
    return [("a processor with AVX-512", {"avx2", "avx512f", "avx512_vnni"}), ("one without", {"avx2"})]


def _factor(mine: set[str], there: set[str], precision: str) -> Estimate:
    vnni = {"avx_vnni", "avx512_vnni"}
    if precision == "int8":
        has, other, loss = bool(mine & vnni), bool(there & vnni), WITHOUT_VNNI
    else:
        has, other, loss = "avx512f" in mine, "avx512f" in there, WITHOUT_AVX512
    if has == other:
        return OTHER_PROCESSOR
    return OTHER_PROCESSOR.times(loss if has else Estimate(1 / loss.value, 1 / loss.high, 1 / loss.low))


def _roomy(time: Estimate, size: Size) -> Estimate:
    """Widen a time where threads share cores: a second thread may add something, which is not counted on."""
    return replace(time, low=time.low / SIBLING) if size.series.threads_per_core > 1 else time


def _guessed_on_cpu(model: Model, size: Size, market: Market, cores: float) -> Ability:
    known = _known(market, model.name, "core")
    rate = GFLOPS_OF_A_CORE
    basis: Basis = "estimate"
    why = f"{model.gflops:g} GFLOPs a record, at {rate.value:g} a second and core ({rate.low:g} to {rate.high:g})"
    if known:
        each = known.rates[1] * known.gflops
        rate, basis = Estimate(each, each, GFLOPS_OF_A_CORE.high), "chapter"
        why = f"{known.model}: {known.rates[1]:g} records a second and core ({known.source}, {known.date})"
    one = Estimate(*(model.gflops / each for each in (rate.value, rate.high, rate.low)))
    record = _roomy(scaling.seconds_on(one, 1.0, cores), size)
    request = _sum(_scaled(record, model.records), _carrying(model))
    beside = _decoding(model, cores)
    if beside:
        request, record = _sum(request, beside), _sum(record, _scaled(beside, 1 / model.records))
    return Ability((Branch((), request, 0.0, record),), DEFAULT_SPREAD, basis, None, "fp32", (why,))


def _on_gpu(model: Model, size: Size, market: Market) -> Ability:
    """Return what a size with a GPU does: it works beside the processors, and the slower of both decides."""
    beside = _beside(model, size)
    found = next((item for item in model.speeds.measured if _is_on(item, size)), None)
    if found is None:
        return _guessed_on_gpu(model, size, market, beside)
    request, record = _on_the_gpu(found, model.records)
    here = found.machine.size == size.id
    if not here:
        request, record = request.times(OTHER_PROCESSOR), record.times(OTHER_PROCESSOR)
    variant = next((each for each in model.speeds.variants if each.sha256 == found.sha256), None)
    return Ability(
        branches=(_side_by_side(model, request, record, beside, 0.0),),
        spread=DEFAULT_SPREAD,
        basis="measured" if here else "scaled",
        variant=variant.name if variant else None,
        precision=variant.precision if variant else "fp32",
        why=(_said(found, variant), *_starved(request, beside)),
    )


def _on_the_gpu(item: Measured, records: int) -> tuple[Estimate, Estimate]:
    """Return the time of a request and of a record, which do not go by the processors beside the GPU."""
    if isinstance(item, Run):
        return _times(item, records, 1.0)
    record = Estimate(*(1 / (item.capacity * item.records_per_request * each) for each in (1, 1.1, 1 / 1.1)))
    return _scaled(record, records), record


def _is_on(item: Measured, size: Size) -> bool:
    """Tell whether something was measured on the GPU of a size."""
    return item.provider != CPU and any(re.search(rf"\b{size.series.gpu}\b", name) for name in item.machine.gpus)


def _guessed_on_gpu(model: Model, size: Size, market: Market, beside: Estimate) -> Ability:
    """Return what the figures of others tell, which are of other models mostly: by floating-point operations."""
    known, more = _nearest(market, size)
    rates = {batch: rate * known.gflops / model.gflops * size.gpus for batch, rate in known.rates.items()}
    together = max(batch for batch in rates if batch <= BATCHED)
    slowest, fastest = min(rates.values()), max(rates.values()) * more
    request = Estimate(model.records / rates[together], model.records / fastest, model.records / slowest)
    record = Estimate(1 / max(rates.values()), 1 / fastest, 1 / rates[together])
    waits = (together - 1) / rates[together]
    same = known.on == size.series.gpu and is_named(model.name, known.model)
    why = f"{known.model} on one {known.on}: {rates_said(known)} ({known.source}, {known.date})"
    return Ability(
        branches=(_side_by_side(model, request, record, beside, waits),),
        spread=DEFAULT_SPREAD,
        basis="vendor" if same else "estimate",
        variant=None,
        precision=known.precision,
        why=(
            why,
            *(() if same else (f"carried over by {model.gflops:g} GFLOPs a record",)),
            *_starved(request, beside),
        ),
    )


def rates_said(known: Known) -> str:
    """Say how fast a known model ran."""
    return ", ".join(f"{rate:g}/s in batches of {batch}" for batch, rate in known.rates.items())


def _nearest(market: Market, size: Size) -> tuple[Known, float]:
    """Return the figures of a size's GPU, or of the next weaker one, and how much faster that size's may be at most."""
    assert size.gpu is not None  # noqa: S101 - the caller's condition
    mine = size.gpu.fp16_tflops
    weaker = [each for each in market.speeds if each.on in market.gpus and market.gpus[each.on].fp16_tflops <= mine]
    best = max(weaker, key=lambda each: market.gpus[each.on].fp16_tflops)
    return best, mine / market.gpus[best.on].fp16_tflops


def _side_by_side(model: Model, request: Estimate, record: Estimate, beside: Estimate, waits: float) -> Branch:
    """Return what the GPU and the processors do together; in a run nothing but decoding is left to these."""
    alone = _scaled(_sum(beside, _scaled(_carrying(model), -1)), 1 / model.records)
    return Branch((), _slower(request, beside), waits, _slower(record, alone))


def _beside(model: Model, size: Size) -> Estimate:
    """Return the time for which the processors of an instance are busy with a request, beside a GPU."""
    decoding = _decoding(model, usable_cores(size))
    return _sum(_carrying(model), decoding) if decoding else _carrying(model)


def _carrying(model: Model) -> Estimate:
    """Return what a request costs beside a run, where that was not measured."""
    return scaling.carrying_seconds((), model.records, 1.0)


def _starved(request: Estimate, beside: Estimate) -> tuple[str, ...]:
    if beside.value <= request.value:
        return ()
    return (
        f"its processors take {1000 * beside.value:.3g} ms for a request, the GPU {1000 * request.value:.3g}: it waits",
    )


def _decoding(model: Model, cores: float) -> Estimate | None:
    """Return the time for which all cores are busy to decode the images of a request, one core for each image."""
    return _scaled(DECODING_S, model.payload_mb / max(cores, 0.1)) if model.images else None


def _said(item: Measured, variant: Variant | None) -> str:
    name = variant.name if variant else item.model
    on = ", ".join(item.machine.gpus) or item.machine.cpu or "a machine that it does not name"
    if isinstance(item, Run):
        return f"{name}: opdeploy model measure, {item.date}, {on}"
    how = "deploy --load" if item.runtime == "deployed" else "test-local"
    return f"{name}: {item.capacity:g} requests/s with {item.limits.cpus:g} processors, {how}, {item.date}, {on}"


def _branch_said(branch: Branch) -> str:
    low, high = 1000 * branch.request.low, 1000 * branch.request.high
    return (
        f"on {' or '.join(branch.processors)}: {1000 * branch.request.value:.3g} ms a request ({low:.3g} to {high:.3g})"
    )


def _known(market: Market, name: str | None, on: str) -> Known | None:
    return next((each for each in market.speeds if each.on == on and is_named(name, each.model)), None)


def _slower(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(max(one.value, other.value), max(one.low, other.low), max(one.high, other.high))


def _sum(one: Estimate, other: Estimate) -> Estimate:
    return Estimate(one.value + other.value, one.low + other.low, one.high + other.high)


def _scaled(one: Estimate, factor: float) -> Estimate:
    return Estimate(one.value * factor, one.low * factor, one.high * factor)
