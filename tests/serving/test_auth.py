"""API keys: who has one is served, and none gets anywhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.serving.servers import JSON, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.serving.servers import Answer, Server

FIRST, SECOND, WRONG = "key-of-the-old-days", "key-of-the-new-days", "key-of-nobody-else"
GUARDED = ["/v2/models/double/infer", "/v2/models/double/versions/1/infer", "/invocations"]
OPEN = [
    "/", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/double", "/v2/models/double/ready", "/version",
    "/metrics", "/openapi.json",
]  # fmt: skip
TENSOR = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}


@pytest.fixture(scope="module")
def server(double_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve with two keys, one of a variable and one of a file."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"{SECOND}\n")
    variables = {"OPDEPLOY_API_KEYS": FIRST, "OPDEPLOY_API_KEYS_FILE": str(file)}
    with serving(double_model, "--score-route=/invocations", "--access-log=true", **variables) as server:
        yield server


def post(server: Server, path: str, authorization: str | None) -> Answer:
    """Send a good request, with a header or without."""
    document = {"data": [[1, 2]]} if path == "/invocations" else {"inputs": [TENSOR]}
    headers = JSON | ({} if authorization is None else {"Authorization": authorization})
    return server.request("POST", path, json.dumps(document).encode(), headers)


@pytest.mark.parametrize("path", GUARDED)
def test_each_key_opens_what_is_guarded(server: Server, path: str) -> None:
    """Two keys are good at a time, so that clients can change from one to the next."""
    for authorization in (f"Bearer {FIRST}", f"Bearer {SECOND}", f"bearer {FIRST}", f"BEARER   {SECOND} "):
        assert post(server, path, authorization).status == 200


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", f"Basic {FIRST}", FIRST, f"Bearer:{FIRST}", "Bearer \xff"]
)
def test_without_a_key_nothing_is_computed(server: Server, path: str, authorization: str | None) -> None:
    """The answer is 401, and says how a key is given."""
    answer = post(server, path, authorization)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer KEY" in answer.body["error"]


@pytest.mark.parametrize("path", GUARDED)
@pytest.mark.parametrize(
    "key", [WRONG, FIRST[:-1], FIRST + "x", FIRST.upper(), f"{FIRST},{SECOND}", f"{FIRST} {SECOND}", "a" * 9999]
)
def test_a_wrong_key_is_told_from_none(server: Server, path: str, key: str) -> None:
    """The answer is 403, and does not repeat it."""
    answer = post(server, path, f"Bearer {key}")
    assert answer.status == 403
    assert answer.body == {"error": "the API key is none of this server's"}


def test_a_wrong_key_is_told_before_the_body_is_read(server: Server) -> None:
    """Who may not be served cannot make the server hold a large body."""
    with server.connect() as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
        assert b" 401 " in connection.recv(65536)


@pytest.mark.parametrize("path", OPEN)
def test_health_and_what_describes_the_model_need_no_key(server: Server, path: str) -> None:
    """Platforms ask for health without one, and the page asks a person for it."""
    assert server.request("GET", path).status == 200


def test_no_key_gets_into_answers_logs_or_the_list_of_processes(server: Server) -> None:
    """Whether it is the server's or a client's."""
    post(server, "/invocations", f"Bearer {WRONG}")
    texts = [server.request("GET", path).content.decode() for path in OPEN]
    texts += [json.dumps(server.log()), Path(f"/proc/{server.process.pid}/cmdline").read_text()]
    assert "/invocations" in texts[-2]
    for text in texts:
        assert not any(key in text for key in (FIRST, SECOND, WRONG))


def test_without_keys_everyone_may_come(echo: Server) -> None:
    """A server on a private network needs none; a header that is there all the same does no harm."""
    for headers in ({}, {"Authorization": f"Bearer {WRONG}"}, {"Authorization": "nonsense"}):
        assert echo.request("POST", "/v2/models/echo/infer", b"{}", headers).status == 400
