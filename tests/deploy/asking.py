"""Clients that ask a deployment all the while, whatever is done with it."""

from __future__ import annotations

import signal
import subprocess
import threading
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Self

from tests.conftest import environment

if TYPE_CHECKING:
    from tests.deploy.projects import Project


class Clients:
    """Ask for the version again and again: on connections that are kept, on a fresh one each time, and rarely."""

    def __init__(
        self, project: Project, host: str = "127.0.0.1", port: int | None = None, *, rare: bool = True
    ) -> None:
        self.host = host
        self.port = port or project.port
        self.path = f"/v2/models/{project.name}"
        self.seen: list[list[str]] = []
        self.errors: list[str] = []
        self._over = threading.Event()
        kinds = ("kept", "kept", "fresh", *(["rare"] if rare else []))
        self._started = threading.Barrier(len(kinds) + 1)
        self._threads = [threading.Thread(target=self._ask, args=(kind,)) for kind in kinds]

    def __enter__(self) -> Self:
        """Begin, and wait until each client has an answer."""
        for thread in self._threads:
            thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask once more, and end."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _is_excused(self, connection: HTTPConnection) -> bool:  # noqa: ARG002 - there is no excuse here
        """Tell whether a connection failed for a reason that is not the deployment's."""
        return False

    def _ask(self, kind: str) -> None:
        seen: list[str] = []
        self.seen.append(seen)
        connection = HTTPConnection(self.host, self.port, timeout=10)
        is_first = is_last = True
        while True:
            is_last = self._over.is_set()
            try:
                connection.request("GET", self.path)
                reply = connection.getresponse()
                body = reply.read().decode()
                if reply.status != 200:
                    self.errors.append(f"{kind}: {reply.status} {body}")
                seen.append(body.partition('"versions":["')[2].partition('"')[0])
            except OSError as error:
                if not self._is_excused(connection):
                    self.errors.append(f"{kind}: {error!r}")
                connection.close()
            if is_first:
                self._started.wait()
            is_first = False
            if is_last:
                break
            if kind == "fresh":
                connection.close()
            if kind == "rare":
                self._over.wait()  # idle from before the switch until after it
        connection.close()


def interrupted(project: Project, *arguments: str) -> tuple[int, str]:
    """Interrupt a command once it has written a line; return its exit code, and what it said."""
    with subprocess.Popen(
        project.command(*arguments),
        cwd=project.folder,
        encoding="utf-8",
        env=environment(**project.variables),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - one thread
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    return process.returncode, said
