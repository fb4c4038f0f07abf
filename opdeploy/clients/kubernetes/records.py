"""The record of deployments in a cluster: the labels and annotations of objects, and what they tell. Pure."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from opdeploy.clients.kubernetes import pods
from opdeploy.deployment import Found, Lock, Version
from opdeploy.targets.kubernetes.manifests import as_is, properties
from opdeploy.targets.kubernetes.names import (
    ARTEFACT,
    AT,
    BY,
    CONFIG,
    LOCK,
    NUMBER,
    PROVEN,
    WANTED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic import JsonValue

    from opdeploy.targets.kubernetes.manifests import Manifest


def recorded(manifest: Mapping[str, Any], annotations: Mapping[str, str] | None = None) -> Manifest:
    """Return a manifest that also says what it is, with more annotations that are no part of that."""
    made = deepcopy(dict(manifest))
    told = {WANTED: json.dumps(manifest, sort_keys=True, separators=(",", ":")), **(annotations or {})}
    made["metadata"]["annotations"] = {**(made["metadata"].get("annotations") or {}), **told}
    return made


def signed(manifest: Mapping[str, Any], by: str) -> Manifest:
    """Return the manifest of a Deployment whose pods say who made their version, and when."""
    made = deepcopy(dict(manifest))
    at = datetime.now(UTC).isoformat(timespec="seconds")
    made["spec"]["template"]["metadata"]["annotations"] |= {AT: at, BY: by}
    return made


def signed_again(manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> Manifest | None:
    """Return the manifest as it was signed before; None where what is there is not of this version."""
    if live is None:
        return None
    theirs = live["spec"]["template"]
    made = deepcopy(dict(manifest))
    own = made["spec"]["template"]["metadata"]["annotations"]
    if not all(own[key] == annotation(theirs, key) for key in (NUMBER, CONFIG)) or not annotation(theirs, AT):
        return None
    own |= {key: annotation(theirs, key) for key in (AT, BY)}
    return made


def annotation(item: Mapping[str, Any], name: str) -> str:
    """Return an annotation of an object; empty where it has none of the name."""
    return str((item["metadata"].get("annotations") or {}).get(name, ""))


def wanted(item: Mapping[str, Any]) -> Manifest:
    """Return what an object was applied as; nothing where it does not tell."""
    try:
        made: Manifest = json.loads(annotation(item, WANTED) or "{}")
        properties(made)
        is_whole = made["kind"] in {"Secret", "Namespace"} or bool(made["spec"])
        is_whole = is_whole and (made["kind"] != "Deployment" or bool(made["spec"]["template"]["spec"]))
    except (ValueError, KeyError, TypeError, AttributeError):  # others may write there too
        return {}
    return made if is_whole else {}


def found(kind: str, item: Mapping[str, Any]) -> Found:
    """Describe an object: what it was applied as, and what is not so any more."""
    made = wanted(item)
    return _drifted(kind, item, properties(made) if made else {}, item, made)


def replicas(item: Mapping[str, Any]) -> Found:
    """Describe a ReplicaSet, which has the pods of a version."""
    made = wanted(item)
    asked = properties({"metadata": {}, "template": made["spec"]["template"]}) if made else {}
    return _drifted("ReplicaSet", item, asked, {"metadata": {}, "template": item["spec"]["template"]}, made)


def _drifted(
    kind: str, item: Mapping[str, Any], asked: dict[str, JsonValue], live: Mapping[str, Any], made: Manifest
) -> Found:
    is_now = as_is(asked, live)
    differ = [path for path, value in asked.items() if is_now[path] != value]
    return Found(
        kind=kind,
        name=item["metadata"]["name"],
        properties={path: is_now[path] for path in differ},
        wanted={path: asked[path] for path in differ},
        made=made,
        passing=kind == "ReplicaSet",  # it comes and goes with its Deployment
    )


def pod(item: dict[str, Any], trial: str) -> Found:
    """Describe a pod; that of a trial decides about plans, until it is about to be gone."""
    status = pods.container(item)
    is_trial = item["metadata"]["name"] == trial
    return Found(
        kind="Pod",
        name=item["metadata"]["name"],
        properties={
            "state": pods.state(item),
            "version": annotation(item, NUMBER),
            "restarts": status.get("restartCount", 0),
            "image": item["spec"]["containers"][0]["image"],
            "node": item["spec"].get("nodeName"),
        }
        if not is_trial
        else {},
        passing=not is_trial or pods.is_ending(item),
    )


def numbers(deployment: Mapping[str, Any]) -> set[int]:
    """Return the numbers of the versions that were found to be ready and right."""
    return {int(number) for number in annotation(deployment, PROVEN).split(",") if number.isdecimal()}


def number(item: Mapping[str, Any]) -> int | None:
    """Return the number of the version whose pods an object makes, or that a pod is of."""
    of = item["spec"].get("template", item)
    text = annotation(of, NUMBER)
    return int(text) if text.isdecimal() else None


def versions(
    deployment: Mapping[str, Any] | None, sets: Iterable[dict[str, Any]], upstream: int | None
) -> tuple[Version, ...]:
    """Return the versions, the oldest first; `upstream` is the number of the one that requests are sent to."""
    working = numbers(deployment) if deployment else set()
    made: dict[int, Version] = {}
    # Where others changed a template there are two of a number: the one that is as it was made counts.
    for item in sorted(sets, key=lambda item: not replicas(item).drift()):
        which = number(item)
        if which is not None:
            made[which] = _version(which, item, current=which == upstream, proven=which in working)
    latest = number(deployment) if deployment else None
    if deployment and latest is not None and latest not in made:  # its pods are about to be made
        made[latest] = _version(latest, deployment, current=latest == upstream, proven=latest in working)
    return tuple(made[key] for key in sorted(made))


def _version(which: int, item: Mapping[str, Any], *, current: bool, proven: bool) -> Version:
    template = item["spec"]["template"]
    at = annotation(template, AT)
    return Version(
        number=which,
        resource=item["metadata"]["name"],
        config=annotation(template, CONFIG),
        artefact=annotation(template, ARTEFACT),
        image=template["spec"]["containers"][0]["image"],
        at=_time(at) or datetime.fromisoformat(item["metadata"]["creationTimestamp"]),
        by=annotation(template, BY) or "?",
        state="running" if item["spec"].get("replicas") else "stopped",
        current=current,
        proven=proven,
    )


def _time(text: str) -> datetime | None:
    """Return the time that a text is; None where it is none, or of no time zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def lock(item: Mapping[str, Any]) -> Lock | None:
    """Return the lock that a Lease is; None where it is none of ours."""
    try:
        return Lock.model_validate_json(annotation(item, LOCK))
    except ValueError:  # what pydantic raises is one
        return None
