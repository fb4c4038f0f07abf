"""A Docker engine's interface without an engine: it shows what it is given, keeps volumes, and does nothing else.

Paths and answers are those of https://docs.docker.com/reference/api/engine/ as far as they are asked for here.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = {"Version": "28.0.0", "ApiVersion": "1.44", "MinAPIVersion": "1.24", "Arch": "amd64", "Os": "linux"}
INFO = {"NCPU": 4, "MemTotal": 8_000_000_000, "OSType": "linux", "ServerVersion": "28.0.0", "DockerRootDir": "/"}


class Daemon(ThreadingHTTPServer):
    """The interface, on a port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.containers: dict[str, dict[str, Any]] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.volumes: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []
        """What it was asked to change, whether it did or not."""
        self.refuses = False
        """Whether it changes nothing at all."""

    @property
    def address(self) -> str:
        """What DOCKER_HOST has to be."""
        return f"tcp://127.0.0.1:{self.server_port}"

    def image(self, *tags: str, pushed: tuple[str, ...] = (), deployment: str | None = "m") -> None:
        """Add an image, which opdeploy built for a deployment, or somebody else."""
        number = f"sha256:{len(self.images):064}"
        digests = [f"{repository}@sha256:{'0' * 64}" for repository in pushed]
        labels = {"opdeploy.artefact": "0", "opdeploy.built-for": deployment} if deployment else {}
        self.images[number] = {"Id": number, "RepoTags": tags, "RepoDigests": digests, "Labels": labels}

    def container(self, name: str, image: str, port: tuple[str, int], labels: dict[str, str], **host: Any) -> None:  # noqa: ANN401 - as the engine has it
        """Add a container that runs, with a port that is published."""
        bindings = {"8000/tcp": [{"HostIp": port[0], "HostPort": str(port[1])}]}
        self.containers[name] = {
            "Id": name,
            "Name": f"/{name}",
            "Image": image,
            "Labels": labels,
            "State": {"Status": "running", "ExitCode": 0},
            "Config": {"Image": image, "Labels": labels, "Env": []},
            "HostConfig": {"RestartPolicy": {"Name": "no"}, "PortBindings": bindings, **host},
            "NetworkSettings": {"Networks": {}, "Ports": bindings},
        }

    def shown(self, path: str, labels: list[str]) -> Any:  # noqa: ANN401 - any JSON
        """Return the answer to a question; None where there is no such thing."""
        kind, _, rest = path.partition("/")
        if path in {"version", "info", "networks"}:
            return {"version": VERSION, "info": INFO, "networks": []}[path]
        if path == "volumes":
            return {"Volumes": _labelled(self.volumes, labels)}
        if kind == "volumes":
            return self.volumes.get(rest)
        if kind == "distribution":
            return self._pushed(rest.removesuffix("/json"))
        things = {"containers": self.containers, "images": self.images}[kind]
        return _labelled(things, labels) if rest == "json" else things.get(rest.removesuffix("/json"))

    def _pushed(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what the registry says of a name that was pushed."""
        repository = name.rpartition(":")[0]
        digests = (item for image in self.images.values() for item in image["RepoDigests"])
        found = next((item.partition("@")[2] for item in digests if item.startswith(f"{repository}@")), None)
        return {"Descriptor": {"digest": found}, "Platforms": []} if found else None

    def changed(self, asked: str, given: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Make or remove a volume; one that is there stays as it is. None where nothing of it is done."""
        self.changes.append(asked)
        if self.refuses:
            return None
        if asked == "POST volumes/create":
            return self.volumes.setdefault(given["Name"], given)
        return self.volumes.pop(asked.removeprefix("DELETE volumes/"), None)


def _labelled(things: dict[str, dict[str, Any]], labels: list[str]) -> list[dict[str, Any]]:
    pairs = [label.partition("=") for label in labels]
    return [
        thing
        for thing in things.values()
        if all(name in thing["Labels"] and (not sign or thing["Labels"][name] == value) for name, sign, value in pairs)
    ]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Daemon

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        filters = json.loads(parse_qs(url.query).get("filters", ["{}"])[0])
        found = self.server.shown(self._named(url.path), filters.get("label", []))
        self._answer(404 if found is None else 200, {"message": "no such thing"} if found is None else found)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        done = self.server.changed(f"POST {self._named(urlsplit(self.path).path)}", given)
        self._answer(500 if done is None else 201, {"message": "is not done here"} if done is None else done)

    def do_DELETE(self) -> None:
        done = self.server.changed(f"DELETE {self._named(urlsplit(self.path).path)}", {})
        self._answer(404 if done is None else 204, {"message": "no such thing"} if done is None else None)

    def _named(self, path: str) -> str:
        return re.sub(r"^/(v[0-9.]+/)?", "", path)

    def _answer(self, status: int, value: Any) -> None:  # noqa: ANN401 - any JSON
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Daemon]:
    """Give the interface, which answers until the end of the block."""
    with Daemon() as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield made
        finally:
            made.shutdown()
            thread.join()
