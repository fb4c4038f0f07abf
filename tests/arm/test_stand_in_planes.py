"""The stand-in's data planes, under the real names of Azure's services and with their certificates checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from tests.arm.callers import code_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.arm.arm import Arm
    from tests.arm.callers import Caller

SERVER = "https://models.azurecr.io"


def _token(caller: Caller, scope: str) -> dict[str, str]:
    """Return the header of a request for a scope of the registry."""
    entra = caller.credential.get_token("https://containerregistry.azure.net/.default").token
    asked = {"grant_type": "access_token", "service": "models.azurecr.io", "access_token": entra}
    refresh = requests.post(f"{SERVER}/oauth2/exchange", data=asked, timeout=20).json()["refresh_token"]
    asked = {"grant_type": "refresh_token", "service": asked["service"], "scope": scope, "refresh_token": refresh}
    access = requests.post(f"{SERVER}/oauth2/token", data=asked, timeout=20).json()["access_token"]
    return {"Authorization": f"Bearer {access}"}


def _image(arm: Arm, folder: Path) -> None:
    (folder / "artefact" / "model").mkdir(parents=True)
    (folder / "artefact" / "model" / "model.yaml").write_text("name: net\n")
    (folder / "Dockerfile").write_text("FROM base\nCOPY artefact/ /\n")
    arm.image("models.azurecr.io/opdeploy/net:1", folder)


def test_a_registry_gives_an_image_to_who_may_pull(arm: Arm, caller: Caller, tmp_path: Path) -> None:
    """A token is for a scope; the manifest names layers, whose bytes are elsewhere, and need no token there."""
    caller.registry()
    _image(arm, tmp_path)
    assert requests.get(f"{SERVER}/v2/opdeploy/net/manifests/1", timeout=20).status_code == 401
    headers = _token(caller, "repository:opdeploy/net:pull")
    manifest = requests.get(f"{SERVER}/v2/opdeploy/net/manifests/1", headers=headers, timeout=20)
    layer = f"{SERVER}/v2/opdeploy/net/blobs/{manifest.json()['layers'][-1]['digest']}"
    got = requests.get(layer, headers=headers, timeout=20)
    assert got.history[0].status_code == 307
    assert got.request.headers.get("Authorization") is None
    assert got.content[:2] == b"\x1f\x8b"
    deletes = requests.delete(f"{SERVER}/acr/v1/opdeploy/net/_tags/1", headers=headers, timeout=20)
    assert deletes.status_code == 401
    arm.allow("Microsoft.Authorization/*")
    headers = _token(caller, "repository:opdeploy/net:pull")
    assert requests.get(f"{SERVER}/v2/opdeploy/net/manifests/1", headers=headers, timeout=20).status_code == 401


def test_a_manifest_is_deleted_with_its_tags(arm: Arm, caller: Caller, tmp_path: Path) -> None:
    """A tag is deleted alone, a manifest with all that it has."""
    caller.registry()
    _image(arm, tmp_path)
    headers = _token(caller, "repository:opdeploy/net:pull,delete,metadata_read")
    told = requests.get(f"{SERVER}/acr/v1/opdeploy/net/_manifests/1", headers=headers, timeout=20).json()
    assert told["manifest"]["tags"] == ["1"]
    where = f"{SERVER}/v2/opdeploy/net/manifests"
    assert requests.delete(f"{where}/{told['manifest']['digest']}", headers=headers, timeout=20).status_code == 202
    assert requests.get(f"{where}/1", headers=headers, timeout=20).json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"


def test_names_lead_nowhere_until_something_is_called_so(caller: Caller) -> None:
    """A registry or a vault that is not there has no name."""
    for host in ("models.azurecr.io", "keys.vault.azure.net", "example.com"):
        with pytest.raises(requests.ConnectionError):
            requests.get(f"https://{host}/", timeout=20)
    caller.registry()
    assert requests.get(f"{SERVER}/v2/", timeout=20).status_code == 404


def test_a_vault_keeps_secrets(arm: Arm, caller: Caller) -> None:
    """They are set, read, deleted and recovered; a deleted one keeps its name."""
    arm.vault("keys")
    with SecretClient("https://keys.vault.azure.net", caller.credential) as client:
        with pytest.raises(ResourceNotFoundError):
            client.get_secret("opdeploy-net")
        client.set_secret("opdeploy-net", "a" * 16, tags={"a": "b"})
        found = client.get_secret("opdeploy-net")
        assert (found.value, found.properties.tags) == ("a" * 16, {"a": "b"})
        client.begin_delete_secret("opdeploy-net").wait()
        with pytest.raises(ResourceExistsError):
            client.set_secret("opdeploy-net", "b" * 16)
        client.begin_recover_deleted_secret("opdeploy-net").wait()
        assert client.get_secret("opdeploy-net").value == "a" * 16
        arm.allow("Microsoft.KeyVault/vaults/secrets/getSecret/action")
        with pytest.raises(HttpResponseError) as refused:
            client.set_secret("opdeploy-net", "b" * 16)
        assert code_of(refused.value) == "Forbidden"
