"""What pods say of themselves: whether they can still get ready, and the evidence where they cannot. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opdeploy.targets.kubernetes.names import SERVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Pod = dict[str, Any]

_HOPELESS = {
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
}
"""Reasons for which a container waits that do not pass by themselves (k8s.io/kubernetes, pkg/kubelet/images/types.go
and pkg/kubelet/kuberuntime, read 2026-11-26); that the first pull failed is none."""
SCALES_UP = {"TriggeredScaleUp", "Nominated"}
"""Events by which an autoscaler of nodes says that it makes room (of Cluster Autoscaler and of Karpenter)."""


def is_ready(pod: Pod) -> bool:
    """Tell whether requests may be sent to a pod."""
    return condition(pod, "Ready").get("status") == "True" and not is_ending(pod)


def is_ending(pod: Pod) -> bool:
    """Tell whether a pod is about to be gone."""
    return "deletionTimestamp" in pod["metadata"]


def condition(pod: Pod, kind: str) -> dict[str, Any]:
    """Return a condition of a pod; nothing where it has none of the kind."""
    return next((item for item in pod["status"].get("conditions") or () if item["type"] == kind), {})


def container(pod: Pod) -> dict[str, Any]:
    """Return how the container of the server stands; nothing where it has not been looked at yet."""
    return next((item for item in pod["status"].get("containerStatuses") or () if item["name"] == SERVER), {})


def ended(pod: Pod) -> dict[str, Any] | None:
    """Return how the container ended, now or the last time; None where it never did."""
    status = container(pod)
    found: dict[str, Any] | None = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get(
        "terminated"
    )
    return found


def restarts(pod: Pod) -> int:
    """Return how often the server was started again in a pod."""
    return int(container(pod).get("restartCount") or 0)


def runs(pod: Pod) -> bool:
    """Tell whether the server runs in a pod, ready or not."""
    return "running" in (container(pod).get("state") or {})


def hopeless(pod: Pod, before: int = 0) -> str:
    """Say why a pod will not get ready; nothing where it still may.

    `before` is how often its server was started again before it was looked at: who was once ready may get so again.
    """
    status = container(pod)
    waiting = (status.get("state") or {}).get("waiting") or {}
    end = ended(pod)
    if is_ready(pod):
        return ""
    if pod["status"].get("phase") == "Failed" and not status:
        return f"{pod['status'].get('reason', 'Failed')}: {one_line(pod['status'].get('message') or 'no reason given')}"
    if end and (restarts(pod) > before or (status.get("state") or {}).get("terminated")):
        return f"its server ended ({_end(end)})"
    if waiting.get("reason") in _HOPELESS:
        return f"{waiting['reason']}: {one_line(waiting.get('message') or 'no reason given')}"
    return ""


def unscheduled(pod: Pod) -> str:
    """Say why no node takes a pod; nothing where one has, or it has not been looked for yet."""
    found = condition(pod, "PodScheduled")
    if found.get("status") == "False" and found.get("reason") == "Unschedulable":
        return one_line(found.get("message") or "no node takes it").rstrip(".")
    return ""


def _end(end: dict[str, Any]) -> str:
    reason = end.get("reason")
    return f"exit code {end.get('exitCode')}{f', {reason}' if reason and reason != 'Error' else ''}"


def state(pod: Pod) -> str:
    """Say how a pod stands, in a word or two."""
    status = container(pod)
    if is_ending(pod):
        return "ending"
    waiting = (status.get("state") or {}).get("waiting")
    if waiting:
        return str(waiting.get("reason") or "waiting")
    if unscheduled(pod):
        return "unschedulable"
    if is_ready(pod):
        return "ready"
    return (
        "not ready" if pod["status"].get("phase") == "Running" else str(pod["status"].get("phase", "unknown")).lower()
    )


def evidence(pod: Pod, events: Iterable[str], log: Iterable[str]) -> Iterator[str]:
    """Yield what is known of a pod that failed: how it and its container stand, its events, the end of its log."""
    status = container(pod)
    yield f"pod {pod['metadata']['name']}: {state(pod)}, restarts {status.get('restartCount', 0)}, image {_image(pod)}"
    for item in pod["status"].get("conditions") or ():
        if item.get("status") != "True" and item.get("message"):
            yield f"  condition {item['type']}: {item.get('reason', '')}: {one_line(item['message'])}"
    if end := ended(pod):
        yield f"  container: ended ({_end(end)})"
    for line in events:
        yield f"  event {line}"
    lines = [*log]
    yield "  its log ends with:" if lines else "  its log is empty"
    for line in lines:
        yield f"    {line}"


def event(item: dict[str, Any]) -> str:
    """Return an event in a line."""
    count = item.get("count") or (item.get("series") or {}).get("count") or 1
    often = f" ({count} times)" if count > 1 else ""
    return f"{item.get('reason', '')}{often}: {one_line(item.get('message') or '')}"


def at(item: dict[str, Any]) -> str:
    """Return when an event was last seen, as a text that sorts."""
    series = item.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or item.get("lastTimestamp")
        or item.get("eventTime")
        or item["metadata"]["creationTimestamp"]
    )


def _image(pod: Pod) -> str:
    return str(spec(pod)["image"])


def spec(pod: Pod) -> dict[str, Any]:
    """Return what the container of the server was asked to be; others may have put their own beside it."""
    return next(item for item in pod["spec"]["containers"] if item["name"] == SERVER)


def one_line(text: str) -> str:
    """Return a text on one line."""
    return " ".join(text.split())
