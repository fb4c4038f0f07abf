"""Signing in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError

from tests.arm.callers import Caller, sent

if TYPE_CHECKING:
    from tests.arm.arm import Arm


def test_a_wrong_secret_is_told_as_entra_tells_it(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """An application whose secret is wrong gets no token, and the number of the error."""
    for name, value in (arm.environment() | {"AZURE_CLIENT_SECRET": "wrong"}).items():
        monkeypatch.setenv(name, value)
    with Caller(arm) as caller, pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        caller.group()


@pytest.mark.parametrize(
    ("token", "code"), [("", "AuthenticationFailed"), ("Bearer other", "InvalidAuthenticationToken")]
)
def test_who_has_no_token_is_told_where_to_get_one(arm: Arm, token: str, code: str) -> None:
    """A request without a token, or with another's, is answered with 401 and the address of the authority."""
    address = f"{arm.url}/subscriptions?api-version=2022-12-01"
    status, body, headers = sent(arm, "GET", address, None, {"Authorization": token} if token else {})
    assert (status, body["error"]["code"]) == (401, code)
    assert f'authorization_uri="{arm.url}/{arm.tenant}"' in headers["WWW-Authenticate"]


def test_a_token_that_expired_is_refused(arm: Arm, caller: Caller) -> None:
    """A token is good for its time."""
    arm.tokens = dict.fromkeys(arm.tokens, 0.0)
    assert caller.ask("GET", "/subscriptions")[1]["error"]["code"] == "ExpiredAuthenticationToken"


def test_the_cloud_tells_of_itself(arm: Arm, caller: Caller) -> None:
    """The file of the cloud and the endpoints name the same addresses."""
    endpoints = json.loads(arm.cloud_file().read_text())["endpoints"]
    (told,) = caller.ask("GET", "/metadata/endpoints?api-version=2022-09-01")[1]
    assert (endpoints["resourceManager"], endpoints["activeDirectory"]) == (
        told["resourceManager"],
        told["authentication"]["loginEndpoint"],
    )
