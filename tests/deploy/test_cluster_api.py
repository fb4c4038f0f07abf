"""The connection to an API server: what refusals mean, and kubeconfigs that lead nowhere."""

from __future__ import annotations

import json
import socket
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import pytest
import yaml
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError
from websocket import WebSocketBadStatusException, WebSocketException

from opdeploy.clients.kubernetes.api import APPLY, ConflictError, DeniedError, connected, explained, refusal
from opdeploy.clients.kubernetes.forward import Forward
from opdeploy.errors import InputError, NotFoundError, OpdeployError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from opdeploy.clients.kubernetes import Api

    Asked = list[tuple[str, str, str | None, bytes]]
    """Method, path, who asked, and the body."""

LOCATION = "kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
"""What KUBECONFIG said when the SDK was imported."""


def status(message: str, **details: object) -> str:
    """Return the body of a refusal, a Status.

    kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/, read 2026-11-26.
    """
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "details": details}
    return json.dumps(told)


ANN = "system:serviceaccount:m:ann"
WHO = f'User "{ANN}"'
DENIED = f'deployments.apps is forbidden: {WHO} cannot list resource "deployments" in API group "apps"'
TAKEN = status(
    'Apply failed with 2 conflicts: conflicts with "kubectl-edit" using apps/v1: ...',
    causes=[
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl-edit" using apps/v1', "field": ".spec.a"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "hpa" using apps/v1', "field": ".spec.b"},
    ],
)
REFUSALS: dict[str, tuple[int, str | bytes | None, type[OpdeployError], str]] = {
    "who asks is not known": (
        401, status("Unauthorized"), OpdeployError,
        "the cluster does not know who asks (Unauthorized); log in, and see: kubectl auth whoami",
    ),
    "may not in a namespace": (
        403, status(f'{DENIED} in the namespace "m"'), DeniedError,
        f"{ANN} may not list deployments.apps in namespace m; ask for a Role with the verb list for deployments.apps",
    ),
    "may not in the cluster": (
        403, status(f'nodes is forbidden: {WHO} cannot list resource "nodes" in API group "" at the cluster scope'),
        DeniedError,
        f"{ANN} may not list nodes in the cluster; ask for a ClusterRole with the verb list for nodes",
    ),
    "may not run a command": (
        403,
        status(f'pods "m-1" is forbidden: {WHO} cannot create resource "pods/exec" in API group "" '
               'in the namespace "m": no RBAC policy matched'),
        DeniedError,
        f"{ANN} may not create pods/exec in namespace m; ask for a Role with the verb create for pods/exec",
    ),
    "a quota is used up": (
        403, status('pods "m-1" is forbidden: exceeded quota: q, requested: cpu=1'), OpdeployError,
        'what: pods "m-1" is forbidden: exceeded quota: q, requested: cpu=1',
    ),
    "not there": (
        404, status('services "m" not found', name="m", kind="services"), NotFoundError,
        'services "m" not found; deploy again',
    ),
    "fields of others": (
        409, TAKEN, ConflictError,
        'conflict with "kubectl-edit" using apps/v1: .spec.a; conflict with "hpa" using apps/v1: .spec.b',
    ),
    "it is there": (409, status('leases "m" already exists', name="m"), ConflictError, 'leases "m" already exists'),
    "causes that are none": (409, status("taken", causes=None), ConflictError, "taken"),
    "no details": (409, json.dumps({"message": "taken", "details": None}), ConflictError, "taken"),
    "invalid": (
        422,
        status('Service "m" is invalid: spec.ports: Required value', causes=[{"message": "Required", "field": "x"}]),
        OpdeployError, 'what: Service "m" is invalid: spec.ports: Required value',
    ),
    "too many": (429, status("Too many requests"), TransientError, "what: Too many requests; try again"),
    "too busy": (503, b"upstream\n connect  error", TransientError, "what: upstream connect error; try again"),
    "no gateway": (502, None, TransientError, "what: HTTP 502; try again"),
    "too late": (504, status("Timeout"), TransientError, "what: Timeout; try again"),
    "broken": (500, "", OpdeployError, "what: HTTP 500"),
    "a page": (400, b"<html>\xff</html>", OpdeployError, "what: <html>\ufffd</html>"),
    "a long page": (400, "x" * 5000, OpdeployError, f"what: {'x' * 300}"),
    "a list": (400, "[]", OpdeployError, "what: []"),
    "a number": (400, "5", OpdeployError, "what: 5"),
    "nothing": (400, "null", OpdeployError, "what: null"),
    "details that are none": (
        400, '{"message": "no", "details": [1]}', OpdeployError, 'what: {"message": "no", "details": [1]}',
    ),
    "causes that are texts": (
        400, '{"message": "no", "details": {"causes": ["a"]}}', OpdeployError,
        'what: {"message": "no", "details": {"causes": ["a"]}}',
    ),
}  # fmt: skip
"""By what is refused: code, body, and the error."""


@pytest.mark.parametrize(("code", "body", "kind", "told"), REFUSALS.values(), ids=list(REFUSALS))
def test_a_refusal_tells_what_to_do(code: int, body: str | bytes | None, kind: type[OpdeployError], told: str) -> None:
    """By its code and its message, in one line; whatever is no Status is told as it is, and cut."""
    error = refusal("what", code, body)
    assert (type(error), str(error)) == (kind, told)


SAID = "; see that the cluster runs"
RAISED: list[tuple[Exception, type[OpdeployError], str]] = [
    (ConnectionRefusedError(111, "Connection refused"), TransientError, "what: [Errno 111] Connection refused" + SAID),
    (TimeoutError(), TransientError, "what: TimeoutError" + SAID),
    (HTTPError("a\n  b"), TransientError, "what: a b" + SAID),
    (WebSocketException("closed"), TransientError, "what: closed" + SAID),
    (ApiException(status=0, reason="no\n way"), OpdeployError, "what: no way" + SAID),
    (
        WebSocketBadStatusException(
            "Handshake status %d", 403, resp_body=status(f'{DENIED} in the namespace "m"').encode()
        ),
        DeniedError,
        f"{ANN} may not list deployments.apps in namespace m",
    ),
    (WebSocketBadStatusException("Handshake status %d", 404), NotFoundError, "HTTP 404; deploy again"),
]


@pytest.mark.parametrize(("raised", "kind", "told"), RAISED, ids=lambda item: type(item).__name__)
def test_an_error_of_the_sdk_is_one_of_ours(raised: Exception, kind: type[OpdeployError], told: str) -> None:
    """One of a connection may pass; any other does not."""
    with pytest.raises(kind) as caught, explained("what"):
        raise raised
    assert type(caught.value) is kind
    assert str(caught.value).startswith(told)


def test_what_is_no_error_of_the_sdk_is_not_explained() -> None:
    """A bug stays one."""
    with pytest.raises(ZeroDivisionError), explained("what"):
        raise ZeroDivisionError


def kubeconfig(server: str = "http://127.0.0.1:1", contexts: Iterable[str] = ("one", "two"), **more: object) -> str:
    """Return the text of a kubeconfig with contexts of one cluster, of which the first is used."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": next(iter(contexts), ""),
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "told"}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in contexts],
    }
    return yaml.safe_dump(content | more)


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """Return a function that has the SDK use a kubeconfig with some text; None for none."""

    def with_text(text: str | None) -> None:
        path = tmp_path / "config"
        if text is not None:
            path.write_text(text)
        monkeypatch.setattr(LOCATION, str(path))

    return with_text


UNUSED = kubeconfig().replace("current-context: one", "current-context: ''")
KUBECONFIGS: dict[str, tuple[str | None, str]] = {
    "none": (None, "name a kubeconfig with KUBECONFIG"),
    "empty": ("", "name a kubeconfig with KUBECONFIG"),
    "broken": ("a: [b", "name a kubeconfig with KUBECONFIG"),
    "another YAML": ("[1, 2]", "name a kubeconfig with KUBECONFIG"),
    "a text": ("text", "name a kubeconfig with KUBECONFIG"),
    "another context": (kubeconfig(), "there are: one, two"),
    "another context, and none that is used": (UNUSED, "there are: one, two"),
    "no context": (kubeconfig(contexts=()), "name a kubeconfig with KUBECONFIG"),
    "a context without its cluster": (kubeconfig(contexts=("absent", "two"), clusters=[]), "there are: absent, two"),
}


@pytest.mark.parametrize(("text", "todo"), KUBECONFIGS.values(), ids=list(KUBECONFIGS))
def test_a_kubeconfig_that_leads_nowhere_is_told(
    use: Callable[[str | None], None], text: str | None, todo: str
) -> None:
    """With the setting that names the context, why, and which there are; in one line."""
    use(text)
    with pytest.raises(InputError, match=r"^deploy\.kubernetes\.context absent: ") as caught, connected("absent"):
        pass
    assert str(caught.value).endswith(f"; {todo}")
    assert "\n" not in str(caught.value)


class Answers(BaseHTTPRequestHandler):
    """Answers by the path, and notes what it was asked."""

    def answer(self) -> None:
        """Answer with the code and text that the path names, as in `/503/busy`."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization"), body))  # type: ignore[attr-defined]
        code, _, text = self.path.partition("?")[0].strip("/").partition("/")
        content = unquote(text).replace("|", "\n").encode()
        self.send_response(int(code))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Retry-After", "0")  # which asks clients to ask again
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PATCH = do_POST = do_DELETE = answer  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[ThreadingHTTPServer]:
    """Serve at a port of the loopback; `asked` of the server is what it was asked."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def served(use: Callable[[str | None], None]) -> Iterator[tuple[Api, Asked]]:
    """Return a connection to a server that answers by the path, and the list of what that was asked."""
    with serving() as server:
        use(kubeconfig(f"http://127.0.0.1:{server.server_address[1]}"))
        with connected("one") as api:
            yield api, server.asked  # type: ignore[attr-defined]


def test_a_request_is_sent_as_who_the_kubeconfig_says(
    served: tuple[Api, Asked],
) -> None:
    """With its body as JSON, and what is asked in the address written safely."""
    api, asked = served
    body = {"kind": "Service", "metadata": {"name": "ä"}}
    assert api.send("PATCH", '/200/{"a": 1}', body, query={"fieldManager": "a&b"}, kind=APPLY) == {"a": 1}
    assert api.get("/200/{}", labelSelector="a=b,c") == {}
    assert api.find("/404/gone") is None
    assert api.find_or_denied("/200/{}") == {}
    assert api.text("/200/a|b") == "a\nb"
    assert [*api.lines("/200/a|b||c")] == ["a", "b", "", "c"]
    assert [*api.lines("/200/a|")] == ["a"]
    (method, path, who, sent), (_, second, *_), *_ = asked
    assert (method, who, json.loads(sent)) == ("PATCH", "Bearer told", body)
    assert path.endswith("?fieldManager=a%26b")
    assert second.endswith("?labelSelector=a%3Db%2Cc")
    assert (api.context, api.is_checked) == ("one", True)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/401/no", OpdeployError),
        ("/403/no", OpdeployError),
        ("/404/no", NotFoundError),
        ("/409/no", ConflictError),
        ("/422/no", OpdeployError),
        ("/429/no", TransientError),
        ("/500/no", OpdeployError),
        ("/503/no", TransientError),
    ],
)
def test_a_refusal_is_raised_at_once(served: tuple[Api, Asked], path: str, kind: type[OpdeployError]) -> None:
    """Whether JSON, text or lines are asked for; nothing asks again by itself, though the server says when to."""
    api, asked = served
    for ask in (api.get, api.text, lambda path: [*api.lines(path)]):
        with pytest.raises(kind, match="no") as caught:
            ask(path)
        assert type(caught.value) is kind
    assert len(asked) == 3


@pytest.mark.parametrize("insecure", [True, False])
def test_a_certificate_that_is_not_checked_is_known(use: Callable[[str | None], None], *, insecure: bool) -> None:
    """As the kubeconfig has it."""
    cluster = {"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": insecure}
    use(kubeconfig(clusters=[{"name": "c", "cluster": cluster}]))
    with connected("two") as api:
        assert (api.context, api.is_checked) == ("two", not insecure)


def test_a_server_that_is_not_there_may_come(use: Callable[[str | None], None]) -> None:
    """The error says which context, and is one of those after which it is tried again."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        use(kubeconfig(f"http://127.0.0.1:{taken.getsockname()[1]}"))
        with connected("one") as api, pytest.raises(TransientError, match=r"^/apis: one was not reached: .*refused"):
            api.get("/apis")


class Echo:
    """A connection to a port that answers what it is sent, in capitals."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        with self._there:
            while piece := self._there.recv(1024):
                self._there.sendall(piece.upper())

    def socket(self, _port: int) -> socket.socket:
        """Return this end of it."""
        return self._here

    def close(self) -> None:
        """Close it."""
        self._here.close()


class Pods:
    """Pods with such ports; `asked` lists which were."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    def portforward(self, namespace: str, pod: str, port: int) -> Echo:
        """Return a connection."""
        self.asked.append((namespace, pod, port))
        return Echo()


def test_a_port_of_a_pod_is_reached_here() -> None:
    """Bytes go both ways, of several connections at once, each to the pod that there is then."""
    found = Pods()
    names = iter(["m-1", "m-2"])
    with closing(Forward(cast("Api", found), "m", lambda: next(names), 8000)) as forward:
        for said in (b"one", b"two"):
            with closing(socket.create_connection(("127.0.0.1", forward.port), timeout=10)) as connection:
                connection.sendall(said)
                assert connection.recv(1024) == said.upper()
    assert found.asked == [("m", "m-1", 8000), ("m", "m-2", 8000)]


def test_a_connection_to_a_pod_that_is_gone_is_closed() -> None:
    """Who has it sees its end, and does not wait."""

    def gone() -> str:
        raise NotFoundError("m: there is no pod of it")

    with (
        closing(Forward(cast("Api", Pods()), "m", gone, 8000)) as forward,
        closing(socket.create_connection(("127.0.0.1", forward.port), timeout=10)) as connection,
    ):
        assert connection.recv(1024) == b""


def test_a_port_that_is_closed_takes_nobody() -> None:
    """After `close`, connections to it are refused."""
    forward = Forward(cast("Api", Pods()), "m", lambda: "m-1", 8000)
    forward.close()
    with (
        pytest.raises(OSError, match="refused"),
        closing(socket.create_connection(("127.0.0.1", forward.port), timeout=10)),
    ):
        pass
