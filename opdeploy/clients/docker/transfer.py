"""Images on their way to another engine: through a registry, or straight from one to the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from opdeploy.clients.docker.explained import explained
from opdeploy.clients.docker.images import PUSH_S, inspect, within
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docker import DockerClient

    from opdeploy.clients.docker.images import Watch

_BETWEEN = 1_000_000
"""Bytes that are sent between two lines of progress."""


def pull(client: DockerClient, reference: str, watch: Watch) -> None:
    """Pull an image by its name.

    Credentials are those that `docker login` stored here: they go with the request. Raises OpdeployError where the
    registry refuses, or is not reached from the engine's machine.
    """
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(reference)
    advice = "see that its machine reaches the registry, and log in to that here with docker login"
    with explained(f"{reference}: was not pulled", advice):
        until = time.monotonic() + PUSH_S
        for line in client.api.pull(repository, tag or "latest", stream=True, decode=True):
            if time.monotonic() > until:
                raise OpdeployError(f"{reference}: was not pulled within {PUSH_S / 60:g} minutes; try again")
            if "error" in line:
                raise OpdeployError(f"{reference}: was not pulled: {line['error']}; {advice}")
            if line.get("status") and not line.get("progressDetail"):
                watch(" ".join(filter(None, (line.get("id"), line["status"]))))


def send(client: DockerClient, to: DockerClient, reference: str, watch: Watch) -> None:
    """Stream an image from one engine into another, under its name; nothing is written on the way.

    Raises OpdeployError where either refuses, TransientError where a connection fails.
    """
    whole = inspect(client, reference).size
    with explained(f"{reference}: was not sent", "see that both engines run, and that there is room on their disks"):
        pieces = client.api.get_image(reference)
        with within(to, round(PUSH_S)):  # it answers when it has all of it
            for line in to.api.load_image(_counted(pieces, whole, watch)) or ():  # type: ignore[no-untyped-call]
                if "error" in line:
                    raise OpdeployError(f"{reference}: was not taken: {line['error']}; make room on the machine's disk")


def _counted(pieces: Iterable[bytes], whole: int, watch: Watch) -> Iterator[bytes]:
    """Yield pieces, and tell how much of the whole has been taken."""
    sent = told = 0
    for piece in pieces:
        yield piece
        sent += len(piece)
        if sent - told >= _BETWEEN:
            told = sent
            watch(f"sent {sent / 1e6:,.0f} of {whole / 1e6:,.0f} MB")
