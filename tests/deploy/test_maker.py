"""Images are made again where somebody else took away, meanwhile, what they are built on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from opdeploy.clients import docker
from opdeploy.clients.docker.maker import Maker, Making
from opdeploy.image import ImageSettings

if TYPE_CHECKING:
    from opdeploy.clients.docker.engine import Engine
    from opdeploy.clients.docker.images import Watch

NAME = "opdeploy-m:1"
LAYER = "e16eb6db64846fabcbb108d77f2f2bd35c866677db653149ba9d6e6e22e93789"
LOST = {
    "a copy": f"failed to get destination image sha256:{LAYER}: No such image: sha256:{LAYER}",
    "a command": f"No such image: sha256:{LAYER}",
    "a layer's end": "unknown parent image ID sha256:" + LAYER,
    "an image of the cache": f'unable to find image "sha256:{LAYER}"',
    "a layer": f"failed to get layer for image sha256:{LAYER}: layer does not exist",
    "a layer's content": f"failed to get digest sha256:{LAYER}: open /x/{LAYER}: no such file or directory",
}
"""What the classic builder of Docker 20.10 says, by what it was about to make."""
WRONG = {
    "a step": "The command '/bin/sh -c false' returned a non-zero code: 1",
    "a base of another platform": (
        f"failed to get destination image sha256:{LAYER}: image with reference sha256:{LAYER} was found but does not "
        "match the specified platform: wanted linux/amd64, actual: linux/386"
    ),
}


@dataclass
class Losing:
    """An engine whose first builds fail."""

    errors: list[str]
    built: list[str] = field(default_factory=list)

    def build(self, order: docker.Order, watch: Watch) -> docker.Built:  # noqa: ARG002 - as the engine has it
        """Fail as long as there are errors."""
        self.built.append(order.tag)
        if self.errors:
            said = self.errors.pop(0)
            raise docker.BuildError(f"{NAME}: the image was not built: {said}; see the log above", (said,))
        return docker.Built("sha256:1", "classic")

    def image(self, name: str) -> docker.Image:
        """Describe an image."""
        return docker.Image(name, 1, "linux", "amd64", "", (), (), {}, {}, ())


def maker(engine: Losing) -> Maker:
    """Return what makes images with an engine."""
    made = Making(lambda: ({}, ImageSettings(base="base")), print)
    return Maker(lambda: cast("Engine", engine), made)


@pytest.mark.parametrize("said", LOST.values(), ids=list(LOST))
def test_a_build_that_lost_a_layer_is_made_again(said: str) -> None:
    """Twice; what fails a third time fails."""
    engine = Losing([said, said])
    assert maker(engine).build(NAME) == {"id": "sha256:1"}
    assert engine.built == [NAME] * 3
    with pytest.raises(docker.BuildError, match="the image was not built"):
        maker(Losing([said] * 3)).build(NAME)


@pytest.mark.parametrize("said", WRONG.values(), ids=list(WRONG))
def test_what_would_fail_again_is_not_made_again(said: str) -> None:
    """It is told at once."""
    engine = Losing([said])
    with pytest.raises(docker.BuildError, match="the image was not built"):
        maker(engine).build(NAME)
    assert engine.built == [NAME]
