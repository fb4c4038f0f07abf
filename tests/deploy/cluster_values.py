"""What is wanted of a cluster, and a cluster that is imagined: it keeps what a real one keeps of one deployment."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml

from opdeploy.clients.kubernetes import records
from opdeploy.deploy.prepare import exposure
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Found, Observed
from opdeploy.render import render
from opdeploy.targets.base import Measured, Wanted
from opdeploy.targets.kubernetes.kinds import APPLIED
from opdeploy.targets.kubernetes.names import COMPONENT, DEPLOYMENT, NUMBER, PROVEN, trial
from opdeploy.targets.kubernetes.values import TEMPLATES, values

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import JsonValue

    from opdeploy.plan import Step

    Manifest = dict[str, Any]

NAME = "m"
REGISTRY = "me.example"
BY = "somebody@machine"
MADE = "2026-11-25T12:00:00Z"
APIS = [
    "apps/v1",
    "autoscaling/v2",
    "coordination.k8s.io/v1",
    "custom.metrics.k8s.io/v1beta2",
    "gateway.networking.k8s.io/v1",
    "metrics.k8s.io/v1beta1",
    "networking.k8s.io/v1",
    "policy/v1",
]
"""Groups and versions of a cluster that has everything."""
_DNS = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_NAME = {"type": "string", "minLength": 1, "maxLength": 253, "pattern": _DNS}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}


def _closed(required: Iterable[str] = (), **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    """Return the schema of an object that has no other properties."""
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": properties}


def _some(items: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the schema of a list that is not empty."""
    return {"type": "array", "minItems": 1, "maxItems": most, "items": items}


def _object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    api = {"const": "gateway.networking.k8s.io/v1"}
    return _closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion=api,
        kind={"const": kind},
        metadata={"type": "object"},
        spec=spec,
    )


_TLS = _closed(
    ("mode", "certificateRefs"),
    mode={"const": "Terminate"},
    certificateRefs=_some(_closed(("name",), kind={"const": "Secret"}, name=_NAME), 64),
)
_LISTENER = _closed(
    ("name", "port", "protocol"),
    name=_NAME,
    hostname=_NAME,
    port=_PORT,
    protocol={"enum": ["HTTP", "HTTPS"]},
    tls=_TLS,
    allowedRoutes=_closed(namespaces=_closed(**{"from": {"enum": ["All", "Selector", "Same"]}})),
) | {
    "if": {"properties": {"protocol": {"const": "HTTPS"}}},
    "then": {"required": ["tls"]},
    "else": {"properties": {"tls": False}},
}
_PATH = _closed(type={"enum": ["Exact", "PathPrefix"]}, value={"type": "string", "maxLength": 1024, "pattern": "^/"})
GATEWAY_API = {
    "Gateway": _object(
        "Gateway",
        _closed(("gatewayClassName", "listeners"), gatewayClassName=_NAME, listeners=_some(_LISTENER, 64)),
    ),
    "HTTPRoute": _object(
        "HTTPRoute",
        _closed(
            parentRefs=_some(_closed(("name",), name=_NAME), 32),
            hostnames=_some(_NAME, 16),
            rules=_some(
                _closed(
                    matches=_some(_closed(path=_PATH), 64),
                    backendRefs=_some(_closed(("name", "port"), name=_NAME, port=_PORT), 16),
                ),
                16,
            ),
        ),
    ),
}
"""What the Gateway API takes of what is used of it: v1 of its Gateway and HTTPRoute
(gateway-api.sigs.k8s.io/reference/spec/, and the definitions in config/crd/standard, read 2026-11-26)."""


def wanted(model: str = "a", target: str = "aks-cpu", **chosen: Any) -> Wanted:  # noqa: ANN401 - values of settings
    """Return what is wanted: a model, for which a letter stands, and what else is chosen of `deploy.kubernetes`.

    `name`, `stage`, `measured`, `memory`, `keep` and `no_key` are those of the deployment; manifests are rendered.
    """
    own = {
        key: chosen.pop(key, default)
        for key, default in {
            "name": NAME, "stage": None, "measured": Measured(), "memory": 1.0, "keep": 3, "no_key": False,
            "registry": REGISTRY,
        }.items()
    }  # fmt: skip
    told = {"target": target, "registry": own["registry"], "kubernetes": chosen}
    settings = Deploy.model_validate(told)
    public, tls = exposure(settings)
    found = Wanted(
        deployment=own["name"],
        settings=settings,
        artefact=model * 64,
        bundle=model * 64,
        image=f"{own['registry']}/opdeploy-{own['name']}:{model * 12}",
        platform="linux/amd64",
        port=8000,
        gpu=target == "aks-gpu",
        memory_gb=own["memory"],
        public=public,
        keyed=public and not own["no_key"],
        tls=tls,
        keep=own["keep"],
        ready_s=60.0,
    )
    files = render(TEMPLATES, values(found, "digits", own["stage"], found.image, own["measured"]))
    texts = (files[path] for path in sorted(files) if path.endswith(".yaml"))
    made = (yaml.safe_load(text) for text in texts if isinstance(text, bytes))
    return found.model_copy(update={"manifests": tuple(item for item in made if item)})


def by_kind(asked: Wanted) -> dict[str, Manifest]:
    """Return the manifests by their kinds, of which there is one each."""
    found = {manifest["kind"]: manifest for manifest in asked.manifests}
    assert len(found) == len(asked.manifests)
    return found


def selected(by: dict[str, str], labels: dict[str, str]) -> bool:
    """Tell whether a selector finds what has some labels."""
    return by.items() <= labels.items()


class Imagined:
    """A cluster; `done` lists the calls that were made, in order, with what they were about."""

    def __init__(self, apis: Iterable[str] = APIS, *, spare: int = 0, namespace: str | None = None) -> None:
        self.facts: dict[str, JsonValue] = {"apis": [*apis], "spare_gpus": spare}
        self.namespace = namespace
        self.objects: dict[tuple[str, str], Manifest] = {}
        self.done: list[tuple[str, str, str]] = []
        self.ready: int | None = None
        """The version of the only pods that are ready, where that is not the last one."""

    def carry_out(self, steps: Iterable[Step]) -> None:
        """Do what steps say; checks succeed."""
        for step in steps:
            self.done.append((step.call, step.kind, step.name))
            manifest: Any = step.args.get("manifest")
            match step.call:
                case "kubernetes.apply" | "kubernetes.keep_key":
                    self._apply(manifest)
                case "kubernetes.apply_version":
                    self._apply(records.signed(manifest, BY))
                case "kubernetes.try_version":
                    self._try(step.name, manifest)
                case "kubernetes.prove":
                    numbers: Any = step.args["numbers"]
                    self._annotate(step.name, PROVEN, ",".join(map(str, numbers)))
                case "kubernetes.remove":
                    self._remove(step.kind, step.name)
                case _:
                    assert step.action == "check" or step.call.startswith(("image.", "copy."))

    def _apply(self, manifest: Manifest) -> None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind == "Namespace":
            assert self.namespace is None
            self.namespace = "own"
            return
        assert self.namespace is not None
        before = self.objects.get((kind, name))
        live = records.recorded(manifest)
        live["metadata"]["creationTimestamp"] = MADE
        if kind == "Deployment":
            proofs = records.annotation(before, PROVEN) if before else ""
            live["metadata"]["annotations"] |= {PROVEN: proofs} if proofs else {}
            live["spec"].setdefault("replicas", before["spec"]["replicas"] if before else 1)
        self.objects[kind, name] = live
        if kind == "Deployment":
            self._roll_out(live)

    def _roll_out(self, live: Manifest) -> None:
        """Have one ReplicaSet for each template, of which that of the Deployment runs and has its annotations."""
        template = live["spec"]["template"]
        sets = {key: item for key, item in self.objects.items() if key[0] == "ReplicaSet"}
        key = next((key for key, item in sets.items() if item["spec"]["template"] == template), None)
        key = key or ("ReplicaSet", f"{NAME}-{len(sets) + 1}")
        for item in sets.values():
            item["spec"]["replicas"] = 0
        self.objects[key] = {
            "kind": "ReplicaSet",
            "metadata": {
                "name": key[1],
                "creationTimestamp": MADE,
                "annotations": deepcopy(live["metadata"]["annotations"]),
            },
            "spec": {"replicas": live["spec"]["replicas"], "template": deepcopy(template)},
        }

    def _try(self, name: str, manifest: Manifest) -> None:
        template = manifest["spec"]["template"]
        labels = {**template["metadata"]["labels"], COMPONENT: "trial"}
        self.objects["Pod", name] = {
            "metadata": {"name": name, "labels": labels, "annotations": {NUMBER: "0"}},
            "spec": template["spec"],
            "status": {"phase": "Running"},
        }

    def _annotate(self, name: str, key: str, text: str) -> None:
        self.objects["Deployment", name]["metadata"]["annotations"][key] = text

    def _remove(self, kind: str, name: str) -> None:
        if kind == "Namespace":
            assert not self.objects
            self.namespace = None
            return
        self.objects.pop((kind, name), None)  # none is no error
        if kind == "Deployment":
            self.objects = {key: item for key, item in self.objects.items() if key[0] != "ReplicaSet"}

    def edit(self, kind: str, *path: str | int, to: object) -> None:
        """Set a property of an object as others would."""
        value: Any = self.objects[kind, NAME]
        for key in path[:-1]:
            value = value[key]
        value[path[-1]] = to

    def observe(self, target: str = "aks-cpu") -> Observed:
        """Return everything that belongs to the deployment, as the client does."""
        of_deployment = self.objects.get(("Deployment", NAME))
        sets = [item for (kind, _), item in self.objects.items() if kind == "ReplicaSet"]
        served = ("Service", NAME) in self.objects
        found = [records.found(kind, item) for (kind, _), item in self.objects.items() if kind in APPLIED]
        found += [records.replicas(item) for item in sets]
        found += [records.pod(item, trial(NAME)) for (kind, _), item in self.objects.items() if kind == "Pod"]
        if self.namespace == "own":
            found.append(Found(kind="Namespace", name=NAME, passing=True))
        upstream = self.ready or records.number(of_deployment) if of_deployment and served else None
        return Observed(
            target=target,
            deployment=NAME,
            found=tuple(found),
            versions=records.versions(of_deployment, sets, upstream),
            facts={**self.facts, "namespace": self.namespace},
            front=NAME if served else None,
            upstream=upstream,
            rolls=True,
        )


def labelled(manifest: Manifest) -> dict[str, str]:
    """Return the labels of an object."""
    found: dict[str, str] = manifest["metadata"]["labels"]
    assert found[DEPLOYMENT]
    return found
