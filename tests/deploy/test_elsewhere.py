"""What a plan for another machine's engine says of the engine that builds here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from opdeploy.clients import docker
from opdeploy.clients.docker.copies import Copies
from opdeploy.clients.docker.elsewhere import Elsewhere
from opdeploy.clients.docker.images import silent
from opdeploy.clients.docker.machine import HERE
from opdeploy.deploy_settings import Deploy
from tests.deploy.daemon import Daemon, listening
from tests.deploy.imagined import NAME, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """Return an engine for amd64, which has nothing."""
    with listening() as found:
        monkeypatch.setenv("DOCKER_HOST", found.address)
        yield found


def nobody() -> docker.Engine:
    """Refuse: there is no engine here."""
    raise docker.NoEngineError("none answers; start it")


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize(
    ("platform", "build", "is_told"),
    [
        ("linux/amd64", "here", False),
        ("linux/arm64", "here", True),
        ("linux/arm64", None, True),
        ("linux/arm64", "there", False),
    ],
)
def test_a_build_that_is_emulated_is_told(platform: str, build: str | None, *, is_told: bool) -> None:
    """With the way around it: the machine builds; where no engine is here it is not known."""
    settings = Deploy.model_validate({"target": "vm", "vm": {"host": "box", "build": build}})
    asked = wanted().model_copy(update={"settings": settings, "platform": platform})
    with docker.connected() as engine:
        said = [*Elsewhere(engine, lambda: engine, "ann@here", HERE, makes=False).shortages(asked)]
        unknown = [*Elsewhere(engine, nobody, "ann@here", HERE, makes=False).shortages(asked)]
    assert any("--set vm.build=there builds it on the machine" in each for each in said) is is_told
    assert unknown == []


@pytest.mark.usefixtures("daemon")
def test_nothing_is_cleared_where_no_engine_is() -> None:
    """That is no failure: nothing was made here then."""
    with docker.connected() as engine:
        assert Copies(nobody, lambda: engine, silent).clear(NAME, None) == {"removed": []}
