"""Builds images: with BuildKit through the docker program where that can, else with the engine's classic builder."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections import deque
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from opdeploy.clients.docker.bases import buildkit_error, in_words
from opdeploy.clients.docker.explained import explained
from opdeploy.clients.docker.program import run
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from docker import DockerClient

    from opdeploy.clients.docker.images import Watch

Builder = Literal["auto", "buildkit", "classic"]
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
"""Build arguments that every builder knows without a declaration, and keeps out of the image's history
(docs.docker.com/reference/dockerfile/#predefined-args, read 2026-11-25)."""
_STEP = re.compile(r" ---> (Running in )?([0-9a-f]{12})")
"""How the classic builder names the container and the image of a step."""
_HELP_S = 30.0
"""Seconds that the docker program has to print its help."""
_PATIENCE, _BETWEEN = 15.0, 0.1
"""Seconds that a build that is interrupted has to clear away, and between two looks at its last container."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TELLS_NOTHING = re.compile(r"[- ]*|Removing intermediate container .*| ---> .*| > \[.*")
"""Lines of either builder that stand between a step's own last words and the end of the log."""
_KEPT_LINES = 30
_SHOWN_LINES = 3


class BuildError(OpdeployError):
    """An image was not built."""

    def __init__(self, message: str, lines: tuple[str, ...]) -> None:
        super().__init__(message)
        self.lines = lines
        """The end of the build's log."""


class NoBaseError(BuildError):
    """An image was not built, for the engine did not get the one that it is built on."""

    def __init__(self, tag: str, error: str, lines: tuple[str, ...]) -> None:
        self.why = in_words(error)
        super().__init__(
            f"{tag}: the image was not built: its base was not to be had: {self.why}; pull it first", lines
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, and how."""

    folder: Path
    """The context, with a Dockerfile."""
    tag: str
    platform: str = "linux/amd64"
    arguments: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of the build; a proxy among them may have a password."""
    network: str | None = None
    """Of the steps that run: `none`, `host`, or one of the engine's; where it is not given, the engine's default."""
    builder: Builder = "auto"
    timeout_s: int = 3600
    """The most that it may take; the classic builder ends a little later, with the next line, or the next such time
    without one."""


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was built."""

    id: str
    builder: Literal["buildkit", "classic"]


def build(client: DockerClient, order: Order, watch: Watch, program: str | None, address: str | None = None) -> Built:
    """Build an image, and show every line of the log as it comes.

    The proxies of the environment, and of docker's configuration, are passed to the steps that run. `program` is the
    docker command line, which BuildKit needs, `address` the engine that it asks where that is not its own. Raises
    BuildError where a step fails or it takes too long, NoBaseError where the first has no image to build on, InputError
    where BuildKit is asked for and is not there.
    """
    command = [] if order.builder == "classic" else _command(program or shutil.which("docker"), address)
    if order.builder == "buildkit" and not command:
        raise InputError("BuildKit needs the docker program with buildx; install docker-buildx, or build with classic")
    arguments = {**proxies(os.environ), **order.arguments}
    log: deque[str] = deque(maxlen=_KEPT_LINES)

    def seen(line: str) -> None:
        text = "".join(char for char in _COLOUR.sub("", line).rstrip() if char.isprintable())
        if text:
            log.append(text)
            watch(text)

    if command:
        return Built(_buildkit(command, order, arguments, seen, log), "buildkit")
    return Built(_classic(client, order, arguments, seen, log), "classic")


def proxies(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies of an environment, in capitals and in small letters.

    A builder that gets one of the two takes the other from docker's configuration, and a step either of them.
    """
    found = {name: environ.get(name) or environ.get(name.lower()) for name in _PROXIES}
    both = {form: value for name, value in found.items() for form in (name, name.lower())}
    return {form: environ.get(form) or value for form, value in both.items() if value}


def _command(program: str | None, address: str | None) -> list[str]:
    """Return the start of the command that builds with BuildKit; empty where there is none.

    It asks for the help of that very command: older programs have BuildKit in them, newer ones need buildx, which may
    have been told to build elsewhere, and then has to load the image into the engine.
    """
    if program is None:
        return []
    command = [program, *(("--host", address) if address else ()), "build"]
    printed: list[str] = []
    try:
        code = run([*command, "--help"], _environment({}), printed.append, _HELP_S)
    except TimeoutError:
        return []
    if code:
        return []
    return [*command, "--load"] if any("--load" in line for line in printed) else command


def _buildkit(start: Sequence[str], order: Order, arguments: Mapping[str, str], seen: Watch, log: deque[str]) -> str:
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder:
        identity = Path(folder, "id")
        command = [*start, "--progress=plain", f"--platform={order.platform}", f"--tag={order.tag}"]
        command.append(f"--iidfile={identity}")
        if order.network:
            command.append(f"--network={order.network}")
        for name in arguments:
            command += ["--build-arg", name]  # its value goes by the environment: everyone can read a command line
        with _in_time(order, log):
            code = run([*command, str(order.folder)], _environment(arguments), seen, order.timeout_s)
        if code or not identity.is_file():
            raise _failed(order, log, of_base=buildkit_error(log))
        return identity.read_text(encoding="utf-8").strip()


def _environment(arguments: Mapping[str, str]) -> dict[str, str]:
    # Attestations would make an index of the image, and an index has no platform.
    return {**os.environ, **arguments, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


def _classic(client: DockerClient, order: Order, arguments: Mapping[str, str], seen: Watch, log: deque[str]) -> str:
    identity, steps = None, _Steps()
    try:
        with explained(f"{order.tag}: the image was not built", "see that the engine runs, and build again"):
            steps.before.update(client.api.images(quiet=True, all=True))
            with _in_time(order, log):
                identity = _streamed(client, order, arguments, seen, steps)
    finally:  # on an interrupt too
        if identity is None:
            _forget(client, steps)
    if identity is None:
        raise _failed(order, log, of_base="" if steps.images else steps.error)  # it names the base first
    return identity


@dataclass(slots=True)
class _Steps:
    """What the classic builder names in its log: what it made for its steps, the base and the cache it found."""

    before: set[str] = field(default_factory=set)
    """The images that the engine had."""
    images: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)
    error: str = ""
    """What the engine says of the one that failed."""


def _streamed(
    client: DockerClient, order: Order, arguments: Mapping[str, str], seen: Watch, steps: _Steps
) -> str | None:
    """Build, and return the image's id, or None where a step failed; where this is interrupted, the engine stops.

    The image gets its name here and not from the builder: that of an interrupted build would be one to keep.
    """
    identity, until = None, time.monotonic() + order.timeout_s
    lines = client.api.build(
        path=str(order.folder),
        platform=order.platform,
        buildargs=dict(arguments),
        network_mode=order.network,
        rm=True,
        forcerm=True,
        decode=True,
        timeout=order.timeout_s,
    )
    with closing(lines):
        for line in lines:
            if time.monotonic() > until:
                raise TimeoutError
            for text in (line.get("stream") or line.get("status") or line.get("error") or "").splitlines():
                if match := _STEP.fullmatch(text):
                    (steps.containers if match[1] else steps.images).append(match[2])
                seen(text)
            if "error" in line:
                steps.error = line["error"]
                return None
            identity = (line.get("aux") or {}).get("ID", identity)
    if identity is not None:
        client.images.get(identity).tag(order.tag)
    return identity


def _forget(client: DockerClient, steps: _Steps) -> None:
    """Remove what a build made, the last step first; images that have a name, or that others are built on, stay."""
    from docker.errors import DockerException

    for container in steps.containers[-1:]:  # of a build that was interrupted: the engine removes it in its own time
        _await_end(client, container)
    for identity in reversed(steps.images):
        with suppress(DockerException):
            image = client.images.get(identity)
            named = image.tags or image.attrs.get("RepoDigests")
            if image.id not in steps.before and not named:
                client.images.remove(identity, noprune=True)  # else what it is built on goes too


def _await_end(client: DockerClient, container: str) -> None:
    from docker.errors import DockerException

    deadline = time.monotonic() + _PATIENCE
    with suppress(DockerException):  # there is none of that name any more
        while time.monotonic() < deadline:
            client.containers.get(container)
            time.sleep(_BETWEEN)


@contextmanager
def _in_time(order: Order, log: deque[str]) -> Iterator[None]:
    """Raise BuildError where what is done in the block takes too long."""
    from requests.exceptions import Timeout
    from urllib3.exceptions import ReadTimeoutError

    try:
        yield
    except (TimeoutError, Timeout, ReadTimeoutError):
        raise BuildError(
            f"{order.tag}: the image was not built within {order.timeout_s} s; see the log above for what takes so "
            "long, and build again: what was built is not built again",
            tuple(log),
        ) from None


def _failed(order: Order, log: deque[str], *, of_base: str) -> BuildError:
    """Return the error of a build by its log, and by what the engine says where it did not get the base."""
    if of_base:
        return NoBaseError(order.tag, of_base, tuple(log))
    end = " | ".join([line for line in log if not _TELLS_NOTHING.fullmatch(line)][-_SHOWN_LINES:])
    return BuildError(f"{order.tag}: the image was not built: {end}; see the log above for the step", tuple(log))
