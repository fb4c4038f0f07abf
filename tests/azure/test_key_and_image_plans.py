"""Plans as data: when the API key is kept, when what runs is made again for it, and which images go."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy import targets
from opdeploy.clients.azure import cloud as clouds
from opdeploy.deploy.operate import require_key
from opdeploy.deploy.planning import to_deploy, to_remove, to_roll_back
from opdeploy.deploy_settings import Deploy
from opdeploy.deployment import Found, Observed, Version
from opdeploy.errors import InputError
from opdeploy.targets.azure.calls import calls as requests
from opdeploy.targets.azure.names import Where, completed, where
from opdeploy.targets.azure.target import forgotten, kept
from opdeploy.targets.azure.vault import secret_name, vault_of
from opdeploy.targets.base import Wanted

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.plan import Plan

TARGET = targets.find("aci")
AZURE = {"subscription": "0" * 8, "resource_group": "g", "location": "westeurope"}
VAULT = "https://keys.vault.azure.net"
SECRET = Found(kind="key vault secret", name="opdeploy-m", made={"id": "x", "vault": VAULT})
OWN = "opdeployabc.azurecr.io/opdeploy/m"


def wanted(*, keyed: bool = True, **azure: Any) -> Wanted:  # noqa: ANN401 - any setting
    """Return what is to run."""
    settings = Deploy.model_validate({"target": "aci", "azure": {**AZURE, **azure}})
    return Wanted(
        deployment="m",
        settings=completed(settings, "m"),
        artefact="a",
        bundle="b",
        image="x/m:1",
        platform="linux/amd64",
        port=8000,
        memory_gb=1.0,
        public=True,
        keyed=keyed,
        keep=2,
        ready_s=10.0,
    )


def deployed(want: Wanted, key: dict[str, Any], *more: Found) -> Observed:
    """Return a deployment as it is after what is wanted was made, with what is known of its key."""
    plan = to_deploy(TARGET, want, Observed(target="aci", deployment="m"), ())
    found = [
        Found(kind=step.kind, name=step.name, made={"id": step.args["resource"], "body": step.args["body"]})  # type: ignore[dict-item]
        for step in plan.steps
        if step.call == "azure.put"
    ]
    group = next(item for item in found if item.kind == "container group")
    own = Found(kind="version", name=kept("m", 1), properties={"keyed": want.keyed}, made=group.made)
    version = _version(1, want.image).model_copy(update={"config": TARGET.config(want), "resource": "m"})
    facts: dict[str, JsonValue] = {"key": key, "group": {"own": True}}
    return Observed(target="aci", deployment="m", found=(*found, own, *more), versions=(version,), facts=facts)


def _version(number: int, image: str) -> Version:
    return Version(
        number=number,
        resource=f"m.v{number}",
        config=str(number),
        artefact="a",
        image=image,
        at=datetime(2026, 11, 26, tzinfo=UTC),
        by="me",
        state="running",
        current=True,
    )


def calls(plan: Plan) -> list[str]:
    """Return what the steps of a plan call, but for checks."""
    return [step.call for step in plan.steps if step.action != "check"]


GROUPS = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups"
NETWORK = f"{GROUPS}/n/providers/Microsoft.Network/virtualNetworks/n/subnets"
FOR_GOOD: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another subnet": ({"subnet": f"{NETWORK}/a"}, {"subnet": f"{NETWORK}/b"}, "properties.subnetIds[0].id"),
    "a first subnet": ({}, {"subnet": f"{NETWORK}/b"}, "properties.ipAddress.type"),
    "no subnet any more": ({"subnet": f"{NETWORK}/a"}, {}, "properties.ipAddress.type"),
    "when it starts again": ({}, {"restart_policy": "Never"}, "properties.restartPolicy"),
}


@pytest.mark.parametrize("case", FOR_GOOD)
def test_a_group_is_made_again_for_what_it_has_for_good(case: str) -> None:
    """Azure refuses to change it."""
    before, after, why = FOR_GOOD[case]
    there = deployed(on_aci(before), {"kept": True, "fits": True})
    plan = to_deploy(TARGET, on_aci(after), there, ())
    (gone,) = (step for step in plan.steps if step.call == "azure.delete" and step.name == "m")
    assert f", for {why} can be changed in no other way" in gone.title
    assert gone.title.endswith("nothing answers until it is made again, and its address may be another then")


@pytest.mark.parametrize(
    ("before", "after"),
    [({}, {"dns_label": "models"}), ({"subnet": f"{NETWORK}/a"}, {"subnet": f"{NETWORK}/A"})],
    ids=["a name", "other capitals"],
)
def test_a_group_is_changed_in_place_where_it_can_be(before: dict[str, Any], after: dict[str, Any]) -> None:
    """It is not removed first; when it was ready again is noted."""
    plan = to_deploy(TARGET, on_aci(after), deployed(on_aci(before), {"kept": True, "fits": True}), ())
    made = [step.call for step in plan.steps if step.name == "m" and step.kind == "container group"]
    assert made == ["azure.put", "check.server", "check.endpoint"]
    assert "azure.prove" in calls(plan)
    (changed,) = (step for step in plan.steps if step.call == "azure.put" and step.name == "m")
    moves = "" if "dns_label" in after else ", and its address may be another then"
    assert changed.title == f"run version 2 in m; nothing answers until it has started{moves}"
    (tried,) = (step for step in plan.steps if step.call == "azure.put" and step.name == "m-trial")
    assert tried.title == (
        "try version 2 in a container group of its own, which costs as much again meanwhile (1 processor, 1 GB)"
    )


def test_a_group_with_a_name_keeps_its_address() -> None:
    """What is made again has the name, too."""
    label = {"dns_label": "models"}
    there = deployed(on_aci(label), {"kept": True, "fits": True})
    plan = to_deploy(TARGET, on_aci({**label, "restart_policy": "Never"}), there, ())
    (gone,) = (step for step in plan.steps if step.call == "azure.delete" and step.name == "m")
    assert gone.title.endswith("nothing answers until it is made again")


def with_another(target: str, want: Wanted, images: JsonValue, builds: str = "registry") -> list[str]:
    """Return what the steps for an image call, where a version is kept and what the registry has is a fact."""
    how = targets.find(target)
    there = Observed(target=target, deployment="m", versions=(_version(1, want.image),))
    there = there.model_copy(update={"facts": {"images": images, "builds": builds, "registry": None}})
    return [call for call in calls(to_deploy(how, want, there, ())) if call.endswith((".build", ".push", "clear"))]


@pytest.mark.parametrize("target", ["aci", "container-apps"])
@pytest.mark.parametrize("builds", ["registry", "here"])
def test_an_image_that_the_registry_has_is_not_made_again(target: str, builds: str) -> None:
    """For another version of the same model; one that is not there, or of which nothing is told, is."""
    want = wanted()
    want = want.model_copy(update={"settings": want.settings.model_copy(update={"target": target})})
    made = ["azure.build"] if builds == "registry" else ["image.build", "azure.push", "copy.clear"]
    assert with_another(target, want, {want.image: True}, builds) == made[2:]
    assert with_another(target, want, {want.image: False}, builds) == made
    assert with_another(target, want, {}, builds) == made


@pytest.mark.parametrize(("images", "built"), [({"x/m:1": True}, []), ({}, []), ({"x/m:1": False}, ["azure.build"])])
def test_an_image_that_somebody_removed_is_made_again(images: dict[str, bool], built: list[str]) -> None:
    """Of a version that runs as it is wanted, too: whatever starts next would not find it."""
    want = wanted()
    there = deployed(want, {"known": True, "fits": True, "kept": True})
    there = there.model_copy(update={"facts": {**there.facts, "images": images, "builds": "registry"}})
    assert calls(to_deploy(TARGET, want, there, ())) == built


def on_aci(chosen: dict[str, Any]) -> Wanted:
    """Return what is to run in a group that is chosen."""
    made = wanted()
    settings = Deploy.model_validate({"target": "aci", "azure": AZURE, "aci": chosen})
    return made.model_copy(update={"settings": completed(settings, "m")})


@pytest.mark.parametrize(
    ("key", "vault", "steps"),
    [
        ({"known": True, "fits": True, "kept": False}, None, []),
        ({"known": True, "fits": None, "kept": False}, None, []),
        ({"known": True, "fits": False, "kept": False}, None, ["azure.put", "azure.prove"]),
        ({"known": False, "fits": False, "kept": False}, None, ["azure.put", "azure.prove"]),
        ({"known": True, "fits": True, "kept": True}, "keys", []),
        ({"known": True, "fits": True, "kept": False}, "keys", ["azure.keep_key"]),
        ({"known": True, "fits": False, "kept": True}, "keys", ["azure.put", "azure.prove"]),
        ({"known": True, "fits": False, "kept": False}, "keys", ["azure.keep_key", "azure.put", "azure.prove"]),
    ],
)
def test_an_unchanged_deployment_is_made_again_for_its_key_alone(
    key: dict[str, Any], vault: str | None, steps: list[str]
) -> None:
    """What the endpoint takes, and what the vault has, decides; the plan says what changes, and not to what."""
    want = wanted(key_vault=vault)
    plan = to_deploy(TARGET, want, deployed(want, key), ())
    assert calls(plan) == steps
    changes = [change.property for step in plan.steps for change in step.changes]
    assert changes == (["key of clients"] if "azure.put" in steps else [])
    assert {change.after for step in plan.steps for change in step.changes} <= {"replaced"}


KNOWN = {"vault": VAULT, "secret": SECRET.name, "known": True, "fits": False}
"""What is known of the key of a deployment whose record has a vault, where the environment has another key."""


@pytest.mark.parametrize(("kept", "steps"), [(False, ["azure.keep_key", "azure.put"]), (True, ["azure.put"])])
def test_the_vault_of_the_record_counts_where_none_is_named(*, kept: bool, steps: list[str]) -> None:
    """Another key goes there in the plan that gives it to the server, of a rollback too; the vault keeps no old one."""
    want = wanted()
    there = deployed(want, {**KNOWN, "kept": kept}, SECRET)
    plans = (to_deploy(TARGET, want, there, ()), to_roll_back(TARGET, there, 1))
    assert [calls(plan) for plan in plans] == [[*steps, "azure.prove"], steps]
    args = [step.args for plan in plans for step in plan.steps if step.call == "azure.keep_key"]
    assert [(item["vault"], "before" in item) for item in args] == [(VAULT, False)] * len(args)


def test_a_rollback_writes_to_no_vault_that_is_not_read() -> None:
    """Nor does a return from a version that failed, nor one to a version that asks for no key."""
    unread = {key: value for key, value in KNOWN.items() if key != "kept"}
    for want, key in ((wanted(), unread), (wanted(keyed=False), {**KNOWN, "kept": False})):
        assert "azure.keep_key" not in calls(to_roll_back(TARGET, deployed(want, key, SECRET), 1))
    there = deployed(wanted(), {**KNOWN, "kept": False}, SECRET)
    failed = to_deploy(TARGET, wanted(), there, ())
    assert "azure.keep_key" not in {step.call for step in TARGET.back(there, 1, failed)}


def test_what_asks_for_no_key_has_none_kept() -> None:
    """A vault that is named gets nothing."""
    want = wanted(keyed=False, key_vault="keys")
    assert "azure.keep_key" not in calls(to_deploy(TARGET, want, Observed(target="aci", deployment="m"), ()))


def test_a_group_stays_in_which_others_have_something() -> None:
    """All that is the deployment's goes, and the plan says why the group does not."""
    seen = deployed(wanted(), {})
    base = "/subscriptions/s/resourceGroups/g/providers"
    others: list[JsonValue] = [f"{base}/Microsoft.Storage/storageAccounts/s{number}" for number in range(6)]
    others.append(f"{base}/Microsoft.ContainerInstance/containerGroups/b")
    facts: dict[str, JsonValue] = {**seen.facts, "group": {"own": True, "others": [*others[-1:], *others[:-1]]}}
    whole = to_remove(TARGET, seen)
    plan = to_remove(TARGET, seen.model_copy(update={"facts": facts, "group": "g"}))
    assert whole.notes == ()
    assert plan.steps == whole.steps[:-1]
    assert whole.steps[-1].id == "delete-resource-group-g"
    (note,) = plan.notes
    assert note.startswith("the resource group g stays: others have something in it: container group b, Microsoft.Sto")
    assert note.endswith("/storageAccounts s3, 2 more")


def test_the_key_is_kept_before_it_is_used() -> None:
    """So a command that is killed between them finds it again."""
    made = calls(to_deploy(TARGET, wanted(key_vault="keys"), Observed(target="aci", deployment="m"), ()))
    assert made.index("azure.note") < made.index("azure.keep_key") < len(made) - 1 - made[::-1].index("azure.put")


def test_a_secret_that_was_made_is_removed_before_the_record() -> None:
    """It goes after what uses it, and while the record still tells of it."""
    made = calls(to_remove(TARGET, deployed(wanted(), {}, SECRET)))
    assert made.index("azure.drop_key") == made.index("azure.close") - 2
    assert "azure.drop_key" not in calls(to_remove(TARGET, deployed(wanted(), {})))


@pytest.mark.parametrize("is_kept", [False, True], ids=["not there yet", "there, when it was killed"])
def test_the_key_leaves_the_vault_before_for_another(*, is_kept: bool) -> None:
    """The plan says so, and so do its requests, in their order; the key itself is as it was."""
    want = wanted(key_vault="others")
    plan = to_deploy(TARGET, want, deployed(want, {"known": True, "fits": True, "kept": is_kept}, SECRET), ())
    assert calls(plan) == ["azure.keep_key", "azure.drop_key"]
    keep, drop = (step for step in plan.steps if step.action != "check")
    assert (keep.args["vault"], keep.args["before"]) == ("https://others.vault.azure.net", VAULT)
    assert (drop.args["vault"], drop.args["name"]) == (VAULT, SECRET.name)
    shown = [(each.method, each.path.rpartition("/")[0]) for each in requests(plan, where(want.settings, "m"))]
    note = "/subscriptions/00000000/resourceGroups/g/providers/Microsoft.Resources/deployments"
    assert shown[1:-1] == [
        ("PUT", "https://others.vault.azure.net/secrets"),
        ("PUT", note),
        ("DELETE", f"{VAULT}/secrets"),
        ("PUT", note),
    ]


def test_a_secret_stays_in_the_vault_that_is_named() -> None:
    """However its address is written."""
    want = wanted(key_vault="https://Keys.vault.azure.net/")
    assert calls(to_deploy(TARGET, want, deployed(want, {"known": True, "fits": True, "kept": True}, SECRET), ())) == []


def test_a_removal_says_that_a_key_may_stay() -> None:
    """Where the vault does not tell whether it has one."""
    assert to_remove(TARGET, deployed(wanted(), {"known": True})).notes == ()
    notes = to_remove(TARGET, deployed(wanted(), {"known": True, "why": "keys: was not reached"})).notes
    assert notes == ("where its API key is kept, it may stay: keys: was not reached",)


class Knowing:
    """A place that knows a key, or none."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def api_key(self, _deployment: str) -> str | None:
        """Return it."""
        return self._key


@pytest.mark.parametrize(("keyed", "key", "refused"), [(True, None, True), (True, "k", False), (False, None, False)])
def test_a_rollback_needs_the_key_that_is_asked_for(*, keyed: bool, key: str | None, refused: bool) -> None:
    """Where nobody knows it, none is made: clients have the one that was."""
    plan = to_roll_back(TARGET, deployed(wanted(keyed=keyed), {}), 1)
    if not refused:
        require_key(plan, Knowing(key))  # type: ignore[arg-type]
        return
    with pytest.raises(InputError, match="set OPDEPLOY_API_KEY to the one that was shown"):
        require_key(plan, Knowing(key))  # type: ignore[arg-type]


@pytest.mark.parametrize("stored", [True, False, None], ids=["there", "gone", "not known"])
def test_an_image_that_the_registry_has_is_not_built_again(*, stored: bool | None) -> None:
    """For a version with other settings; one that somebody removed there is, and where that is not known."""
    there = deployed(on_aci({}), {"known": True, "fits": True})
    (version,) = there.versions
    facts = {**there.facts, "images": {version.image: stored} if stored is not None else {}}
    plan = to_deploy(TARGET, on_aci({"cpus": 2.0}), there.model_copy(update={"facts": facts}), ())
    assert plan.version == 2
    assert ("image.build" in calls(plan)) is not bool(stored)


@pytest.mark.parametrize(("proven", "before"), [(True, 1), (False, None)])
def test_a_version_that_never_worked_is_not_what_another_replaces(*, proven: bool, before: int | None) -> None:
    """Though its group is there, as where a command was interrupted that waited for it."""
    there = deployed(on_aci({}), {"known": True, "fits": True})
    versions = tuple(item.model_copy(update={"proven": proven}) for item in there.versions)
    plan = to_deploy(TARGET, on_aci({"cpus": 2.0}), there.model_copy(update={"versions": versions}), ())
    (change,) = (change for step in plan.steps if step.call == "azure.prove" for change in step.changes)
    assert (change.before, change.after) == (before, 2)


@pytest.mark.parametrize(
    ("images", "gone", "new", "removed"),
    [
        ([f"{OWN}:1", f"{OWN}:2"], {1}, "", [f"{OWN}:1"]),
        ([f"{OWN}:1", f"{OWN}:1"], {1}, "", []),
        ([f"{OWN}:1", f"{OWN}:2"], {1}, f"{OWN}:1", []),
        (["other.azurecr.io/m:1", f"{OWN}:2"], {1}, "", []),
        ([f"{OWN}:1", f"{OWN}:2", f"{OWN}:3"], {2, 1}, "", [f"{OWN}:1", f"{OWN}:2"]),
    ],
    ids=["its own", "another version's", "the new version's", "in another registry", "several"],
)
def test_images_that_no_version_has_are_removed(
    images: list[str], gone: set[int], new: str, removed: list[str]
) -> None:
    """Only from the deployment's own registry, and in the step that drops the versions."""
    versions = tuple(_version(number, image) for number, image in enumerate(images, 1))
    registry = Found(kind="container registry", name="opdeployABC")
    observed = Observed(target="aci", deployment="m", found=(registry,), versions=versions)
    (step,) = forgotten(observed, gone, new)
    assert step.args.get("images", []) == removed
    assert step.args["numbers"] == sorted(gone)
    assert step.cleanup
    assert [*forgotten(observed, [])] == []


def test_a_vault_has_an_address_and_the_secret_a_name() -> None:
    """By name in any cloud, or by address; where a cloud does not tell, only by that."""
    assert vault_of("Keys", "vault.azure.cn") == "https://keys.vault.azure.cn"
    assert vault_of("https://k.example/", "") == "https://k.example"
    with pytest.raises(InputError, match="write its address"):
        vault_of("keys", "")


def test_no_two_deployments_have_one_secret() -> None:
    """Whose names, groups, subscriptions or platforms differ; capitals make none, and Azure takes the name."""
    places = [Where(*place) for place in (("s", "g", "", "a_b"), ("s", "g", "", "a-b"), ("s", "h", "", "a-b"))]
    places += [Where("t", "g", "", "a-b"), Where("s", "g", "", "a" * 200)]
    names = [secret_name(at, target) for at in places for target in ("aci", "webapp")]
    assert len({*names}) == len(names)
    assert all(re.fullmatch("opdeploy-[0-9a-zA-Z-]{1,109}-[0-9a-f]{8}", name) for name in names)
    assert secret_name(Where("S", "G", "here", "a-b"), "aci") == secret_name(places[1], "aci")


@pytest.mark.parametrize(("dns", "suffix"), [(".vault.azure.cn", "vault.azure.cn"), (None, "")])
def test_a_clouds_file_tells_what_vaults_end_with(tmp_path: Path, dns: str | None, suffix: str) -> None:
    """As az cloud show prints it; a cloud without vaults is none the worse."""
    endpoints = dict.fromkeys(("resourceManager", "activeDirectory", "activeDirectoryResourceId"), "https://a.example/")
    told = {"endpoints": endpoints, "suffixes": {"acrLoginServerEndpoint": ".azurecr.cn", "keyvaultDns": dns}}
    (tmp_path / "cloud.json").write_text(json.dumps(told))
    found = clouds.read(tmp_path / "cloud.json")
    assert (found.registries, found.vaults) == ("azurecr.cn", suffix)


@pytest.mark.parametrize("name", clouds.CLOUDS)
def test_registries_of_microsofts_clouds_take_one_audience(name: str) -> None:
    """Whether the cloud is named, or a file tells of it; a registry of another takes tokens as its cloud does."""
    known = clouds.CLOUDS[name]
    other = known._replace(name="other", audience="https://a.example", is_known=False)
    assert known.registry_audience == other.registry_audience == "https://containerregistry.azure.net"
    assert other._replace(registries="registries.a.example").registry_audience == "https://a.example"
