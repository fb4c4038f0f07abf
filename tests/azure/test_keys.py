"""API keys of deployments in Azure: of the environment, or of a Key Vault; what is missing or wrong is found first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.targets.azure.names import Where
from opdeploy.targets.azure.vault import secret_name
from tests.azure.breaking import Breaks, killed
from tests.azure.clouded import GROUP, MISSING, REGION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.arm.vaults import Vault
    from tests.azure.clouded import Clouded

NEW = "another-key-of-the-owner"
DEPLOY = ("deploy", "--yes", "--allow-plain-http")


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project for container groups."""
    return clouded("aci")


@pytest.fixture
def vault(project: Clouded) -> Vault:
    """Have a key vault, and the project keep its key there."""
    project.workload(azure={"key_vault": "keys"})
    return project.arm.vault("keys")


def secret(project: Clouded) -> str:
    """Return the name of its secret."""
    return secret_name(Where(project.arm.subscription, GROUP, REGION, "net"), "aci")


def running(project: Clouded) -> Any:  # noqa: ANN401 - any JSON
    """Return the variables of the container as it was made, secrets too."""
    group = project.arm.resource("resourceGroups/models/providers/Microsoft.ContainerInstance/containerGroups/net")
    return group.body["properties"]["containers"][0]["properties"]["environmentVariables"]


def test_a_key_that_is_missing_is_asked_for_first(project: Clouded) -> None:
    """Deployed again, or rolled back, without the key that was shown: refused before anything is done."""
    assert project.deploy().code == 0
    shown, project.key = project.key, None
    assert shown
    before = len(project.arm.seen)
    same = project.deploy()
    project.model(seed=1)
    new = project.deploy()
    back = project.run("rollback", "--to", "1", "--yes")
    for done in (same, new, back):
        assert done.code != 0
        assert MISSING in done.err
    assert {item.method for item in project.arm.seen[before:] if "/oauth2/" not in item.path} == {"GET"}
    assert project.takes(shown)


@pytest.mark.parametrize("key", ["too-short", "has a blank in its middle", "has,a,comma,or,several"])
def test_a_key_that_no_server_takes_is_refused_first(project: Clouded, key: str) -> None:
    """It is said before anything is asked of Azure, and not repeated."""
    project.key = key
    done = project.deploy()
    assert done.code == 2
    assert "OPDEPLOY_API_KEY" in done.err
    assert key not in done.err
    assert project.arm.seen == [] or all(item.method == "GET" for item in project.arm.seen)


def test_another_key_takes_the_place_of_the_one_before(project: Clouded) -> None:
    """It is said in the plan; what runs is made again with it, and an unchanged deployment is as it was then."""
    assert project.deploy().code == 0
    shown, project.key = project.key, NEW
    assert shown
    done = project.deploy()
    assert done.code == 0, done.err
    assert "OPDEPLOY_API_KEY differs from the server's key and replaces it; clients need the new one" in done.err
    assert "key: " not in done.out  # whoever has set it, has it
    assert not project.takes(shown)
    assert project.takes(NEW)
    assert project.since(project.deploy) == []
    assert "version 1 answers already" in project.run("rollback", "--to", "1", "--yes").err


def test_a_rollback_to_what_answers_gives_it_the_new_key(project: Clouded) -> None:
    """It is asked whether it takes the key that is known, as before any plan."""
    assert project.deploy().code == 0
    project.key = NEW
    done = project.run("rollback", "--to", "1", "--yes")
    assert done.code == 0, done.err
    assert project.takes(NEW)


@pytest.mark.slow
def test_a_version_that_fails_leaves_the_new_key(project: Clouded) -> None:
    """The version before answers again, with the key that is given."""
    assert project.deploy().code == 0
    project.key = NEW
    project.model(seed=1, wrong=3)
    done = project.deploy()
    assert done.code == 5
    assert "version 1 answers" in done.err
    assert "failed too" not in done.err
    assert project.takes(NEW)


def test_a_vault_keeps_the_key(project: Clouded, vault: Vault) -> None:
    """It is made there, and read there by every command; nobody is shown it; with the deployment it is deleted."""
    done = project.deploy()
    assert done.code == 0, done.err
    key = vault.secrets[secret(project)]["value"]
    assert len(key) >= 32
    assert key not in done.err + done.out
    assert "API key:" not in done.err
    assert f'"$(az keyvault secret show --vault-name keys --name {secret(project)} --query value' in done.out
    assert vault.secrets[secret(project)]["tags"]["opdeploy-name"] == "net"
    assert {"name": "OPDEPLOY_API_KEYS", "secureValue": key} in running(project)
    assert project.since(project.deploy) == []
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert "net is gone from aci, resource group models: nothing of it is left there" in removed.err
    assert vault.secrets == {}
    assert project.left() == []
    again = project.deploy()  # the name of a secret that was deleted is taken until it is recovered
    assert again.code == 0, again.err
    assert vault.secrets[secret(project)]["value"] != key


def test_a_vault_is_known_from_the_record(project: Clouded, vault: Vault, tmp_path: Path) -> None:
    """A rollback from an empty folder finds the key; removed from there, the secret is deleted."""
    for seed in (0, 1):
        project.model(seed)
        assert project.deploy().code == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = ("net", "--target", "aci", "--resource-group", "models", "--yes")
    back = project.run("rollback", *where, cwd=elsewhere)
    assert back.code == 0, back.err
    assert project.run("remove", *where, cwd=elsewhere).code == 0
    assert vault.secrets == {}


def test_a_key_of_the_environment_is_kept_in_the_vault(project: Clouded, vault: Vault) -> None:
    """Given once, it is there from then on; another takes its place there and where it is asked for."""
    project.key = "the-first-key-of-the-owner"
    assert project.deploy().code == 0
    assert vault.secrets[secret(project)]["value"] == project.key
    project.key = NEW
    done = project.deploy()
    assert done.code == 0, done.err
    assert vault.secrets[secret(project)]["value"] == NEW
    project.workload()  # names no vault any more: the record knows it
    project.key = "a-third-key-of-the-owner"
    assert project.deploy().code == 0
    assert vault.secrets[secret(project)]["value"] == project.key
    assert project.takes(project.key)
    project.key = NEW
    assert project.run("rollback", "--to", "1", "--yes").code == 0
    assert vault.secrets[secret(project)]["value"] == NEW
    project.key = None
    assert project.since(project.deploy) == []
    assert project.takes(NEW)


def test_another_vault_takes_the_key_over(project: Clouded, vault: Vault) -> None:
    """Clients notice nothing: it is the same key, and what runs stays as it is; nothing is left in the vault before."""
    assert project.deploy().code == 0
    key = vault.secrets[secret(project)]["value"]
    other = project.arm.vault("others")
    project.workload(azure={"key_vault": "others"})
    written = project.since(project.deploy)
    assert [(item.method, item.path.partition("?")[0].partition("/secrets/")[0]) for item in written] == [
        ("PUT", "https://others.vault.azure.net"),
        ("DELETE", "https://keys.vault.azure.net"),
    ]
    assert vault.secrets == {}
    assert other.secrets[secret(project)]["value"] == key
    assert project.takes(key)
    assert project.since(project.deploy) == []
    assert project.run("remove", "--yes").code == 0
    assert other.secrets == {}


def test_the_secret_of_another_deployment_is_not_overwritten(project: Clouded, vault: Vault) -> None:
    """It is said what to do, and nothing is left but that secret."""
    tags = {"managed-by": "opdeploy", "opdeploy-name": "theirs", "opdeploy-target": "aci", "opdeploy-group": "g"}
    known = {"value": NEW, "id": f"https://keys.vault.azure.net/secrets/{secret(project)}/1", "attributes": {}}
    vault.secrets[secret(project)] = {**known, "tags": tags}
    project.key = "a-key-of-our-own-for-it"
    done = project.deploy()
    assert done.code == 2, done.err
    assert f"secret {secret(project)} of https://keys.vault.azure.net: is that of theirs, and was not overw" in done.err
    assert vault.secrets[secret(project)]["value"] == NEW
    assert project.left() == []


def test_anothers_secret_is_used_and_left(project: Clouded, vault: Vault) -> None:
    """What was in the vault before is the key, and stays there when the deployment is removed."""
    vault.secrets[secret(project)] = {
        "value": NEW,
        "id": f"https://keys.vault.azure.net/secrets/{secret(project)}/1",
        "attributes": {},
    }
    assert project.deploy().code == 0
    assert project.takes(NEW)
    assert project.run("remove", "--yes").code == 0
    assert vault.secrets[secret(project)]["value"] == NEW


def test_who_may_not_read_the_vault_is_told(project: Clouded, vault: Vault) -> None:
    """It is said before anything is made; the state is shown all the same."""
    project.arm.allow("*", but=("Microsoft.KeyVault/*",))
    done = project.deploy()
    assert done.code == 1
    assert f"secret {secret(project)} of https://keys.vault.azure.net was not read: Forbidden" in done.err
    assert project.left() == []
    assert vault.secrets == {}


def test_a_vault_that_is_not_there_is_told(project: Clouded) -> None:
    """A name that leads nowhere is no first deployment's vault."""
    project.workload(azure={"key_vault": "nowhere"})
    done = project.deploy()
    assert done.code == 1
    assert "there is no Key Vault nowhere (deploy.azure.key_vault) whose name is known here" in done.err
    assert project.left() == []


@pytest.mark.slow
def test_a_vault_that_is_gone_locks_nobody_out(project: Clouded, vault: Vault) -> None:
    """What there is is shown, and why the key is not known; it is removed, and nothing is deployed."""
    assert project.deploy().code == 0
    assert vault.secrets
    project.arm.vaults.clear()
    said = f"secret {secret(project)} of https://keys.vault.azure.net was not read: there is no Key Vault keys"
    status = project.run("status")
    assert status.code == 0, status.err
    assert said in " ".join(status.out.split())
    done = project.deploy()
    assert done.code == 1
    assert said in done.err
    removed = project.run("remove", "--yes")
    assert removed.code == 0, removed.err
    assert said in removed.err
    assert project.left() == []


@pytest.mark.slow
def test_a_deployment_that_is_killed_goes_on_with_the_key_of_its_vault(tmp_path: Path) -> None:
    """Whatever was kept when it was killed; then all of it goes, the secret too."""

    def scenario(project: Clouded, number: int) -> set[str]:
        vault = project.arm.vault("keys")
        project.workload(azure={"key_vault": "keys"})
        was_killed = killed(project, number, *DEPLOY)
        done = project.deploy()
        assert done.code == 0, (number, done.err)
        assert project.versions() == {1: ("running", True)}, number
        assert project.run("diff").code == 0, number
        assert project.takes(vault.secrets[secret(project)]["value"]), number
        assert project.run("remove", "--yes").code == 0, number
        assert (project.left(), vault.secrets) == ([], {}), number
        return {"first"} if was_killed else set()

    Breaks(tmp_path, "aci", {}).at_every_write(scenario, first=15)
