"""What a server gets: what was asked for, within target and machine; and what a workload demands of it."""

from __future__ import annotations

import json
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.errors import InputError, NoPlatformError
from opdeploy.local.demand import demand
from opdeploy.local.limits import Room, Wanted, limits, too_large
from opdeploy.workload import Workload

if TYPE_CHECKING:
    from opdeploy.local.served import Runtime

ROOM = Room(4, 16)


@pytest.mark.parametrize(
    ("runtime", "wanted", "target", "found"),
    [
        ("process", Wanted(None, None, 1), None, (4, None, None, [])),
        ("process", Wanted(2, None, 1), "aci", (2, None, "aci", [])),
        ("docker", Wanted(None, None, 1.5), None, (4, 1.5, None, [])),
        ("docker", Wanted(0.5, 2, 1), "container-apps", (0.5, 2, "container-apps", [])),
        ("docker", Wanted(4, 2, 1), "container-apps", (4, 2, "container-apps", [])),
        ("docker", Wanted(3, 2, 1), "vm", (3, 2, "vm", ["cpus", "memory_gb"])),
    ],
)
def test_a_server_gets_what_was_asked_for(
    runtime: Runtime, wanted: Wanted, target: str | None, found: tuple[float, float | None, str | None, list[str]]
) -> None:
    """All processors where none are named; a container has the memory that the workload needs."""
    profile = load_catalogue().by_id[target] if target else None
    assert (astuple(limits(runtime, wanted, profile, ROOM)[0]), limits(runtime, wanted, profile, ROOM)[1]) == (
        found,
        [],
    )


@pytest.mark.parametrize("runtime", ["docker", "process"])
@pytest.mark.parametrize(
    ("target", "cpus", "found", "said"),
    [
        ("container-apps", 64, 4, "--cpus: container-apps has 4 at most, so that it is tried with 4"),
        ("container-apps", 4, 4, "--cpus: container-apps has 4 at most, so that it is tried with 4"),
        ("aci", 4, 4, "--cpus: aci has 31 at most and this machine 4, so that it is tried with 4"),
        ("vm", 64, 64, "--cpus: not known of vm, so that it is tried with the 64 of this machine"),
    ],
)
def test_where_no_processors_are_named_a_server_has_those_of_its_target(
    runtime: Runtime, target: str, cpus: float, found: float, said: str
) -> None:
    """As far as they are known and this machine has them; how many they are is said."""
    got, lines = limits(runtime, Wanted(None, None, 1), load_catalogue().by_id[target], Room(cpus, 16))
    assert (got.cpus, lines) == (found, [said])


@pytest.mark.parametrize(
    ("runtime", "wanted", "found", "said"),
    [
        ("process", Wanted(8, None, 1), (4, None), "--cpus 8: this machine has 4, so that it is tried with 4"),
        ("docker", Wanted(4.5, None, 1), (4, 1), "--cpus 4.5: this machine has 4, so that it is tried with 4"),
        ("docker", Wanted(1, 32, 1), (1, 16), "32 GB of memory: this machine has 16, and that is the limit"),
    ],
)
def test_a_machine_gives_what_it_has_and_that_is_said(
    runtime: Runtime, wanted: Wanted, found: tuple[float, float | None], said: str
) -> None:
    """A smaller machine than the target is no error: what it can show is worth having."""
    got, lines = limits(runtime, wanted, None, ROOM)
    assert ((got.cpus, got.memory_gb), lines) == (found, [said])


@pytest.mark.parametrize(
    ("runtime", "wanted", "target", "why"),
    [
        ("process", Wanted(1.5, None, 1), None, "--cpus 1.5: a process gets whole processors"),
        ("process", Wanted(None, 2, 1), None, "--memory: a process cannot be held to it; take --runtime docker"),
        ("docker", Wanted(4.5, 1, 1), "container-apps", "--cpus 4.5: container-apps has 4 at most: 4 vCPU in one"),
        ("process", Wanted(32, None, 1), "aci", "--cpus 32: aci has 31 at most: 31 vCPU and 240 GB in one group"),
        ("docker", Wanted(None, 9, 1), "container-apps", "9 GB of memory: container-apps has 8.59 at most: 8 GiB"),
        ("process", Wanted(None, None, 20), "container-apps", "20 GB of memory: container-apps has 8.59 at most"),
        ("process", Wanted(None, None, 1), "aml-batch", "--target aml-batch: answers no requests, it takes scheduled"),
        ("process", Wanted(None, None, 1), "postgres", "--target postgres: takes no image, and so not this server: "),
    ],
)
def test_what_cannot_be_had_is_refused(runtime: Runtime, wanted: Wanted, target: str | None, why: str) -> None:
    """With what is wrong, and what to do."""
    with pytest.raises(InputError) as caught:
        limits(runtime, wanted, load_catalogue().by_id[target] if target else None, ROOM)
    assert str(caught.value).startswith(why)


def test_a_fraction_of_a_processor_is_one_for_a_process() -> None:
    """A container of half a processor runs this command: the server has what the system gives it."""
    assert limits("process", Wanted(None, None, 1), None, Room(0.5, 4))[0].cpus == 1


def test_a_request_that_a_target_does_not_take_is_told() -> None:
    """What is not known says nothing."""
    profiles = load_catalogue().by_id
    limited = next(item for item in profiles.values() if item.limits.payload_mb)
    most = limited.limits.payload_mb
    assert most is not None
    assert too_large(limited, most.value) is None
    said = too_large(limited, most.value + 1)
    assert said is not None
    assert f"{limited.id} takes {most.value:g} at most" in said
    assert all(too_large(item, 1e9) is None for item in profiles.values() if not item.limits.payload_mb)


FULL = {
    "pattern": "request-response",
    "latency_ms": {"p95": 200},
    "requests_per_second": {"peak": 30},
    "records_per_request": 16,
}


@pytest.mark.parametrize(
    ("serving", "more", "found"),
    [
        (FULL, {"hardware": {"memory_gb": 2}}, (200, 30, 16, 2)),
        ({"pattern": "stream"}, {}, (None, None, None, 1)),
        ({**FULL, "pattern": "scheduled-batch"}, {}, (None, None, None, 1)),
        ({"pattern": "request-response"}, {"model": {"size_mb": 2000}}, (None, None, None, 3)),
    ],
)
def test_a_workload_demands_what_it_says(
    serving: dict[str, Any], more: dict[str, Any], found: tuple[float | None, float | None, int | None, float]
) -> None:
    """What is assumed elsewhere is no demand here, but for memory; a batch run has nobody who waits."""
    workload = Workload.model_validate_json(json.dumps({"name": "a", "serving": serving, **more}))
    assert astuple(demand(workload, 10)) == found


def test_without_a_workload_memory_follows_the_model() -> None:
    """As the advisor assumes: one and a half times its size, and at least 1 GB."""
    assert astuple(demand(None, 4000)) == (None, None, None, 6)


def test_a_generative_model_is_out_of_scope() -> None:
    """As for `recommend`."""
    workload = Workload.model_validate_json(
        '{"name": "chat", "model": {"framework": "llm"}, "serving": {"pattern": "stream"}}'
    )
    with pytest.raises(NoPlatformError, match="chat: a generative model is out of scope"):
        demand(workload, 10)
