"""Fronts for the tests, and the models that are served behind them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.front.fronts import fronting
from tests.serving import graphs, servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.front.fronts import Front
    from tests.serving.servers import Server


@pytest.fixture
def front() -> Iterator[Callable[..., Front]]:
    """Return a function like `fronting` whose fronts live until the end of the test."""
    with ExitStack() as living:
        yield lambda *options, **named: living.enter_context(fronting(*options, **named))


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a model that doubles records, by the real server."""
    model = graphs.saved(graphs.DOUBLE, tmp_path_factory.mktemp("models") / "double.onnx")
    with servers.serving(model, "--max-body-mb=1") as server:
        yield server
