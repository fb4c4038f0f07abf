"""What holds for every target; one that is new needs no code here, but for a client that is new."""

from __future__ import annotations

import inspect
import json
from contextlib import ExitStack
from importlib import import_module
from pkgutil import iter_modules
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from opdeploy import targets
from opdeploy.catalogue import data, load_catalogue
from opdeploy.clients.azure import Making, Registries
from opdeploy.clients.docker.copies import Copies
from opdeploy.clients.docker.host import Host
from opdeploy.clients.docker.maker import Maker
from opdeploy.clients.kubernetes import Cluster
from opdeploy.deploy.artefacts import packaged
from opdeploy.deploy.checks import Checks
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.deploy.prepare import AZURE, CLUSTER, Asked, prepared
from opdeploy.deployment import Found, Observed, Version
from opdeploy.errors import InputError
from opdeploy.image import ImageSettings
from opdeploy.plan import Plan, Secret
from opdeploy.render import walk
from opdeploy.targets.azure.compare import flat
from opdeploy.targets.azure.target import VERSION as KEPT
from opdeploy.targets.azure.target import kept
from opdeploy.workload_file import Given, load_workload, overridden
from tests.deploy.imagined import AT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.deploy.prepare import Prepared
    from opdeploy.plan import Step
    from opdeploy.targets.base import Wanted

    Prepare = Callable[..., Prepared]

CLIENTS: dict[str, type] = {
    "check": Checks,
    "copy": Copies,
    "docker": Host,
    "image": Maker,
    "kubernetes": Cluster,
}
"""What steps call, by the first part of the call."""
STAYS = {"registry"}
"""Kinds of what a deployment makes and its removal leaves: what is pushed stays in the registry."""
AT_HOME = {"image here"}
"""Kinds of what is made beside the target, and is removed all at once, whatever is left of it."""
NOTED = {"note"}
"""Kinds of what is kept of a deployment where it lives, beside what it makes."""
FOLDERS = {**dict.fromkeys(CLUSTER, "kubernetes"), **dict.fromkeys(AZURE, "azure")}
"""The folder of templates of a target, where that is not called as it; not all of its files are made every time."""
KEPT_SECRET = ("key", "password", "secret", "token")
"""Parts of names of arguments that are secret."""
CHOSEN: dict[str, dict[str, object]] = {
    "nothing": {},
    "a port and an address": {"local.port": 9000, "local.host": "10.0.0.1", "vm.port": 9000, "vm.listen": "10.0.0.1"},
    "a limit": {"local.cpus": 1.5, "vm.cpus": 1.5, "kubernetes.cpus": 1.5, "kubernetes.max_replicas": 5},
    "an ingress": {
        "kubernetes.ingress_class": "nginx",
        "kubernetes.hostname": "a.example",
        "kubernetes.tls_secret": "t",
    },
    "a gateway": {
        "kubernetes.gateway_class": "istio",
        "kubernetes.hostname": "a.example",
        "kubernetes.tls_secret": "t",
    },
    "every address": {
        "local.host": "0.0.0.0",  # noqa: S104 - nothing listens here
        "vm.listen": "0.0.0.0",  # noqa: S104
        "kubernetes.service_type": "LoadBalancer",
    },
    "an address of version 6": {"local.host": "fd00::1", "vm.listen": "fd00::1"},
    "a registry": {"registry": "127.0.0.1:5000"},
    "built there": {"vm.build": "there"},
    "built there, and pushed": {"vm.build": "there", "registry": "127.0.0.1:5000"},
    "a long name": {"name": "Digits_" * 10 + "x"},
}

every_target = pytest.mark.parametrize("target", targets.ids())
every_target_told = pytest.mark.parametrize("target", sorted({*targets.ids()} - {"container-apps", "webapp"}))
"""Those whose steps tell what is there after them; for the others tests/azure has it, by what they do."""


@pytest.fixture(scope="module")
def artefact(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an artefact of the digits."""
    return packaged(root / "examples" / "digits" / "model.onnx", "digits", tmp_path_factory.mktemp("state"))


@pytest.fixture
def prepare(root: Path, artefact: Path) -> Iterator[Prepare]:
    """Return a function that prepares a deployment of the digits to a target, with settings."""
    workload = load_workload(root / "examples" / "digits" / "workload.yaml", load_catalogue().all_ids)
    with ExitStack() as stack:

        def made(target: str, *, public_no_auth: bool = False, **chosen: object) -> Prepared:
            settings = overridden(workload.deploy, {path: Given("test", value) for path, value in chosen.items()})
            profile = load_catalogue().by_id[target]
            asked = Asked(workload, settings, profile, ImageSettings(), 1.0, public_no_auth, 60.0)
            return stack.enter_context(prepared(artefact, asked))

        yield made


def nothing(target: str, wanted: Wanted) -> Observed:
    """Return what is there before a first deployment."""
    return Observed(target=target, deployment=wanted.deployment)


def after(observed: Observed, plan: Plan, wanted: Wanted) -> Observed:
    """Return what is there after a plan of a first deployment or an update, as its steps tell of it."""
    found = {(item.kind, item.name): item for item in observed.found}
    server = observed.deployment
    for step in plan.steps:
        if step.action == "create":
            told = step.args.get("wanted")
            properties = {**(told if isinstance(told, dict) else {}), "state": "running", "pushed": True}
            if step.kind == "container":
                properties.setdefault("image", wanted.image)
            found[step.kind, step.name] = Found(kind=step.kind, name=step.name, properties=properties)
            server = step.name if "record" in step.args else server
        manifest = step.args.get("manifest")
        if isinstance(manifest, dict):
            found[step.kind, step.name] = Found(kind=step.kind, name=step.name, made=manifest)
        if step.call == "kubernetes.apply_version" and isinstance(manifest, dict):
            server = f"{step.name}-{plan.version}"
            found["ReplicaSet", server] = Found(kind="ReplicaSet", name=server, made=manifest, passing=True)
        if step.call == "azure.put":
            found[step.kind, step.name] = _in_azure(step)
        if step.call == "azure.note":
            version = step.args["version"]
            assert isinstance(version, dict)
            name = kept(observed.deployment, plan.version or 0)
            made: dict[str, JsonValue] = {"id": version["resource"], "body": version["body"]}
            found[KEPT, name] = Found(kind=KEPT, name=name, properties={"keyed": version["keyed"]}, made=made)
            server = str(version["resource"]).rpartition("/")[2]
        if step.action == "delete":
            found.pop((step.kind, step.name), None)
    older = (version.model_copy(update={"current": False, "state": "stopped"}) for version in observed.versions)
    new = Version(
        number=plan.version or 0,
        resource=server,
        config=targets.find(observed.target).config(wanted),
        artefact=wanted.artefact,
        image=wanted.image,
        at=AT,
        by="somebody@machine",
        state="running",
        current=True,
    )
    facts: dict[str, JsonValue] = {"namespace": "own"}
    return observed.model_copy(update={"found": tuple(found.values()), "versions": (*older, new), "facts": facts})


def _in_azure(step: Step) -> Found:
    """Return a resource of Azure after the step that makes it."""
    body = step.args["body"]
    assert isinstance(body, dict)
    made: dict[str, JsonValue] = {"id": str(step.args["resource"]), "body": body}
    properties = {**flat(body), "state": "running"}
    return Found(kind=step.kind, name=step.name, properties=properties, wanted=flat(body), made=made)


def in_azure() -> Making:
    """Return what steps call in Azure, which is connected to nothing."""
    nothing_at_all: Any = SimpleNamespace(session=None)
    registries = Registries(nothing_at_all, nothing_at_all, None, builds_here=True)
    return Making(nothing_at_all, nothing_at_all, registries, "somebody", print)


def plans(target: str, first: Wanted, second: Wanted) -> dict[str, Plan]:
    """Return a plan of every kind."""
    how = targets.find(target)
    before = nothing(target, first)
    fresh = to_deploy(how, first, before, ())
    one = after(before, fresh, first)
    update = to_deploy(how, second, one, ())
    two = after(one, update, second)

    def other(steps: Iterator[Step]) -> Plan:
        return update.model_copy(update={"steps": tuple(steps)})

    return {
        "fresh": fresh,
        "again": to_deploy(how, first, one, ()),
        "update": update,
        "only one is kept": to_deploy(how, first.model_copy(update={"bundle": "0" * 64, "keep": 1}), two, ()),
        "rollback": to_roll_back(how, two, None),
        "failed": other(how.back(two, 1, update)),
        "teardown": to_remove(how, two),
        "teardown of nothing": to_remove(how, before),
    }


@pytest.fixture(params=CHOSEN.values(), ids=list(CHOSEN))
def made(request: pytest.FixtureRequest, prepare: Prepare, target: str) -> dict[str, Plan]:
    """Return plans of every kind, with different settings in turn."""
    first = prepare(target, **request.param).wanted
    return plans(
        target, first, first.model_copy(update={"bundle": "f" * 64, "image": f"{first.image[:-12]}{'f' * 12}"})
    )


def test_targets_are_platforms_of_today() -> None:
    """Every id is that of a profile, and leads to the target that has it."""
    assert targets.ids().keys() <= load_catalogue().by_id.keys()
    for name in targets.ids():
        assert name in targets.find(name).ids


def test_a_module_is_called_as_what_it_serves() -> None:
    """A module that serves one platform has its name; no platform is served by two modules."""
    modules = [import_module(f"{targets.__name__}.{module.name}") for module in iter_modules(targets.__path__)]
    served = [name for module in modules if hasattr(module, "TARGET") for name in module.TARGET.ids]
    assert sorted(served) == [*targets.ids()]
    for name, module in targets.ids().items():
        if len(targets.find(name).ids) == 1:
            assert module.replace("_", "-") == name


def test_a_platform_that_is_no_target_is_told() -> None:
    """With those that are."""
    with pytest.raises(InputError, match=r"^--target: opdeploy does not deploy to batch-ai; valid: .*local"):
        targets.find("batch-ai")


@every_target
@pytest.mark.parametrize("chosen", CHOSEN.values(), ids=list(CHOSEN))
@pytest.mark.parametrize("public_no_auth", [False, True], ids=["keyed", "no key"])
def test_files_are_made_of_templates(
    prepare: Prepare, target: str, chosen: dict[str, object], *, public_no_auth: bool
) -> None:
    """Every value that a template uses is there; YAML and JSON are read again; the README names an image of its own."""
    ready = prepare(target, public_no_auth=public_no_auth, **chosen)
    own = {path: content for path, content in ready.bundle.items() if not path.startswith("image/")}
    there = {path.removesuffix(".j2") for path, _ in walk(data("templates") / FOLDERS.get(target, target))}
    assert {*own} - {"template.json"} <= there  # which is made of the resources
    assert target in FOLDERS or set(own) == there
    readme = own["README.md"]
    assert isinstance(readme, bytes)
    assert f":{ready.wanted.bundle[:12]}" in readme.decode()
    assert ready.wanted.image not in readme.decode()
    for path, content in own.items():
        assert isinstance(content, bytes)
        if path.endswith((".yaml", ".yml")):
            assert all(isinstance(document, dict) for document in yaml.safe_load_all(content))
        elif path.endswith(".json"):
            assert json.loads(content)


@every_target
def test_the_same_files_are_made_every_time(prepare: Prepare, target: str) -> None:
    """Byte for byte, in the same order."""
    one, other = (prepare(target, **CHOSEN["a limit"]) for _ in range(2))
    assert [*one.bundle.items()] == [*other.bundle.items()]
    assert one.wanted == other.wanted


@every_target
def test_every_call_can_be_made(made: dict[str, Plan], target: str) -> None:
    """The client has the method, and the method takes what the step gives it."""
    for plan in made.values():
        assert plan.target == target
        for step in plan.steps:
            client, _, method = step.call.partition(".")
            assert not method.startswith("_")
            if client == "azure":
                inspect.signature(getattr(in_azure(), method)).bind(**step.args)
            else:
                inspect.signature(getattr(CLIENTS[client], method)).bind(None, **step.args)


@every_target
@pytest.mark.usefixtures("target")
def test_steps_can_be_told_apart(made: dict[str, Plan]) -> None:
    """Every step of a plan has an id of its own, under which what it gives is found."""
    for plan in made.values():
        names = [step.id for step in plan.steps]
        assert len({*names}) == len(names)


@every_target_told
def test_what_is_made_is_removed(made: dict[str, Plan], target: str) -> None:
    """The removal covers everything that a first deployment and an update make, by kind and name, and no more."""
    create = set[tuple[str, str]]()
    for name in ("fresh", "update"):
        create |= {(step.kind, step.name) for step in made[name].steps if step.action == "create"}
        create -= {(step.kind, step.name) for step in made[name].steps if step.action == "delete"}
    delete = [(step.kind, step.name) for step in made["teardown"].steps]
    assert {item for item in delete if item[0] not in AT_HOME | NOTED} == {
        item for item in create if item[0] not in STAYS | AT_HOME
    }
    assert {kind for kind, _ in create} & AT_HOME <= {kind for kind, _ in delete}
    assert {step.action for step in made["teardown"].steps} == {"delete"}
    assert len({*delete}) == len(delete)
    assert made["teardown of nothing"].steps == ()
    assert made["fresh"].target == target


@every_target
@pytest.mark.usefixtures("target")
def test_no_secret_is_in_a_plan(made: dict[str, Plan]) -> None:
    """What is secret is named, and made or found when the plan is carried out."""
    for plan in made.values():
        for step in plan.steps:
            for name, value in step.args.items():
                if any(part in name.lower() for part in KEPT_SECRET):
                    assert value is None or isinstance(value, Secret)


@every_target
def test_a_key_is_asked_for_where_everyone_reaches_it(prepare: Prepare, target: str) -> None:
    """It is a secret by name; and there is none where it was waived."""

    def secrets(*, waived: bool) -> set[str]:
        wanted = prepare(target, public_no_auth=waived, **CHOSEN["every address"]).wanted
        assert wanted.public
        plan = to_deploy(targets.find(target), wanted, nothing(target, wanted), ())
        return {value.secret for step in plan.steps for value in step.args.values() if isinstance(value, Secret)}

    assert secrets(waived=False) == {"api-key"}
    assert secrets(waived=True) == set()


@every_target_told
def test_a_first_deployment_ends_with_proof(made: dict[str, Plan], target: str) -> None:
    """The last steps that are no clearing away ask what answers; the same again makes nothing."""
    fresh = made["fresh"]
    assert [step for step in fresh.steps if step.kind not in NOTED][-1].action == "check"
    assert (fresh.target, fresh.first, fresh.unproven, fresh.version) == (target, True, True, 1)
    assert "create" not in {step.action for step in made["again"].steps}
    assert made["again"].version == 1
