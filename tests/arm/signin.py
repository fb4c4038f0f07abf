"""The part of an Entra authority that credentials of an application need, and the endpoints of the cloud."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tests.arm.answers import Answer, Refused, error

if TYPE_CHECKING:
    from tests.arm.arm import Arm

UNKNOWN_CLIENT, WRONG_SECRET, UNKNOWN_TENANT = 700016, 7000215, 90002
"""Numbers of Entra's errors (learn.microsoft.com/entra/identity-platform/reference-error-codes)."""


def signed_in(arm: Arm, method: str, path: str, body: bytes) -> Answer | None:
    """Answer what a client asks before it has a token; None where it asks something else."""
    if path == "/metadata/endpoints":
        return Answer(200, _metadata(arm))
    tenant, _, rest = path.lstrip("/").partition("/")
    if rest == "v2.0/.well-known/openid-configuration":
        return Answer(200, _configuration(arm.url, tenant))
    if (method, rest) == ("POST", "oauth2/v2.0/token"):
        return _token(arm, tenant, {name: each[0] for name, each in parse_qs(body.decode()).items()})
    return None


def _metadata(arm: Arm) -> list[dict[str, Any]]:
    cloud = arm.cloud()
    return [
        {
            "name": cloud["name"],
            "resourceManager": cloud["endpoints"]["resourceManager"],
            "authentication": {
                "loginEndpoint": arm.url,
                "audiences": [cloud["endpoints"]["activeDirectoryResourceId"]],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "suffixes": {
                "acrLoginServer": cloud["suffixes"]["acrLoginServerEndpoint"].lstrip("."),
                "keyVaultDns": cloud["suffixes"]["keyvaultDns"].lstrip("."),
                "storage": cloud["suffixes"]["storageEndpoint"],
            },
        }
    ]


def _configuration(url: str, tenant: str) -> dict[str, Any]:
    base = f"{url}/{tenant}"
    return {
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "issuer": f"{base}/v2.0",
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
    }


def _token(arm: Arm, tenant: str, form: dict[str, str]) -> Answer:
    if tenant != arm.tenant:
        return _no(UNKNOWN_TENANT, "invalid_request", f"Tenant '{tenant}' not found.", 400)
    if form.get("client_id") != arm.client:
        text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
        return _no(UNKNOWN_CLIENT, "unauthorized_client", text, 400)
    if form.get("client_secret") != arm.secret:
        text = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            f"not the client secret ID, for a secret added to app '{arm.client}'."
        )
        return _no(WRONG_SECRET, "invalid_client", text, 401)
    until = time.time() + arm.token_s
    told = {
        "aud": form.get("scope", "").split(" ")[0].removesuffix("/.default"),
        "iss": f"https://sts.windows.net/{arm.tenant}/",
        "appid": arm.client,
        "oid": arm.principal,
        "tid": arm.tenant,
        "iat": int(time.time()),
        "nbf": int(time.time()),
        "exp": int(until),
        "n": len(arm.tokens),
    }
    if arm.signed_in_from:
        told["ipaddr"] = arm.signed_in_from
    parts = (json.dumps(each).encode() for each in ({"alg": "RS256", "typ": "JWT"}, told))
    token = ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (*parts, b"signature"))
    arm.tokens[token] = until
    seconds = arm.token_s
    return Answer(
        200, {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}
    )


def claims(token: str) -> dict[str, Any]:
    """Return what a token says; its signature is none."""
    middle = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


def _no(number: int, code: str, text: str, status: int) -> Answer:
    description = f"AADSTS{number}: {text} Trace ID: 0 Correlation ID: 0 Timestamp: 2026-11-26 12:00:00Z"
    return Answer(status, {"error": code, "error_description": description, "error_codes": [number]})


def check_token(arm: Arm, authorization: str) -> None:
    """Raise Refused for a request without a token that was given here and is still valid."""
    token = authorization.removeprefix("Bearer ")
    if arm.tokens.get(token, 0.0) > time.time():
        return
    code = "ExpiredAuthenticationToken" if token in arm.tokens else "InvalidAuthenticationToken"
    text = "The access token expiry UTC time is earlier than current UTC time." if token in arm.tokens else (
        "The access token is invalid."
    )  # fmt: skip
    if not authorization:
        code, text = "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
    ask = f'Bearer authorization_uri="{arm.url}/{arm.tenant}", error="invalid_token", error_description="{text}"'
    raise Refused(error(401, code, text, {"WWW-Authenticate": ask}))
