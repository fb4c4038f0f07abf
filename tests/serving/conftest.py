"""Model servers for the tests: some for the whole session, and others for one test."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.serving import graphs, servers
from tests.serving.busy import INFER, body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.serving.servers import Server


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the models that the tests serve, each of which is written when it is first asked for."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def echo_model(models: Path) -> Path:
    """Return a model that gives back a vector of each datatype but BF16."""
    return graphs.echo(models / "echo.onnx")


@pytest.fixture(scope="session")
def busy_model(models: Path) -> Path:
    """Return a model that computes as long as its client likes."""
    return graphs.saved(graphs.BUSY, models / "busy.onnx")


@pytest.fixture(scope="session")
def double_model(models: Path) -> Path:
    """Return a model that doubles records."""
    return graphs.saved(graphs.DOUBLE, models / "double.onnx")


@pytest.fixture(scope="session")
def echo(echo_model: Path) -> Iterator[Server]:
    """Serve the echo model for the whole session."""
    with servers.serving(echo_model) as server:
        yield server


@pytest.fixture(scope="session")
def busy(busy_model: Path) -> Iterator[Server]:
    """Serve the busy model for the whole session."""
    with servers.serving(busy_model) as server:
        yield server


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    """Return a function like `servers.serving` whose servers live until the end of the test."""
    with ExitStack() as living:
        yield lambda *arguments, **variables: living.enter_context(servers.serving(*arguments, **variables))


@pytest.fixture(scope="session")
def second(busy: Server) -> int:
    """Return how many turns of the busy model take a second on this machine, or somewhat more."""
    turns, seconds = 200_000, 0.0
    while seconds < 0.5:
        turns *= 2
        began = time.monotonic()
        assert busy.request("POST", INFER, body(turns)).status == 200
        seconds = time.monotonic() - began
    return int(turns / seconds)
