"""The constraints: what excludes a platform, in a sentence, with what would have to change.

A limit that the edition does not know excludes nothing; `unknown_limits` lists those that the workload asks about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opdeploy.advisor.named import is_named
from opdeploy.recommendation import Assumption, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from opdeploy.advisor.needs import Needs
    from opdeploy.platform import Limit, Profile


def exclusions(needs: Needs, profile: Profile, as_of: date) -> tuple[Reason, ...]:
    """Return every reason why a platform cannot run a workload; none means that it can."""
    reasons = [*_lifecycle(profile, as_of), *(reason for check in _CHECKS for reason in check(needs, profile))]
    return tuple(reasons)


def unknown_limits(needs: Needs, profiles: Iterable[Profile]) -> tuple[Assumption, ...]:
    """List the limits that the workload asks about and that are not known of some platform."""
    asked = {
        "gpu": needs.gpu == "required",
        "memory_gb": True,
        "timeout_s": needs.online and needs.load.p95_s is not None,
        "payload_mb": needs.online and needs.load.payload_mb is not None,
        "bandwidth_mb_per_s": needs.online and needs.load.payload_mb is not None,
        "requests_per_second": needs.online,
        "instances": True,
        "gflops_per_second": True,
        "gpu_regions": needs.gpu == "required" and needs.region is not None,
        "availability": needs.availability is not None,
        "private_network": needs.private_network,
        "tls": needs.online and needs.sensitive,
    }
    found = []
    for limit in (name for name, demanded in asked.items() if demanded):
        ids = sorted(profile.id for profile in profiles if getattr(profile.limits, limit) is None)
        if ids:
            found.append(Assumption(f"limits.{limit}", None, f"not known of {', '.join(ids)}: excludes nothing there"))
    return tuple(found)


def _lifecycle(profile: Profile, as_of: date) -> Iterator[Reason]:
    cycle = profile.lifecycle
    if cycle.ended(as_of):
        text = f"{cycle.on(as_of)}: {cycle.why}"
        yield Reason("retired", text, f"{' or '.join(cycle.successors) or 'another platform'} instead")


def _only(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if needs.only and profile.id not in needs.only:
        yield Reason("only", "constraints.only does not name it", f"constraints.only with {profile.id}")
    elif profile.only_when_named and profile.only_when_named.value and profile.id not in needs.only:
        yield Reason("development", profile.only_when_named.why, f"constraints.only: [{profile.id}]")


def _never(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if profile.id in needs.never:
        yield Reason("never", "constraints.never names it", f"constraints.never without {profile.id}")


def _pattern(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if needs.pattern not in profile.patterns.value:
        text = f"does not take {needs.pattern}: {profile.patterns.why}"
        yield Reason("pattern", text, f"serving.pattern: {' or '.join(profile.patterns.value)}")


def _spark(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if needs.spark and not (profile.spark and profile.spark.value):
        yield Reason("spark", "the work needs Spark, and it has none", "batch.needs: none")


def _gpu(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if needs.gpu != "required":
        return
    gpu, regions = profile.limits.gpu, profile.limits.gpu_regions
    if gpu and gpu.value == "none":
        yield Reason("gpu", f"needs a GPU, and {profile.title} has none: {gpu.why}", "hardware.gpu: none")
    elif needs.region and regions and needs.region not in regions.value:
        text = f"needs a GPU, and has none in {needs.region}: {regions.why}"
        yield Reason("gpu-region", text, f"region: {', '.join(regions.value)}")


def _memory(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit = profile.limits.memory_gb
    if limit and needs.memory_gb > limit.value:
        text = f"needs {needs.memory_gb:g} GB of memory, and an instance has at most {limit.value:g}: {_lifted(limit)}"
        yield Reason("memory", text, f"hardware.memory_gb: {limit.value:g} or less")


def _payload(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit, payload = profile.limits.payload_mb, needs.load.payload_mb
    if needs.online and limit and payload is not None and payload > limit.value:
        text = f"requests of {payload:g} MB, and it takes at most {limit.value:g}: {_lifted(limit)}"
        yield Reason("payload", text, f"serving.max_payload_mb: {limit.value:g} or less")


def _bandwidth(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit = profile.limits.bandwidth_mb_per_s
    rate = needs.load.peak * (needs.load.payload_mb or 0)
    if needs.online and limit and rate > limit.value:
        text = f"{rate:g} MB/s at the peak, and it takes at most {limit.value:g}: {_lifted(limit)}"
        yield Reason("bandwidth", text, f"peak x max_payload_mb of {limit.value:g} MB/s or less")


def _request_rate(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit, peak = profile.limits.requests_per_second, needs.load.peak
    if needs.online and limit and peak > limit.value:
        text = f"{peak:g} requests/s at the peak, and it takes at most {limit.value:g}: {_lifted(limit)}"
        yield Reason("request-rate", text, f"serving.requests_per_second.peak: {limit.value:g} or less")


def _scale_out(needs: Needs, profile: Profile) -> Iterator[Reason]:
    instances, one = profile.limits.instances, profile.limits.gflops_per_second
    if not (instances and one):
        return
    demand, most = needs.gflops_per_second, instances.value * one.value
    if demand > most:
        text = (
            f"the load computes {demand:g} GFLOPs a second, and its {instances.value:g} instance(s) at most {most:g}: "
            f"{_lifted(instances)}"
        )
        yield Reason("scale-out", text, f"records a second x model.gflops of {most:g} or less")


def _timeout(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit, p95 = profile.limits.timeout_s, needs.load.p95_s
    if needs.online and limit and p95 is not None and p95 > limit.value:
        text = f"a request may run {p95:g} s, and it ends after {limit.value:g}: {_lifted(limit)}"
        yield Reason("time-out", text, f"serving.latency_ms.p95: {limit.value * 1000:g} or less")


def _availability(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit = profile.limits.availability
    if needs.availability is not None and limit and needs.availability > limit.value:
        text = f"{needs.availability:g} % is demanded, and its agreement says {limit.value:g}: {_lifted(limit)}"
        yield Reason("availability", text, f"serving.availability: {limit.value:g} or less")


def _private_network(needs: Needs, profile: Profile) -> Iterator[Reason]:
    limit = profile.limits.private_network
    if needs.private_network and limit and not limit.value:
        yield Reason(
            "private-network", f"cannot stand in a private network: {_lifted(limit)}", "private_network: false"
        )


def _sensitive(needs: Needs, profile: Profile) -> Iterator[Reason]:
    # In a private network too: without TLS of its own the platform would carry the data unencrypted there.
    limit = profile.limits.tls
    if needs.online and needs.sensitive and limit and not limit.value:
        text = f"sensitive data would cross the network as plain HTTP: {limit.why}"
        yield Reason("plain-http", text, limit.lifted_by or "TLS at its endpoint")


def _single_node(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if needs.stage == "production" and profile.single_node and profile.single_node.value:
        yield Reason("single-node", f"production on a single node: {profile.single_node.why}", "stage: pilot")


def _data(needs: Needs, profile: Profile) -> Iterator[Reason]:
    required = profile.data_required
    if required and needs.location not in required.value:
        text = f"the data is at {needs.location}: {required.why}"
        yield Reason("data-location", text, f"data.location: {' or '.join(required.value)}")
    elif not needs.may_move and needs.location not in profile.data_in_place.value:
        text = f"the data may not leave {needs.location}: {profile.data_in_place.why}"
        yield Reason("data-gravity", text, "data.may_move: true")
    refused = profile.services_refused
    if refused and needs.service and needs.service in refused.value:
        yield Reason("database", refused.value[needs.service], f"data.service other than {needs.service}")


def _model(needs: Needs, profile: Profile) -> Iterator[Reason]:
    if profile.models and not any(is_named(needs.model_name, model) for model in profile.models.value):
        names = " or ".join(profile.models.value)
        yield Reason("model", profile.models.why, f"model.path that names {names}")


def _lifted(limit: Limit) -> str:
    return f"{limit.why} ({limit.lifted_by})" if limit.lifted_by else limit.why


_CHECKS: tuple[Callable[[Needs, Profile], Iterator[Reason]], ...] = (
    _only,
    _never,
    _pattern,
    _spark,
    _data,
    _model,
    _gpu,
    _memory,
    _payload,
    _bandwidth,
    _request_rate,
    _scale_out,
    _timeout,
    _availability,
    _private_network,
    _sensitive,
    _single_node,
)
