"""What is read from the status of pods, written as the API reference of Kubernetes has it.

kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/, and pod-lifecycle, read 2026-11-26.
"""

from __future__ import annotations

from typing import Any

import pytest

from opdeploy.clients.kubernetes import pods

Status = dict[str, Any]
IMAGE = "me.example/opdeploy-m:aaaaaaaaaaaa"
AT = "2026-11-26T04:00:00Z"
PULL = 'Back-off pulling image "me.example/x:1"'
NO_ROOM = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu"


def pod(status: Status, **meta: object) -> dict[str, Any]:
    """Return a pod with a status."""
    return {
        "metadata": {"name": "m-1", "namespace": "m", "uid": "u", **meta},
        "spec": {"containers": [{"name": "server", "image": IMAGE}]},
        "status": status,
    }


def server(state: Status, *, last: Status | None = None, restarts: int = 0, ready: bool = False) -> Status:
    """Return the status of the server's container."""
    return {
        "name": "server",
        "image": IMAGE,
        "ready": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": last or {},
    }


def conditions(**kinds: str) -> list[Status]:
    """Return conditions of a pod by their kinds: whether they are met."""
    return [{"type": kind, "status": status} for kind, status in kinds.items()]


def waiting(reason: str, message: str | None = None, **more: Any) -> Status:  # noqa: ANN401 - of `server`
    """Return the status of a pod whose container waits for a reason."""
    state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}
    return {
        "phase": "Pending",
        "conditions": conditions(PodScheduled="True", Ready="False"),
        "containerStatuses": [server(state, **more)],
    }


def end(code: int, reason: str = "Error") -> Status:
    """Return the state of a container that ended."""
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": AT, "finishedAt": AT}}


def running(*, ready: bool, **more: Any) -> Status:  # noqa: ANN401 - of `server`
    """Return the status of a pod whose container runs."""
    return {
        "phase": "Running",
        "conditions": conditions(PodScheduled="True", Ready=str(ready)),
        "containerStatuses": [server({"running": {"startedAt": AT}}, ready=ready, **more)],
    }


UNSCHEDULABLE: Status = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": f"{NO_ROOM}."}],
}
SIDECAR = {**server({"running": {"startedAt": AT}}, ready=True), "name": "proxy"}

CASES: dict[str, tuple[Status, str, str, str]] = {
    "just made": ({}, "unknown", "", ""),
    "not looked at yet": ({"phase": "Pending"}, "pending", "", ""),
    "being made": (waiting("ContainerCreating"), "ContainerCreating", "", ""),
    "the first pull failed": (waiting("ErrImagePull", "pull QPS exceeded"), "ErrImagePull", "", ""),
    "pulls fail": (waiting("ImagePullBackOff", PULL), "ImagePullBackOff", f"ImagePullBackOff: {PULL}", ""),
    "pulls fail without a word": (
        waiting("ImagePullBackOff"), "ImagePullBackOff", "ImagePullBackOff: no reason given", "",
    ),
    "no name of an image": (
        waiting("InvalidImageName", "couldn't parse\n  image"), "InvalidImageName",
        "InvalidImageName: couldn't parse image", "",
    ),
    "no secret to mount as a variable": (
        waiting("CreateContainerConfigError", 'secret "m" not found'), "CreateContainerConfigError",
        'CreateContainerConfigError: secret "m" not found', "",
    ),
    "cannot be started": (
        waiting("RunContainerError", "exec: no such file"), "RunContainerError",
        "RunContainerError: exec: no such file", "",
    ),
    "ends again and again": (
        waiting("CrashLoopBackOff", "back-off 10s restarting", last=end(2), restarts=3), "CrashLoopBackOff",
        "its server ended (exit code 2)", "",
    ),
    "ends again and again, how is not known": (
        waiting("CrashLoopBackOff", "back-off 10s restarting"), "CrashLoopBackOff",
        "CrashLoopBackOff: back-off 10s restarting", "",
    ),
    "memory is used up": (
        running(ready=False, last=end(137, "OOMKilled"), restarts=1), "not ready",
        "its server ended (exit code 137, OOMKilled)", "",
    ),
    "cannot start": (
        {"phase": "Failed", "containerStatuses": [server(end(2))]}, "failed", "its server ended (exit code 2)", "",
    ),
    "ended well, which a server does not": (
        {"phase": "Succeeded", "containerStatuses": [server(end(0, "Completed"))]}, "succeeded",
        "its server ended (exit code 0, Completed)", "",
    ),
    "no node": (UNSCHEDULABLE, "unschedulable", "", NO_ROOM),
    "no node, without a word": (
        {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]},
        "unschedulable", "", "no node takes it",
    ),
    "held back by a gate": (
        {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
        "pending", "", "",
    ),
    "running": (running(ready=False), "not ready", "", ""),
    "ready": (running(ready=True), "ready", "", ""),
    "ready, after its server was ended once": (
        running(ready=True, last=end(137, "OOMKilled"), restarts=1), "ready", "", "",
    ),
    "beside a container that a mesh put in": (
        {"phase": "Running", "conditions": conditions(Ready="False"),
         "containerStatuses": [SIDECAR, server(end(2), restarts=1)]},
        "not ready", "its server ended (exit code 2)", "",
    ),
    "without lists": (
        {"phase": "Running", "conditions": None, "containerStatuses": None}, "not ready", "", "",
    ),
}  # fmt: skip
"""By what happens: the status, the state in a word, why there is no hope, and why there is no node."""


@pytest.mark.parametrize(("status", "state", "hopeless", "unscheduled"), CASES.values(), ids=list(CASES))
def test_a_pod_is_told_by_its_status(status: Status, state: str, hopeless: str, unscheduled: str) -> None:
    """How it stands, whether it can still get ready, and whether a node has it."""
    found = pod(status)
    assert (pods.state(found), pods.hopeless(found), pods.unscheduled(found)) == (state, hopeless, unscheduled)
    assert pods.is_ready(found) == (state == "ready")


@pytest.mark.parametrize("name", CASES)
def test_a_pod_that_is_to_go_is_never_ready(name: str) -> None:
    """Whatever its status says: it takes requests no more."""
    found = pod(CASES[name][0], deletionTimestamp=AT)
    assert (pods.state(found), pods.is_ready(found), pods.is_ending(found)) == ("ending", False, True)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ({}, None),
        (running(ready=True), None),
        (waiting("CrashLoopBackOff", last=end(5)), 5),
        ({"containerStatuses": [server(end(1), last=end(2), restarts=1)]}, 1),
        ({"containerStatuses": [server(end(0, "Completed"))]}, 0),
    ],
)
def test_the_last_end_of_a_container_counts(status: Status, code: int | None) -> None:
    """That of now before the one of before; none where it never ended."""
    assert (pods.ended(pod(status)) or {}).get("exitCode") == code


@pytest.mark.parametrize(
    ("status", "events", "log", "told"),
    [
        (
            waiting("CrashLoopBackOff", "back-off", last=end(2), restarts=3),
            ["BackOff (7 times): back-off"],
            ["opdeploy: --threads: many is no number"],
            [
                f"pod m-1: CrashLoopBackOff, restarts 3, image {IMAGE}",
                "  container: ended (exit code 2)",
                "  event BackOff (7 times): back-off",
                "  its log ends with:",
                "    opdeploy: --threads: many is no number",
            ],
        ),
        (
            UNSCHEDULABLE,
            [],
            [],
            [
                f"pod m-1: unschedulable, restarts 0, image {IMAGE}",
                f"  condition PodScheduled: Unschedulable: {NO_ROOM}.",
                "  its log is empty",
            ],
        ),
        (
            {"phase": "Pending", "conditions": [{"type": "Ready", "status": "False", "message": "a\nb"}]},
            [],
            [],
            [
                f"pod m-1: pending, restarts 0, image {IMAGE}",
                "  condition Ready: : a b",
                "  its log is empty",
            ],
        ),
    ],
    ids=["it ends", "no node", "a message of two lines"],
)
def test_the_evidence_is_all_that_is_known(status: Status, events: list[str], log: list[str], told: list[str]) -> None:
    """State, conditions that are not met, how it ended, events, and the end of the log, a line each."""
    assert [*pods.evidence(pod(status), iter(events), iter(log))] == told


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"reason": "Failed", "message": "a\n b", "count": 1}, "Failed: a b"),
        ({"reason": "BackOff", "message": "a", "count": 7}, "BackOff (7 times): a"),
        ({"reason": "BackOff", "message": "a", "count": None, "series": {"count": 3}}, "BackOff (3 times): a"),
        ({"reason": "Failed", "message": None}, "Failed: "),
        ({}, ": "),
    ],
)
def test_an_event_is_a_line(event: dict[str, Any], told: str) -> None:
    """With how often it came, whichever of the two forms of events it has."""
    assert pods.event(event) == told


def test_events_are_in_the_order_in_which_they_were_last_seen() -> None:
    """Of the series, else of the old form, else of the new, else when it was written."""
    events: list[Status] = [
        {"metadata": {"creationTimestamp": "2026-11-26T04:00:04Z"}},
        {"metadata": {"creationTimestamp": AT}, "lastTimestamp": None, "eventTime": "2026-11-26T04:00:03.000000Z"},
        {"metadata": {"creationTimestamp": AT}, "lastTimestamp": "2026-11-26T04:00:02Z", "eventTime": None},
        {"metadata": {"creationTimestamp": AT}, "series": {"lastObservedTime": "2026-11-26T04:00:01.000000Z"}},
    ]
    assert sorted(events, key=pods.at) == events[::-1]
