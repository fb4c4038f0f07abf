"""The values that manifests are rendered with. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from opdeploy.advisor.sizing import HEADROOM
from opdeploy.errors import InputError
from opdeploy.targets.kubernetes.names import VERSION, labels, namespace, selector

if TYPE_CHECKING:
    from opdeploy.deploy_settings import OnKubernetes
    from opdeploy.targets.base import Measured, Wanted

TEMPLATES = "kubernetes"
NAMESPACE = "manifests/00-namespace.yaml"
PRE_STOP_S = 5
"""Seconds in which a pod that is to end still takes requests, until every node sends them elsewhere."""
_SERVER_S = 25
"""Seconds that the server takes after it was told to end: it drains for 1, and gives requests 20."""
_PERIOD_S = 2
_STARTUP_S = 300.0
"""Where nothing was measured."""
_LEAST_STARTUP_S = 60.0
_SLOWER = 10
"""How many times longer than measured a start may take: on a busy node, of a disk that has not read the image yet."""
_MORE_MEMORY = 1.25
"""Of what was measured, so that a little more is no reason to be evicted."""
_MIB = 1 << 20
_IN_FLIGHT = 8
"""Requests of a pod with a GPU above which another is started, where no knee was measured."""
_REPLICAS = {"production": 2}


def replicas(stage: str | None) -> int:
    """Return how many pods there are where nothing is said."""
    return _REPLICAS.get(stage or "", 1)


def check(chosen: OnKubernetes) -> None:
    """Raise InputError for settings that do not go together."""
    classes = [name for name in ("ingress_class", "gateway_class") if getattr(chosen, name)]
    where = "deploy.kubernetes"
    if len(classes) > 1:
        raise InputError(f"{where}: has both ingress_class and gateway_class; leave one out")
    if classes and not chosen.hostname:
        raise InputError(f"{where}.{classes[0]}: needs hostname, the name that it answers to; write it there too")
    for name in ("hostname", "tls_secret"):
        if getattr(chosen, name) and not classes:
            raise InputError(f"{where}.{name}: needs ingress_class or gateway_class; write one of them too")
    if chosen.max_replicas and chosen.replicas and chosen.max_replicas < chosen.replicas:
        raise InputError(f"{where}.max_replicas: {chosen.max_replicas} is below replicas {chosen.replicas}; raise it")


def values(
    wanted: Wanted, workload: str, stage: str | None, image: str, measured: Measured, in_flight: float | None = None
) -> dict[str, object]:
    """Return what the templates use; `image` is the name of the image in the files.

    `in_flight` is how many requests of a pod with a GPU are enough, where the recommendation says so.
    """
    chosen = wanted.settings.kubernetes
    name = wanted.deployment
    least = chosen.replicas or replicas(stage)
    own = labels(name, workload)
    startup_s, why = _startup(measured)
    return {
        "name": name,
        "workload": workload,
        "namespace": namespace(name, chosen.namespace),
        "own_namespace": chosen.namespace is None,
        "labels": own,
        "pod_labels": {**own, VERSION: wanted.bundle[:12]},
        "selector": selector(name),
        "image": image,
        "platform": wanted.platform,
        "inside": wanted.port,
        "keyed": wanted.keyed,
        "keep": max(1, wanted.keep - 1),
        "replicas": least,
        "max_replicas": chosen.max_replicas,
        "autoscaled": chosen.max_replicas is not None and chosen.max_replicas > least,
        "progress_s": math.ceil(startup_s) + 600,
        "pre_stop_s": PRE_STOP_S,
        "grace_s": PRE_STOP_S + _SERVER_S,
        "startup_period_s": _PERIOD_S,
        "startup_failures": math.ceil(startup_s / _PERIOD_S),
        "startup_why": why,
        "gpus": (chosen.gpus or 1) if wanted.gpu else 0,
        "spot": wanted.settings.aks.priority == "Spot",
        "cpu": cpu(chosen.cpus or measured.threads or 1),
        "memory_request": _mebibytes(min(_asked(measured, wanted.memory_gb), wanted.memory_gb * 1e9)),
        "memory_limit": _mebibytes(wanted.memory_gb * 1e9),
        "in_flight": _scaled(measured.knee or _IN_FLIGHT, 1000, ("", "k")) if in_flight is None else cpu(in_flight),
        "busy": round(100 * HEADROOM),
        "service_type": chosen.service_type or "ClusterIP",
        "service_port": chosen.port or 80,
        "hostname": chosen.hostname,
        "ingress_class": chosen.ingress_class,
        "gateway_class": chosen.gateway_class,
        "tls_secret": chosen.tls_secret,
        "pull_secret": chosen.pull_secret,
    }


def _startup(measured: Measured) -> tuple[float, str]:
    """Return how many seconds a server may take to get ready, and why."""
    if measured.ready_s is None:
        return _STARTUP_S, f"{_STARTUP_S:g} s: how long it takes was not measured."
    allowed = max(_LEAST_STARTUP_S, _SLOWER * measured.ready_s)
    return allowed, f"{allowed:g} s: it was ready after {measured.ready_s:.2g} s where that was measured."


def _asked(measured: Measured, memory_gb: float) -> float:
    """Return the bytes that are set aside for a pod."""
    if measured.peak_memory_mb is None:
        return memory_gb * 1e9
    return measured.peak_memory_mb * 1e6 * _MORE_MEMORY


def cpu(cpus: float) -> str:
    """Return processors, or requests, as an API server writes them: whole ones, or thousandths."""
    thousandths = round(cpus * 1000)
    return f"{thousandths}m" if thousandths % 1000 else _scaled(thousandths // 1000, 1000, ("", "k"))


def amount(cpus: str) -> float:
    """Return processors that an API server wrote: whole ones, thousandths, or thousands."""
    factors = {"m": 0.001, "k": 1000.0}
    return float(cpus.rstrip("mk")) * factors.get(cpus[-1], 1.0)


def _mebibytes(size: float) -> str:
    """Return bytes as an API server writes them: in the largest unit of 1,024 that has no fraction."""
    return _scaled(max(1, math.ceil(size / _MIB)), 1024, ("Mi", "Gi", "Ti"))


def _scaled(amount: int, step: int, units: tuple[str, ...]) -> str:
    """Write an amount in the largest unit in which it is whole (k8s.io/apimachinery, pkg/api/resource/quantity.go)."""
    for unit in units[:-1]:
        if amount % step:
            return f"{amount}{unit}"
        amount //= step
    return f"{amount}{units[-1]}"
