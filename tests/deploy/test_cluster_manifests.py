"""Manifests of Kubernetes: what every version of it takes, and the conventions that they hold."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from kubernetes_validate.utils import ValidationError, all_versions, validate

from opdeploy.catalogue import load_catalogue
from opdeploy.deploy.artefacts import packaged
from opdeploy.deploy.prepare import Asked, prepared
from opdeploy.errors import InputError
from opdeploy.image import ImageSettings
from opdeploy.targets.base import Measured
from opdeploy.targets.kubernetes.kinds import KINDS
from opdeploy.targets.kubernetes.manifests import fitted
from opdeploy.targets.kubernetes.names import COMPONENT
from opdeploy.targets.kubernetes.values import PRE_STOP_S
from opdeploy.workload_file import Given, load_workload, overridden
from tests.deploy.cluster_values import APIS, GATEWAY_API, by_kind, selected, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.deploy.prepare import Prepared
    from tests.deploy.cluster_values import Manifest

VERSIONS = sorted({version for version in all_versions() if tuple(map(int, version.split("."))) >= (1, 30)})
NAMED = {"hostname": "a.example", "tls_secret": "t.cert"}
SETTINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "in production": {"stage": "production"},
    "without a key": {"service_type": "LoadBalancer", "no_key": True},
    "autoscaled": {"replicas": 2, "max_replicas": 9, "cpus": 0.01},
    "at nodes": {"service_type": "NodePort", "port": 8080, "replicas": 1000},
    "an ingress": {"ingress_class": "nginx", "hostname": "a.example"},
    "an ingress with TLS": {"ingress_class": "a.b-c", **NAMED, "pull_secret": "a.b"},
    "a gateway": {"gateway_class": "istio", "hostname": "a.example", "port": 65535},
    "a gateway with TLS": {"gateway_class": "istio", **NAMED},
    "a GPU": {"target": "aks-gpu"},
    "GPUs, autoscaled": {"target": "aks-gpu", "gpus": 16, "max_replicas": 5, "service_type": "LoadBalancer"},
    "words of YAML": {
        "name": "null",
        "namespace": "1e3",
        "tls_secret": "yes",
        "hostname": "0x1f",
        "ingress_class": "on",
    },
    "long names": {"name": "n" * 57, "namespace": "0" * 63, "pull_secret": "a." * 126 + "b"},
    "measured": {"measured": Measured(ready_s=40.0, peak_memory_mb=200.0, threads=3, knee=16), "memory": 2.5},
}
"""The wide set of settings, by what is special about them."""
LABEL = re.compile(r"^(([A-Za-z0-9][A-Za-z0-9_.-]*)?[A-Za-z0-9])?$")
"""Of a label's value, up to 63 characters (kubernetes.io/docs/concepts/overview/working-with-objects/labels/,
read 2026-11-26), which no schema holds."""
LABELS = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
}
"""Those that Kubernetes recommends for every object; app.kubernetes.io/version is that of pods."""
every_setting = pytest.mark.parametrize("chosen", SETTINGS.values(), ids=list(SETTINGS))


def pod_of(**chosen: Any) -> dict[str, Any]:  # noqa: ANN401 - values of settings
    """Return the template of the pods."""
    template: dict[str, Any] = by_kind(wanted(**chosen))["Deployment"]["spec"]["template"]
    return template


def server_of(**chosen: Any) -> dict[str, Any]:  # noqa: ANN401 - values of settings
    """Return the container of the server."""
    (container,) = pod_of(**chosen)["spec"]["containers"]
    return dict(container)


@pytest.fixture(scope="module")
def prepare(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Prepared]]:
    """Return a function that prepares a deployment of the digits, with settings."""
    model = packaged(root / "examples" / "digits" / "model.onnx", "digits", tmp_path_factory.mktemp("state"))
    workload = load_workload(root / "examples" / "digits" / "workload.yaml", load_catalogue().all_ids)
    with ExitStack() as stack:

        def made(target: str = "aks-cpu", registry: str | None = "me.example", **chosen: object) -> Prepared:
            given = {f"kubernetes.{name}": Given(f"deploy.kubernetes.{name}", value) for name, value in chosen.items()}
            settings = overridden(workload.deploy, given | ({"registry": Given("test", registry)} if registry else {}))
            asked = Asked(workload, settings, load_catalogue().by_id[target], ImageSettings(), 1.0, False, 60.0)  # noqa: FBT003
            return stack.enter_context(prepared(model, asked))

        yield made


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_takes_every_manifest(version: str) -> None:
    """All fields are known, and of the right type: of every kind but those of the Gateway API, which has no schema."""
    manifests = {json.dumps(item): item for chosen in SETTINGS.values() for item in wanted(**chosen).manifests}
    found = [item for item in manifests.values() if not item["apiVersion"].startswith("gateway.")]
    assert {item["kind"] for item in found} == {*KINDS} - {"Pod", "ReplicaSet", "Gateway", "HTTPRoute"}
    for manifest in found:
        validated = validate(manifest, version, strict=True)
        assert version.startswith(f"{validated}.")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_field_that_is_not_known_is_refused(version: str) -> None:
    """By the same check: it can fail, at the top as deep inside, and for a wrong type too."""
    manifest = by_kind(wanted())["Deployment"]
    wrongs: list[Manifest] = [{"speck": {}}, {"spec": {**manifest["spec"], "extra": 1}}, {"metadata": {"name": 5}}]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            validate(manifest | wrong, version, strict=True)


@pytest.mark.parametrize("chosen", [SETTINGS["a gateway"], SETTINGS["a gateway with TLS"]], ids=["plain", "TLS"])
def test_the_gateway_api_takes_its_kinds(chosen: dict[str, Any]) -> None:
    """By what its definitions say; TLS ends at the listener, and the route leads to the Service's port."""
    found = by_kind(wanted(**chosen))
    for kind, schema in GATEWAY_API.items():
        jsonschema.validate(found[kind], schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**found[kind], "spec": {**found[kind]["spec"], "extra": 1}}, schema)
    (listener,) = found["Gateway"]["spec"]["listeners"]
    (rule,) = found["HTTPRoute"]["spec"]["rules"]
    assert ("tls" in listener) == (listener["protocol"] == "HTTPS") == ("tls_secret" in chosen)
    assert found["HTTPRoute"]["spec"]["hostnames"] == [listener["hostname"]] == ["a.example"]
    assert found["HTTPRoute"]["spec"]["parentRefs"] == [{"name": found["Gateway"]["metadata"]["name"]}]
    service = found["Service"]
    assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}]


@every_setting
def test_every_object_is_named_and_labelled(chosen: dict[str, Any]) -> None:
    """By the labels that Kubernetes recommends, whose values it takes, in one namespace."""
    asked = wanted(**chosen)
    for kind, manifest in by_kind(asked).items():
        labels = manifest["metadata"]["labels"]
        assert labels.keys() >= LABELS or kind == "Namespace"
        assert all(len(value) <= 63 and LABEL.match(value) for value in labels.values())
        assert labels["opdeploy.name"] == asked.deployment
        assert manifest["apiVersion"] == KINDS[kind].api
        if kind != "Namespace":
            assert manifest["metadata"]["namespace"] == chosen.get("namespace", asked.deployment)
            assert manifest["metadata"]["name"] == asked.deployment
    pod = pod_of(**chosen)["metadata"]["labels"]
    assert pod["app.kubernetes.io/version"] == asked.bundle[:12]


@every_setting
def test_selectors_find_the_servers_of_one_deployment(chosen: dict[str, Any]) -> None:
    """Neither those of another one, nor the pod in which a version is tried; the NetworkPolicy covers that too."""
    found = by_kind(wanted(**chosen))
    other = pod_of(**chosen, name="other") if "name" not in chosen else pod_of()
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    trial = {**labels, COMPONENT: "trial"}
    budget, deployment = (
        found[kind]["spec"]["selector"]["matchLabels"] for kind in ("PodDisruptionBudget", "Deployment")
    )
    spread = [
        item["labelSelector"]["matchLabels"]
        for item in found["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    ]
    for selector in (found["Service"]["spec"]["selector"], deployment, budget, *spread):
        assert [selected(selector, these) for these in (labels, trial, other["metadata"]["labels"])] == [
            True,
            False,
            False,
        ]
    policy = found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert [selected(policy, these) for these in (labels, trial, other["metadata"]["labels"])] == [True, True, False]
    assert {
        item["topologyKey"] for item in found["Deployment"]["spec"]["template"]["spec"]["topologySpreadConstraints"]
    } == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


@pytest.mark.parametrize(("gpus", "shown"), [(None, "1"), (4, "4")])
def test_a_gpu_is_asked_for_as_much_as_it_is_given(gpus: int | None, shown: str) -> None:
    """And both taints that clouds give nodes with GPUs are tolerated; without a GPU, none is."""
    pod = pod_of(target="aks-gpu", gpus=gpus)["spec"]
    resources = pod["containers"][0]["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == shown
    assert {(item["key"], item["effect"]) for item in pod["tolerations"]} == {
        ("nvidia.com/gpu", "NoSchedule"),
        ("sku", "NoSchedule"),
    }
    plain = pod_of(gpus=gpus)["spec"]
    assert "tolerations" not in plain
    assert "nvidia.com/gpu" not in json.dumps(plain)


@pytest.mark.parametrize(
    ("target", "facts", "surge"),
    [
        ("aks-cpu", {}, (1, 0)),
        ("aks-cpu", {"spare_gpus": 0}, (1, 0)),
        ("aks-gpu", {}, (0, 1)),
        ("aks-gpu", {"spare_gpus": 0}, (0, 1)),
        ("aks-gpu", {"spare_gpus": None}, (0, 1)),
        ("aks-gpu", {"spare_gpus": -1}, (0, 1)),
        ("aks-gpu", {"spare_gpus": 2}, (1, 0)),
    ],
)
def test_a_pod_is_made_before_another_ends_where_there_is_room(
    target: str, facts: dict[str, Any], surge: tuple[int, int]
) -> None:
    """Without a spare GPU, a new pod would wait forever for that of an old one."""
    asked = wanted(target=target)
    strategy = fitted(asked.manifests, facts).manifests["Deployment"]["spec"]["strategy"]
    assert strategy["type"] == "RollingUpdate"
    assert (strategy["rollingUpdate"]["maxSurge"], strategy["rollingUpdate"]["maxUnavailable"]) == surge
    assert asked == wanted(target=target)


@every_setting
def test_a_drain_is_never_blocked(chosen: dict[str, Any]) -> None:
    """The budget lets one pod go, however many there are, and pods that are not well too."""
    spec = by_kind(wanted(**chosen))["PodDisruptionBudget"]["spec"]
    assert (spec["maxUnavailable"], spec.get("minAvailable"), spec["unhealthyPodEvictionPolicy"]) == (
        1,
        None,
        "AlwaysAllow",
    )


@every_setting
def test_a_server_may_do_nothing_but_serve(chosen: dict[str, Any]) -> None:
    """No root, nothing writable, no capability, no token, no call that the runtime does not know; of a fixed image."""
    pod = pod_of(**chosen)["spec"]
    server = server_of(**chosen)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["runAsGroup"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert server["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert server["image"].partition(":")[2] not in {"", "latest"}
    assert ("imagePullSecrets" in pod) == ("pull_secret" in chosen)


@every_setting
def test_nothing_is_reached_but_the_port(chosen: dict[str, Any]) -> None:
    """And the pods reach nothing: traffic out is a type of the policy, and none is allowed."""
    found = by_kind(wanted(**chosen))
    policy = found["NetworkPolicy"]["spec"]
    (port,) = server_of(**chosen)["ports"]
    assert {*policy["policyTypes"]} == {"Ingress", "Egress"}
    assert policy.get("egress", []) == []
    assert policy["ingress"] == [{"ports": [{"port": port["containerPort"], "protocol": "TCP"}]}]
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == port["name"]


@pytest.mark.parametrize(
    ("ready_s", "seconds"), [(None, 300), (0.2, 60), (6.0, 60), (6.01, 61), (40.0, 400), (123.45, 1235)]
)
def test_the_startup_probe_waits_ten_times_as_long_as_was_measured(ready_s: float | None, seconds: int) -> None:
    """A minute at least, five where nothing was measured; and a rollout takes longer than that to count as stuck."""
    measured = Measured(ready_s=ready_s)
    probe = server_of(measured=measured)["startupProbe"]
    assert seconds <= probe["periodSeconds"] * probe["failureThreshold"] < seconds + probe["periodSeconds"]
    deadline = by_kind(wanted(measured=measured))["Deployment"]["spec"]["progressDeadlineSeconds"]
    assert deadline >= seconds + 600


def test_probes_ask_what_they_are_for() -> None:
    """Whether it is ready decides about requests, and whether it lives about a restart."""
    server = server_of()
    paths = {kind: server[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/v2/health/ready", "readiness": "/v2/health/ready", "liveness": "/v2/health/live"}
    assert {server[f"{kind}Probe"]["httpGet"]["port"] for kind in paths} == {server["ports"][0]["name"]}


@pytest.mark.parametrize(
    ("chosen", "cpu", "request_memory", "limit_memory"),
    [
        ({}, "1", "954Mi", "954Mi"),
        ({"measured": Measured(peak_memory_mb=200.0, threads=3)}, "3", "239Mi", "954Mi"),
        ({"measured": Measured(peak_memory_mb=900.0), "memory": 1.0}, "1", "954Mi", "954Mi"),
        ({"measured": Measured(peak_memory_mb=0.001), "cpus": 1.5}, "1500m", "1Mi", "954Mi"),
        ({"measured": Measured(threads=3), "cpus": 0.25, "memory": 1.073741824}, "250m", "1Gi", "1Gi"),
        ({"memory": 0.5, "cpus": 1000}, "1k", "477Mi", "477Mi"),
        ({"memory": 1099.511627776}, "1", "1Ti", "1Ti"),
    ],
)
def test_resources_are_those_that_were_measured(
    chosen: dict[str, Any], cpu: str, request_memory: str, limit_memory: str
) -> None:
    """Processors from the threads, memory from the peak and a quarter, at most what the workload gives.

    They are written as a server writes them (apimachinery, pkg/api/resource/quantity.go, "canonical form", read
    2026-11-26): another form would look like a change by others.
    """
    resources = server_of(**chosen)["resources"]
    assert resources["requests"] == {"cpu": cpu, "memory": request_memory}
    assert resources["limits"] == {"cpu": cpu, "memory": limit_memory}


def test_a_pod_ends_what_it_was_asked() -> None:
    """Its grace is longer than the wait before it is told to end and the 20 s that the server gives requests then."""
    pod = pod_of()["spec"]
    (*_, program) = server_of()["lifecycle"]["preStop"]["exec"]["command"]
    assert f"time.sleep({PRE_STOP_S})" in program
    assert pod["terminationGracePeriodSeconds"] > PRE_STOP_S + 20


@pytest.mark.parametrize(
    ("chosen", "metric"),
    [
        (
            {},
            {
                "type": "Resource",
                "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
            },
        ),
        (
            {"target": "aks-gpu", "measured": Measured(knee=16)},
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "opdeploy_requests_in_flight"},
                    "target": {"type": "AverageValue", "averageValue": "16"},
                },
            },
        ),
    ],
    ids=["CPU", "GPU"],
)
def test_load_decides_about_the_number_of_pods(chosen: dict[str, Any], metric: dict[str, Any]) -> None:
    """By what shows it; then the Deployment itself names no number, which would be reset at every update."""
    found = by_kind(wanted(**chosen, replicas=2, max_replicas=9))
    spec = found["HorizontalPodAutoscaler"]["spec"]
    assert spec["metrics"] == [metric]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 9)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "m"}
    assert "replicas" not in found["Deployment"]["spec"]


@pytest.mark.parametrize(
    ("chosen", "replicas"),
    [({}, 1), ({"stage": "demo"}, 1), ({"stage": "production"}, 2), ({"stage": "production", "replicas": 1}, 1)],
)
def test_there_are_as_many_pods_as_the_stage_needs(chosen: dict[str, Any], replicas: int) -> None:
    """Unless a number is given; a most that is no more than that is no autoscaling."""
    for more in ({}, {"max_replicas": replicas}):
        found = by_kind(wanted(**{**chosen, **more}))
        assert "HorizontalPodAutoscaler" not in found
        assert found["Deployment"]["spec"]["replicas"] == replicas


@every_setting
def test_a_key_is_mounted_where_one_is_asked_for(chosen: dict[str, Any]) -> None:
    """As a file that only the server reads, of a Secret whose manifest has no value."""
    asked = wanted(**chosen)
    found, pod, server = by_kind(asked), pod_of(**chosen)["spec"], server_of(**chosen)
    assert ("Secret" in found) == ("volumes" in pod) == ("volumeMounts" in server) == asked.keyed
    env = {item["name"]: item["value"] for item in server["env"]}
    if asked.keyed:
        assert not {"data", "stringData"} & found["Secret"].keys()
        assert pod["volumes"][0]["secret"]["secretName"] == found["Secret"]["metadata"]["name"]
        (item,) = pod["volumes"][0]["secret"]["items"]
        (mount,) = server["volumeMounts"]
        assert env["OPDEPLOY_API_KEYS_FILE"] == f"{mount['mountPath']}/{item['path']}"
        assert (mount["name"], mount["readOnly"]) == (pod["volumes"][0]["name"], True)
    else:
        assert "OPDEPLOY_API_KEYS_FILE" not in env


@pytest.mark.parametrize("target", ["aks-cpu", "aks-gpu"])
def test_files_are_what_is_applied(prepare: Callable[..., Prepared], target: str) -> None:
    """But for the name of the image, which in files is no deployment's own; and no file has a key in it."""
    ready = prepare(target, service_type="LoadBalancer", max_replicas=4, ingress_class="nginx", hostname="a.example")
    texts = {path: text for path, text in ready.bundle.items() if isinstance(text, bytes) and "/" in path}
    files = [yaml.safe_load(text) for path, text in texts.items() if path.startswith("manifests/")]

    def without_image(manifest: Manifest) -> Manifest:
        text = re.sub(r'"image": "me\.example/[^"]*"', "", json.dumps(manifest))
        return dict(json.loads(text.replace(', , "', ', "')))

    assert [without_image(item) for item in files] == [without_image(item) for item in ready.wanted.manifests]
    (image,) = (
        item["spec"]["template"]["spec"]["containers"][0]["image"] for item in files if item["kind"] == "Deployment"
    )
    assert image != ready.wanted.image
    assert image.rpartition(":")[2] == ready.wanted.image.rpartition(":")[2]
    assert b"stringData" not in b"".join(texts.values())
    assert files[0]["kind"] == "Namespace"


def test_the_same_input_gives_the_same_bytes(prepare: Callable[..., Prepared]) -> None:
    """In the same order; another setting gives others."""
    one, two, other = prepare(replicas=2), prepare(replicas=2), prepare(replicas=3)
    assert [*one.bundle.items()] == [*two.bundle.items()]
    assert one.bundle != other.bundle


@pytest.mark.parametrize(
    "chosen",
    [
        {"namespace": "a\n---\nkind: Pod"},
        {"hostname": 'a"example'},
        {"ingress_class": "{{ name }}"},
        {"pull_secret": "a: b"},
        {"tls_secret": "A"},
        {"service_type": "ExternalName"},
        {"hostname": "a.example"},
        {"ingress_class": "a", "gateway_class": "b", "hostname": "a.example"},
        {"replicas": 3, "max_replicas": 2},
    ],
    ids=str,
)
def test_settings_that_would_be_no_manifest_are_refused(
    prepare: Callable[..., Prepared], chosen: dict[str, object]
) -> None:
    """Before anything is rendered, with the field that is wrong."""
    with pytest.raises(InputError, match=r"^deploy\.kubernetes\.[a-z_]+: |has both"):
        prepare(**chosen)


def test_every_kind_is_of_an_api_that_is_stable() -> None:
    """None is an alpha or a beta, and a cluster that has everything serves each."""
    assert all(re.fullmatch(r"v\d+", kind.api.rpartition("/")[2]) for kind in KINDS.values())
    assert {kind.api for kind in KINDS.values()} - {"v1"} <= {*APIS}


FITTED: dict[str, tuple[dict[str, Any], set[str], dict[str, str]]] = {
    "policy/v1": ({}, {"policy/v1"}, {"PodDisruptionBudget": "a drain of nodes may end all pods at once"}),
    "autoscaling/v2": ({"max_replicas": 4}, {"autoscaling/v2"}, {"HorizontalPodAutoscaler": "no autoscaling"}),
    "metrics.k8s.io": ({"max_replicas": 4}, {"metrics.k8s.io/v1beta1"}, {"HorizontalPodAutoscaler": "no autoscaling"}),
    "custom.metrics.k8s.io": (
        {"max_replicas": 4, "target": "aks-gpu"},
        {"custom.metrics.k8s.io/v1beta2"},
        {"HorizontalPodAutoscaler": "no autoscaling"},
    ),
    "gateway.networking.k8s.io/v1": (
        SETTINGS["a gateway"],
        {"gateway.networking.k8s.io/v1"},
        {"Gateway": "it is reached under no name", "HTTPRoute": "it is reached under no name"},
    ),
}
BETAS = ["policy/v1beta1", "autoscaling/v2beta2", "autoscaling/v1", "gateway.networking.k8s.io/v1beta1"]


@pytest.mark.parametrize("api", FITTED)
def test_what_a_server_lacks_is_left_out_by_name(api: str) -> None:
    """With the effect, and nothing older in its place, though the server has that."""
    chosen, missing, effects = FITTED[api]
    asked = wanted(**chosen)
    all_of_it = fitted(asked.manifests, {"apis": [*APIS]})
    assert (all_of_it.left_out, {*all_of_it.manifests}) == ({}, {item["kind"] for item in asked.manifests})
    found = fitted(asked.manifests, {"apis": [*BETAS, *(item for item in APIS if item not in missing)]})
    assert {*found.left_out} == {*effects}
    for kind, effect in effects.items():
        assert found.left_out[kind] == f"{api} is not served there: no {kind}: {effect}"
    assert found.manifests.keys() == all_of_it.manifests.keys() - effects.keys()
    assert not {item["apiVersion"] for item in found.manifests.values()} & {*BETAS}
    assert fitted(asked.manifests, {}).left_out == {}


def test_without_autoscaling_there_are_as_many_pods_as_were_asked_for() -> None:
    """An autoscaler that is left out leaves its least: a Deployment without a number would have one pod."""
    asked = wanted(replicas=3, max_replicas=9)
    found = fitted(asked.manifests, {"apis": [item for item in APIS if not item.startswith("metrics.")]})
    assert found.manifests["Deployment"]["spec"]["replicas"] == 3
