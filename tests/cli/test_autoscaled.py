"""What files and plans of a deployment take from the recommendation: how many instances, and when another starts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from nets import linear, records

from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.samples import Samples
from opdeploy.runtime.package import sha256

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Opdeploy

SAID = "from the recommendation for "
ESTIMATE = "; it is an estimate, which opdeploy test-local makes firm"
LOAD = {"requests_per_second": {"average": 100, "peak": 2000}, "latency_ms": {"p95": 200}}
AZURE = ("-g", "rg", "--registry", "me.azurecr.io", "--location", "westeurope")


def served(model: Path) -> dict[str, Any]:
    """Return a measurement of a server on one core."""
    sets = ["avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512_vnni"]
    machine = {"cpu": "A processor", "cores": 4, "threads_per_core": 1, "usable_cpus": 4, "instruction_sets": sets}
    return {
        "kind": "served",
        "date": "2026-11-27",
        "model": "fp32",
        "sha256": sha256(model),
        "runtime": "process",
        "limits": {"cpus": 1, "memory_gb": None, "target": None},
        "settings": {},
        "machine": machine,
        "carried": "tensors",
        "records_per_request": 1,
        "slo_ms": None,
        "limit_ms": 20,
        "requests_per_second": 800,
        "capacity": 900,
        "points": [],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an artefact that was measured, and one that was not."""
    model = linear(tmp_path / "model.onnx")
    samples = Samples({"x": records(12)}, "records")
    told = {"served-process": json.dumps(served(model))}
    build(Contents("net", model, samples, measurements=told), tmp_path / "net")
    build(Contents("net", model, samples), tmp_path / "unmeasured")
    return tmp_path


def workload(folder: Path, model: str = "net", serving: dict[str, Any] | None = None, **more: Any) -> Path:  # noqa: ANN401
    """Write a workload file, with more of it."""
    asked = {"pattern": "request-response", **(LOAD if serving is None else serving)}
    value = {"name": "demo", "stage": "demo", "model": {"path": model}, "serving": asked, "region": "westeurope"}
    path = folder / "workload.yaml"
    path.write_text(json.dumps({**value, **more}))
    return path


def sizing(opdeploy: Opdeploy, folder: Path, platform: str) -> dict[str, Any]:
    """Return what is recommended for a platform."""
    ran = opdeploy("recommend", "-o", "json", cwd=folder)
    assert ran.code == 0, ran.err
    (found,) = (item["sizing"] for item in ran.json["ranked"] if item["platform"] == platform)
    assert isinstance(found, dict)
    return found


def planned(opdeploy: Opdeploy, folder: Path, target: str, *options: str) -> tuple[list[str], dict[str, Any]]:
    """Return what a plan says of instances, and the settings that it keeps."""
    ran = opdeploy("plan", "--offline", "-t", target, *options, "-o", "json", cwd=folder)
    assert ran.code == 0, ran.err
    return [note for note in ran.json["notes"] if note.startswith(SAID)], ran.json["settings"]


def app(opdeploy: Opdeploy, folder: Path, name: str) -> tuple[float, dict[str, Any]]:
    """Return processors and scaling of a container app's files."""
    ran = opdeploy("render", "-t", "container-apps", *AZURE, "-d", name, cwd=folder)
    assert ran.code == 0, ran.err
    resources = json.loads((folder / name / "template.json").read_text())["resources"]
    (found,) = (item for item in resources if item["type"] == "Microsoft.App/containerApps")
    template = found["properties"]["template"]
    return template["containers"][0]["resources"]["cpu"], template["scale"]


def scaler(opdeploy: Opdeploy, folder: Path, target: str, *options: str) -> dict[str, Any] | None:
    """Return the autoscaler of a cluster's files; None where there is none."""
    ran = opdeploy("render", "-t", target, *options, "-d", f"files-{target}", cwd=folder)
    assert ran.code == 0, ran.err
    files = (folder / f"files-{target}" / "manifests").glob("*.yaml")
    found = [item for item in map(yaml.safe_load, (path.read_text() for path in files)) if item]
    return next((item["spec"] for item in found if item["kind"] == "HorizontalPodAutoscaler"), None)


def test_replicas_are_those_of_the_recommendation(opdeploy: Opdeploy, folder: Path) -> None:
    """With the processors that they were counted for; a plan says so in one line, and keeps them for `apply`."""
    workload(folder)
    found = sizing(opdeploy, folder, "container-apps")
    assert (found["capacity"]["grade"], found["count"] > 1) == ("scaled", True)
    at_once = max(1, math.floor(found["in_flight"]))
    cpus, scale = app(opdeploy, folder, "made")
    assert found["size"] == f"Consumption-{cpus:g}"
    assert (scale["minReplicas"], scale["maxReplicas"]) == (found["least"], found["count"])
    assert scale["rules"][0]["http"]["metadata"] == {"concurrentRequests": str(at_once)}
    notes, kept = planned(opdeploy, folder, "container-apps", *AZURE)
    flight = f"{at_once} request{'' if at_once == 1 else 's'} in flight each"
    assert notes == [f"{SAID}{found['size']}: {found['least']} to {found['count']} instances, {flight}"]
    new = {"min_replicas": found["least"], "max_replicas": found["count"], "concurrency": at_once, "cpus": cpus}
    assert kept["deploy"]["container_apps"] == new


@pytest.mark.parametrize(
    "chosen",
    [
        {"min_replicas": 1, "max_replicas": 2, "concurrency": 7},
        {"cpus": 1.75},
        {"profile": "D4"},
        {"profile": "E8", "cpus": 8},
    ],
    ids=["all", "processors that are not sold so", "a node that is shared", "a size that has no price"],
)
def test_what_is_set_stays(opdeploy: Opdeploy, folder: Path, chosen: dict[str, Any]) -> None:
    """Also where it names another size than those that were counted: then all is as without a load."""
    made: list[tuple[float, dict[str, Any]]] = []
    for serving in (LOAD, {}):
        workload(folder, serving=serving, deploy={"container_apps": chosen})
        made.append(app(opdeploy, folder, f"made{len(made)}"))
        notes, kept = planned(opdeploy, folder, "container-apps", *AZURE)
        assert (notes, kept["deploy"]["container_apps"]) == ([], chosen)
    assert made[0] == made[1]


def test_only_what_is_left_open_is_taken(opdeploy: Opdeploy, folder: Path) -> None:
    """Of the size that is set; what is set is not exceeded."""
    workload(folder, deploy={"container_apps": {"cpus": 2, "max_replicas": 40, "concurrency": 3}})
    cpus, scale = app(opdeploy, folder, "made")
    assert (cpus, scale["maxReplicas"]) == (2, 40)
    assert scale["rules"][0]["http"]["metadata"] == {"concurrentRequests": "3"}
    notes, _ = planned(opdeploy, folder, "container-apps", *AZURE)
    assert notes == [f"{SAID}Consumption-2: 1 instance at least"]
    assert scale["minReplicas"] == 1


def test_an_estimate_holds_nothing_to_fewer(opdeploy: Opdeploy, folder: Path) -> None:
    """Of a model that was never measured: the usual number stays the least of the most, and so do the processors."""
    workload(folder, "unmeasured", {"requests_per_second": {"peak": 3}})
    cpus, scale = app(opdeploy, folder, "made")
    assert (cpus, scale["maxReplicas"]) == (1, 10)
    notes, _ = planned(opdeploy, folder, "container-apps", *AZURE)
    assert notes
    assert all(note.startswith(f"{SAID}Consumption-1: ") and note.endswith(ESTIMATE) for note in notes)


def test_pods_are_those_of_the_recommendation(opdeploy: Opdeploy, folder: Path) -> None:
    """At least, at most, and how busy; nodes that are made have room for them, and for one more of a new version."""
    workload(folder)
    found = sizing(opdeploy, folder, "aks-cpu")
    cores = int(found["size"][len("Standard_D")]) / 2
    workload(folder, deploy={"kubernetes": {"cpus": cores}, "aks": {"size": found["size"]}})
    made = scaler(opdeploy, folder, "aks-cpu", *AZURE)
    assert made is not None
    assert (made["minReplicas"], made["maxReplicas"]) == (found["least"], found["count"])
    assert made["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    notes, kept = planned(opdeploy, folder, "aks-cpu", *AZURE)
    assert notes == [f"{SAID}{found['size']}: {found['least']} to {found['count']} instances"]
    assert kept["deploy"]["kubernetes"]["max_replicas"] == found["count"]
    nodes = {"min_nodes": found["least"], "max_nodes": found["count"] + 1}
    assert kept["deploy"]["aks"] == {"size": found["size"], **nodes}


def test_pods_of_one_processor_are_counted_as_such(opdeploy: Opdeploy, folder: Path) -> None:
    """Where nothing is set they have that, whatever size costs least; the nodes of a cluster that is there stay."""
    workload(folder)
    for options, sizes in (((), ("Standard_D2",)), (AZURE, ("Standard_D2as_v5: ",))):
        notes, kept = planned(opdeploy, folder, "aks-cpu", *options)
        (note,) = notes
        assert note.startswith(tuple(f"{SAID}{size}" for size in sizes))
        most = kept["deploy"]["kubernetes"]["max_replicas"]
        assert note.endswith(f" to {most} instances")
        assert kept["deploy"].get("aks", {}).get("max_nodes") == (most + 1 if options else None)


@pytest.mark.parametrize(
    "chosen",
    [
        {"kubernetes": {"replicas": 3}},
        {"kubernetes": {"cpus": 0.5}},
        {"aks": {"size": "Standard_E4s_v5"}},
        {"aks": {"size": "Standard_D8s_v5"}},
    ],
    ids=["a number", "less than a core", "a size that has no price", "nodes that pods share"],
)
def test_a_cluster_keeps_what_is_set(opdeploy: Opdeploy, folder: Path, chosen: dict[str, Any]) -> None:
    """A number of pods is one; pods that are no instances of what was counted have the usual number."""
    workload(folder, deploy=chosen)
    notes, _ = planned(opdeploy, folder, "aks-cpu", *(AZURE if "aks" in chosen else ()))
    assert notes == []
    assert scaler(opdeploy, folder, "aks-cpu", *(AZURE if "aks" in chosen else ())) is None


def test_pods_on_gpus_go_by_requests_in_flight(opdeploy: Opdeploy, folder: Path) -> None:
    """Which has no setting, and is kept in the plan all the same."""
    workload(folder, hardware={"gpu": "required"}, deploy={"kubernetes": {"max_replicas": 5}})
    found = sizing(opdeploy, folder, "aks-gpu")
    made = scaler(opdeploy, folder, "aks-gpu")
    assert made is not None
    wanted = round(1000 * found["in_flight"])
    written = f"{wanted}m" if wanted % 1000 else str(wanted // 1000)
    assert made["metrics"][0]["pods"]["target"]["averageValue"] == written
    _, kept = planned(opdeploy, folder, "aks-gpu")
    assert kept["in_flight"] == found["in_flight"]


@pytest.mark.parametrize(
    ("target", "options", "more"),
    [
        ("container-apps", AZURE, {"serving": {}}),
        ("aks-cpu", (), {"serving": {}}),
        ("aks-cpu", (), {"constraints": {"never": ["aks-cpu"]}}),
        ("local", (), {}),
        ("webapp", AZURE, {}),
    ],
    ids=["no load of an app", "no load of a cluster", "excluded", "no autoscaler here", "none there"],
)
def test_all_is_as_usual(
    opdeploy: Opdeploy, folder: Path, target: str, options: tuple[str, ...], more: dict[str, Any]
) -> None:
    """Where no load is told, which is assumed then, or the platform was not sized for it."""
    workload(folder, **more)
    notes, kept = planned(opdeploy, folder, target, *options)
    assert notes == []
    chosen = kept["deploy"]
    assert not any(chosen.get(section) for section in ("container_apps", "kubernetes", "aks"))
