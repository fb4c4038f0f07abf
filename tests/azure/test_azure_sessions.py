"""Who signs in to Azure, which subscription is meant, and that nothing of a connection stays open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from opdeploy.clients.azure import Arm, blobs, connected, session
from opdeploy.clients.azure import cloud as clouds
from opdeploy.clients.azure.blobs import Blobs
from opdeploy.clients.azure.images import Images, answer
from opdeploy.clients.azure.refused import RefusedError, explained
from opdeploy.clients.azure.session import Session
from opdeploy.clients.azure.signed import signed_in_from
from opdeploy.deployment import Lock
from opdeploy.errors import InputError, OpdeployError, TransientError
from opdeploy.targets.azure.names import Where

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ID = "11111111-2222-3333-4444-55555555555{}"
CLOUD = clouds.cloud("AzureCloud")


class Credential:
    """Who signs in, or is refused."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed = 0
        self._error = error

    def get_token(self, _scope: str) -> Any:  # noqa: ANN401 - a token
        """Return a token."""
        if self._error:
            raise self._error
        return SimpleNamespace(token="a.b.c")  # noqa: S106 - of nobody

    def close(self) -> None:
        """Close its connections."""
        self.closed += 1


@pytest.fixture
def credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Credential:
    """Have somebody who signs in, and nothing that names a subscription."""
    found = Credential()
    monkeypatch.setattr(session, "_found", lambda _cloud: found)
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    return found


ASKS: dict[str, Callable[[Session], object]] = {
    "a token": lambda found: found.token("https://a.example"),
    "who it is": lambda found: found.who(),
    "from where": signed_in_from,
    "a registry": lambda found: Images(found).refresh_token("me.azurecr.io"),
}


@pytest.mark.parametrize("asks", ASKS)
@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ClientAuthenticationError("AADSTS700082: expired"), RefusedError, "sign-in: nobody is signed in to Azure"),
        (ServiceRequestError("no route"), TransientError, "sign-in: Azure was not reached"),
    ],
)
def test_a_sign_in_that_fails_is_told_whoever_asks(
    asks: str, error: Exception, kind: type[OpdeployError], said: str
) -> None:
    """In a line with what to do: it is no fault of opdeploy, and what was only to be cleared away stays."""
    with pytest.raises(kind, match=said):
        ASKS[asks](Session(CLOUD, ID.format(0), Credential(error)))


CHAIN = """DefaultAzureCredential failed to retrieve a token from the included credentials.
Attempted credentials:
\tEnvironmentCredential: Authentication failed: {}
To mitigate this issue, please refer to the troubleshooting guidelines here."""
UNTRUSTED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate"
TUNNEL = "('Unable to connect to proxy', OSError('Tunnel connection failed: 502 No such host here'))"
UNREACHED: dict[str, tuple[Exception, type[OpdeployError], str]] = {
    "a wrong client secret": (
        ClientAuthenticationError(CHAIN.format("AADSTS7000215: Invalid client secret provided.")),
        RefusedError,
        "set the right AZURE_CLIENT_SECRET, or unset AZURE_CLIENT_ID and sign in with: az login",
    ),
    "an unknown client": (
        ClientAuthenticationError(CHAIN.format("AADSTS700016: Application was not found.")),
        RefusedError,
        "set the right AZURE_CLIENT_ID and what goes with it, or unset AZURE_CLIENT_ID and sign in with: az login",
    ),
    "another way to sign in": (
        ClientAuthenticationError("none\n\tAzureCliCredential: AADSTS700082: The refresh token has expired."),
        RefusedError,
        "AzureCliCredential: AADSTS700082: The refresh token has expired; sign in with: az login",
    ),
    "an authority that is not known, at the sign-in": (
        ClientAuthenticationError(CHAIN.format(UNTRUSTED)),
        RefusedError,
        "REQUESTS_CA_BUNDLE=FILE and SSL_CERT_FILE=FILE",
    ),
    "an authority that is not known": (ServiceRequestError(UNTRUSTED), RefusedError, "REQUESTS_CA_BUNDLE=FILE"),
    "a name that nobody knows": (
        ServiceRequestError("HTTPSConnection(host='x.vault.azure.net', port=443): Failed to resolve 'x'"),
        TransientError,
        "it: there is no Key Vault x whose name is known here; name one that is there",
    ),
    "a name that a proxy did not reach": (ServiceRequestError(TUNNEL), TransientError, "there is no Key Vault x"),
}


@pytest.mark.parametrize("case", UNREACHED)
def test_why_nothing_was_reached_is_told_with_what_to_do(case: str) -> None:
    """The cause, and not what it looks like: TLS is no sign-in, and a wrong secret is not mended by az login alone."""
    error, kind, said = UNREACHED[case]
    with pytest.raises(kind) as raised, explained("it", "Key Vault x"):
        raise error
    assert said in str(raised.value)
    assert ("nobody is signed in" in str(raised.value)) == ("AADSTS" in str(error))


def test_a_registry_whose_name_is_unknown_is_told() -> None:
    """Without the address that was asked, which may hold a secret."""
    with pytest.raises(TransientError) as raised, answer("GET", "https://nosuch.invalid/v2/?sig=secret"):
        pass
    assert "there is no host nosuch.invalid (see deploy.registry) whose name is known here" in str(raised.value)
    assert "sig=" not in str(raised.value)


def test_who_signed_in_is_closed_once(credential: Credential) -> None:
    """In the end, and where no subscription is found; who was given is not closed."""
    with connected(None, ID.format(0)) as found:
        assert found.subscription == ID.format(0)
        assert credential.closed == 0
    assert credential.closed == 1
    Session(CLOUD, ID.format(0), credential).close()
    assert credential.closed == 1


STATES = {"Enabled": True, "Warned": True, "PastDue": True, "Disabled": False, "Deleted": False}


@pytest.mark.parametrize("state", STATES)
def test_a_subscription_is_found_by_its_name(
    state: str, credential: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one whose bill is due: that is told as anything else is."""
    item = {"subscriptionId": ID.format(1), "displayName": "team", "state": state}
    monkeypatch.setattr(Arm, "every", lambda *_: iter([item]))
    if STATES[state]:
        with connected(None, "team") as found:
            assert found.subscription == ID.format(1)
    else:
        with pytest.raises(InputError, match="nobody has given you a subscription"), connected(None, "team"):
            pass
    assert credential.closed == 1


@pytest.mark.parametrize("names", [["team"], ["foo", "foo"]])
@pytest.mark.parametrize("option", [None, "foo"])
@pytest.mark.usefixtures("credential")
def test_a_name_that_is_not_that_of_one_subscription_is_told(
    option: str | None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what gave it."""
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "foo")
    items = [
        {"subscriptionId": ID.format(place), "displayName": name, "state": "Enabled"}
        for place, name in enumerate(names)
    ]
    monkeypatch.setattr(Arm, "every", lambda *_: iter(items))
    given = "--subscription" if option else "AZURE_SUBSCRIPTION_ID"
    said = "several subscriptions have that name" if names[0] == "foo" else "no subscription has that name"
    with pytest.raises(InputError, match=f"^{given} foo: {said}"), connected(None, option):
        pass


@pytest.mark.parametrize(("cloud", "number"), [("AzureCloud", 1), ("AzureChinaCloud", 3), ("AzureUSGovernment", 9)])
@pytest.mark.usefixtures("credential")
def test_azs_own_subscription_is_that_of_the_cloud(
    cloud: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has one for each; where it has none, the only one that there is is taken."""
    known = [("AzureCloud", False), ("AzureCloud", True), ("AzureChinaCloud", False), ("AzureChinaCloud", True)]
    profile = [
        {"id": ID.format(place), "name": "n", "environmentName": name, "isDefault": is_default}
        for place, (name, is_default) in enumerate(known)
    ]
    (tmp_path / "azureProfile.json").write_text(json.dumps({"subscriptions": profile}), encoding="utf-8-sig")
    only = {"subscriptionId": ID.format(9), "state": "Enabled"}
    monkeypatch.setattr(Arm, "every", lambda *_: iter([only]))
    with connected(cloud, None) as found:
        assert found.subscription == ID.format(number)


class Blob:
    """The client of a blob that nobody else has."""

    def __init__(self, opened: list[Blob]) -> None:
        opened.append(self)
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True

    def upload_blob(self, *_: object, **_more: object) -> None:
        """Have it."""

    set_blob_metadata = upload_blob

    def get_blob_properties(self) -> None:
        """Tell that it is not there any more."""


def test_nothing_of_a_lock_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """What renews it is closed when it is given back, and not before."""
    opened: list[Blob] = []
    monkeypatch.setattr(Blobs, "_of", lambda _self, _at: Blob(opened))
    monkeypatch.setattr(blobs, "_lease", lambda *_: SimpleNamespace(id="x", acquire=lambda **_: None))
    kept = Blobs(Session(CLOUD, ID.format(0), Credential()), "https://me.blob.core.windows.net/deployments")
    at = Where(ID.format(0), "models", "westeurope", "net")
    lock = Lock(owner="me", since=datetime(2026, 11, 26, tzinfo=UTC), doing="deploy", process="here/1")
    assert kept.take(at, lock) == lock
    assert [item.closed for item in opened] == [True, False]
    kept.give_back(at, lock)
    assert all(item.closed for item in opened)
