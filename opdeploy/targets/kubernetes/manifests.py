"""Manifests as data: compared property by property, and fitted to what a cluster has. Pure."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from opdeploy.plan import Change
from opdeploy.targets.kubernetes.kinds import CUSTOM_METRICS, KINDS, METRICS
from opdeploy.targets.kubernetes.names import ARTEFACT, CONFIG, NUMBER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from pydantic import JsonValue

    from opdeploy.deployment import Found

    Manifest = dict[str, Any]


class Fitted(NamedTuple):
    """Manifests that a cluster takes, and the others with the effect of their absence."""

    manifests: dict[str, Manifest]
    """By their kinds."""
    left_out: dict[str, str]
    """Why, and the effect, by kind."""


_OF_RECORD = (".annotations.opdeploy.", "env[OPDEPLOY_VERSION]")
"""Parts of the paths of properties that tell versions apart."""


def fitted(manifests: Collection[Manifest], facts: Mapping[str, JsonValue]) -> Fitted:
    """Leave out what a cluster does not serve; where a GPU is spare, a pod is made before another ends."""
    served = facts.get("apis")
    known = served if isinstance(served, list) else None
    kept: dict[str, Manifest] = {}
    left: dict[str, str] = {}
    for manifest in manifests:
        kind = KINDS[manifest["kind"]]
        if known is not None and "/" in kind.api and kind.api not in known:
            left[kind.name] = f"{kind.api} is not served there: no {kind.name}: {kind.without}"
        elif known is not None and (missing := _unmeasured(manifest, known)):
            left[kind.name] = f"{missing} is not served there: no {kind.name}: {kind.without}"
        else:
            kept[kind.name] = manifest
    if "HorizontalPodAutoscaler" in left:
        least = next(item for item in manifests if item["kind"] == "HorizontalPodAutoscaler")["spec"]["minReplicas"]
        kept["Deployment"] = {**kept["Deployment"], "spec": {"replicas": least, **kept["Deployment"]["spec"]}}
    if spare_gpu(facts, gpus(kept["Deployment"])):
        kept["Deployment"] = _surging(kept["Deployment"])
    return Fitted(kept, left)


def spare_gpu(facts: Mapping[str, JsonValue], needed: int) -> bool:
    """Tell whether as many GPUs are known to be free on one node."""
    spare = facts.get("spare_gpus")
    return isinstance(spare, int) and spare >= needed > 0


def gpus(manifest: Manifest) -> int:
    """Return how many GPUs each pod of a Deployment needs."""
    limits = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    return int(limits.get("nvidia.com/gpu", 0))


def _unmeasured(manifest: Manifest, served: list[JsonValue]) -> str:
    """Return the API of metrics that an autoscaler needs, and a cluster does not have; else nothing."""
    metrics = manifest["spec"].get("metrics", ()) if manifest["kind"] == "HorizontalPodAutoscaler" else ()
    for metric in metrics:
        group = METRICS if metric["type"] == "Resource" else CUSTOM_METRICS
        if not any(str(api).startswith(f"{group}/") for api in served):
            return group
    return ""


def _surging(manifest: Manifest) -> Manifest:
    made = deepcopy(manifest)
    made["spec"]["strategy"]["rollingUpdate"] = {"maxSurge": 1, "maxUnavailable": 0}
    return made


def versioned(manifest: Manifest, number: int, config: str, artefact: str) -> Manifest:
    """Return the manifest of a Deployment whose pods are a version, and say so to who asks them."""
    made = deepcopy(manifest)
    template = made["spec"]["template"]
    template["metadata"].setdefault("annotations", {}).update({NUMBER: str(number), CONFIG: config, ARTEFACT: artefact})
    template["spec"]["containers"][0]["env"].append({"name": "OPDEPLOY_VERSION", "value": str(number)})
    return made


def of_template(manifest: Manifest, template: Manifest, strategy: Any = None) -> Manifest:  # noqa: ANN401 - any JSON
    """Return the manifest of a Deployment with the pods of another version, and with another strategy."""
    made = deepcopy(manifest)
    made["spec"]["template"] = template
    made["spec"]["strategy"] = strategy or made["spec"]["strategy"]
    made["metadata"]["labels"] = {**made["metadata"]["labels"], **_version_label(template)}
    return made


def _version_label(template: Manifest) -> dict[str, str]:
    from opdeploy.targets.kubernetes.names import VERSION

    found = template["metadata"].get("labels", {}).get(VERSION)
    return {VERSION: found} if found else {}


def flat(value: Any, above: str = "") -> Iterator[tuple[str, JsonValue]]:  # noqa: ANN401 - any JSON
    """Yield the properties of a manifest by their paths, such as `spec.template.spec.containers[server].image`."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from flat(inner, f"{above}.{key}" if above else key)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for key, item in _keyed(value).items():
            yield from flat(item, f"{above}[{key}]")
    else:
        yield above, value


def _keyed(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the items of a list by their names, where each has one of its own; else by their places."""
    names = [str(item.get("name", "")) for item in items]
    if all(names) and len({*names}) == len(names):
        return dict(zip(names, items, strict=True))
    return {str(place): item for place, item in enumerate(items)}


def properties(manifest: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return what a manifest asks for, by path; what tells it from others is left out."""
    own = {key: value for key, value in manifest.items() if key not in {"apiVersion", "kind", "status"}}
    own["metadata"] = {key: value for key, value in manifest["metadata"].items() if key in {"labels", "annotations"}}
    return dict(flat(own))


def as_is(wanted: Mapping[str, JsonValue], live: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the same properties of an object as it is; what it has beyond them is left out."""
    found = properties(live)
    return {path: found.get(path) for path in wanted}


def changes(manifest: Manifest, found: Found) -> tuple[Change, ...]:
    """Return how an object would change: what it was applied as, and what others made of that, against a manifest."""
    now = {**(properties(found.made) if found.made else {}), **found.properties}
    after = properties(manifest)
    paths = [*after, *(path for path in now if path not in after)]
    return tuple(
        Change(property=path, before=now.get(path), after=after.get(path))
        for path in paths
        if now.get(path) != after.get(path)
    )


def shown(found: Iterable[Change]) -> tuple[Change, ...]:
    """Leave out what only the record of versions is about."""
    return tuple(item for item in found if not any(part in item.property for part in _OF_RECORD))
