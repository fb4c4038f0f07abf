"""A connection to the API server of a cluster: requests and answers as plain JSON, and errors that tell what to do."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from opdeploy.errors import InputError, NotFoundError, OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kubernetes.client import ApiClient

MANAGER = "opdeploy"
"""The field manager of what is applied."""
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
_TIMEOUT_S = 30.0
_RUN_S = 600.0
_BUSY = {
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_DENIED = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)
"""How RBAC refuses (k8s.io/apiserver, pkg/endpoints/handlers/responsewriters/errors.go, read 2026-11-26)."""


class ConflictError(OpdeployError):
    """Another has what was to be written: a field, or the whole object."""


class DeniedError(OpdeployError):
    """The user of the kubeconfig may not do it."""


class Api:
    """Sends requests to an API server."""

    def __init__(self, client: ApiClient, context: str) -> None:
        """Take a client of the SDK, and the name of the context that it is for."""
        self._client = client
        self.context = context

    @property
    def is_checked(self) -> bool:
        """Whether the server's certificate is checked."""
        return bool(self._client.configuration.verify_ssl)

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return what a path answers; raises NotFoundError where there is nothing."""
        return self.send("GET", path, query=query)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what a path answers; None where there is nothing."""
        try:
            return self.get(path)
        except NotFoundError:
            return None

    def find_or_denied(self, path: str) -> dict[str, Any] | None:
        """Return what a path answers; nothing of it where it may not be looked at, None where there is nothing."""
        try:
            return self.find(path)
        except DeniedError:
            return {}

    def text(self, path: str, **query: str) -> str:
        """Return the text that a path answers."""
        body: bytes = self._call("GET", path, query, None, None).read()
        return body.decode("utf-8", "replace")

    def lines(self, path: str, **query: str) -> Iterator[str]:
        """Yield the lines that a path answers as they come, until it ends."""
        response = self._call("GET", path, query, None, None, stream=True)
        rest = b""
        try:
            with explained(f"{path}: the connection broke"):
                for piece in response.response.stream(65536):
                    *lines, rest = (rest + piece).split(b"\n")
                    yield from (line.decode("utf-8", "replace") for line in lines)
            if rest:
                yield rest.decode("utf-8", "replace")
        finally:
            response.response.close()

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        kind: str = "application/json",
    ) -> dict[str, Any]:
        """Send a request with a JSON body, and return the JSON of its answer.

        Raises NotFoundError (404), ConflictError (409), DeniedError (403), TransientError where the connection failed
        or the server was busy, OpdeployError for any other refusal.
        """
        answer: dict[str, Any] = json.loads(self._call(method, path, query or {}, body, kind).read() or b"{}")
        return answer

    def headers(self) -> dict[str, str]:
        """Return what authorizes a request; it may ask a program of the kubeconfig for a token."""
        headers = {"Accept": "application/json, */*"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        return headers

    def portforward(self, namespace: str, pod: str, port: int) -> Any:  # noqa: ANN401 - of the SDK, which has no types
        """Return a connection to a port of a pod, through the server; its `socket(port)` is one."""
        from kubernetes.stream.ws_client import portforward_call

        url = self._url(f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward", {"ports": str(port)})
        with explained(f"{pod}: its port is not reached through the API server"):
            return portforward_call(self._client.configuration, "GET", url, headers=self.headers())  # type: ignore[no-untyped-call]

    def run(self, namespace: str, pod: str, container: str, command: list[str]) -> Iterator[bytes]:
        """Yield what a command in a pod writes to its standard output."""
        from kubernetes.stream.ws_client import websocket_call

        query = [("command", command), ("container", container), ("stdout", "true"), ("stderr", "true")]
        url = f"{self._client.configuration.host}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
        with explained(f"{pod}: nothing can be run in it"):
            stream = websocket_call(  # type: ignore[no-untyped-call]
                self._client.configuration,
                "GET",
                url,
                headers=self.headers(),
                query_params=query,
                _preload_content=False,
                capture_all=False,
                binary=True,
            )
            until = time.monotonic() + _RUN_S
            while stream.is_open():
                if time.monotonic() > until:
                    raise TransientError(f"{pod}: {command[0]} did not end within {_RUN_S:g} s; try again")
                stream.update(timeout=60)
                if piece := stream.read_stdout(timeout=0):
                    yield piece
            if piece := stream.read_stdout(timeout=0):
                yield piece
            try:
                code = stream.returncode
            except (TypeError, KeyError, ValueError):  # the connection broke before the server said how it ended
                raise TransientError(f"{pod}: {command[0]} was cut off; try again") from None
            if code:
                raise OpdeployError(f"{pod}: {command[0]} ended with {code}; see its log")

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        return f"{self._client.configuration.host}{path}{'?' + urlencode(query) if query else ''}"

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        kind: str | None,
        *,
        stream: bool = False,
    ) -> Any:  # noqa: ANN401 - a response of the SDK
        headers = self.headers() | ({"Content-Type": kind} if kind else {})
        with explained(f"{path}: {self.context} was not reached"):
            response = self._client.call_api(
                method, self._url(path, query), headers, body, _request_timeout=None if stream else _TIMEOUT_S
            )
            if not stream or response.status >= HTTPStatus.BAD_REQUEST:
                response.read()  # type: ignore[no-untyped-call]
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise refusal(path, response.status, response.data)
        return response


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise TransientError for a connection that failed, and OpdeployError for any other error of the SDK."""
    from kubernetes.client.exceptions import OpenApiException
    from urllib3.exceptions import HTTPError
    from websocket import WebSocketBadStatusException, WebSocketException

    try:
        yield
    except WebSocketBadStatusException as error:
        raise refusal(what, error.status_code, getattr(error, "resp_body", None) or b"") from error
    except (HTTPError, WebSocketException, OSError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise TransientError(f"{what}: {why}; see that the cluster runs, and that its address is right") from error
    except OpenApiException as error:
        why = " ".join(str(getattr(error, "reason", None) or error).split())
        raise OpdeployError(f"{what}: {why}; see that the cluster runs") from error


def refusal(what: str, status: int, body: bytes | str | None) -> OpdeployError:
    """Return the error for an answer that is a refusal, as a `Status` of Kubernetes where it is one."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    try:
        told = json.loads(text)
        message = str(told["message"])
        causes = [
            f"{item.get('message')}: {item.get('field')}" for item in (told.get("details") or {}).get("causes") or ()
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        message, causes = " ".join(text.split())[:300] or f"HTTP {status}", []
    match status:
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(f"{message}; deploy again")
        case HTTPStatus.CONFLICT:
            return ConflictError("; ".join(causes) or message)
        case HTTPStatus.FORBIDDEN if denied := _DENIED.search(message):
            return DeniedError(_in_words(denied.groupdict()))
        case HTTPStatus.UNAUTHORIZED:
            return OpdeployError(
                f"the cluster does not know who asks ({message}); log in, and see: kubectl auth whoami"
            )
        case _ if status in _BUSY:
            return TransientError(f"{what}: {message}; try again")
        case _:
            return OpdeployError(f"{what}: {message}")


def _in_words(denied: Mapping[str, str | None]) -> str:
    resource = f"{denied['resource']}.{denied['group']}" if denied["group"] else denied["resource"]
    where = f"namespace {denied['namespace']}" if denied["namespace"] else "the cluster"
    role = "Role" if denied["namespace"] else "ClusterRole"
    return (
        f"{denied['user']} may not {denied['verb']} {resource} in {where}; ask for a {role} with the verb "
        f"{denied['verb']} for {resource}"
    )


@contextmanager
def connected(context: str) -> Iterator[Api]:
    """Connect to the cluster of a context of the kubeconfig: that of KUBECONFIG, else of the home folder.

    Raises InputError where the kubeconfig has no such context, or cannot be read.
    """
    with _client(context) as client:
        yield Api(client, context)


@contextmanager
def connected_to(kubeconfig: dict[str, Any], name: str, token: Callable[[], str] | None = None) -> Iterator[Api]:
    """Connect to the cluster of the current context of a kubeconfig, which no file has; `name` is what it is called.

    `token` returns what authorizes each request, where the kubeconfig has nothing that does. Raises OpdeployError where
    it cannot be used.
    """
    with _client(name, kubeconfig) as client:
        if token:

            def refresh(settings: Any) -> None:  # noqa: ANN401 - of the SDK
                settings.api_key["BearerToken"] = f"Bearer {token()}"

            refresh(client.configuration)
            client.configuration.refresh_api_key_hook = refresh
        yield Api(client, name)


@contextmanager
def _client(name: str, kubeconfig: dict[str, Any] | None = None) -> Iterator[ApiClient]:
    try:
        from kubernetes import config
        from kubernetes.client import ApiClient, Configuration
        from kubernetes.config import ConfigException
    except ModuleNotFoundError as error:
        raise InputError(f"the package {error.name} is missing; install opdeploy[kubernetes]") from None
    import urllib3
    from yaml import YAMLError

    settings = Configuration()
    settings.retries = False  # a step is tried again by who carries it out, and not behind its back
    try:
        if kubeconfig is None:
            file = os.environ.get("KUBECONFIG")  # the SDK looks only once, when it is imported
            config.load_kube_config(file or None, context=name, client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config_from_dict(kubeconfig, client_configuration=settings)  # type: ignore[no-untyped-call]
    except (ConfigException, YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        if kubeconfig is None:
            raise InputError(f"deploy.kubernetes.context {name}: {_why(error)}") from None
        raise OpdeployError(f"{name}: its kubeconfig cannot be used: {type(error).__name__}; try again") from None
    if not settings.verify_ssl:  # which the plan tells, once
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    client = ApiClient(settings)
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _why(error: Exception) -> str:
    """Say why a context cannot be used, and which there are."""
    from kubernetes.config import kube_config

    why = " ".join(str(error).split()).rstrip(".")
    try:
        merged = kube_config.KubeConfigMerger(kube_config.KUBE_CONFIG_DEFAULT_LOCATION)  # type: ignore[no-untyped-call]
        names = [str(item["name"]) for item in merged.config.value["contexts"]]
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, the first error tells it
        names = []
    known = f"there are: {', '.join(names)}" if names else "name a kubeconfig with KUBECONFIG"
    return f"{why}; {known}"
