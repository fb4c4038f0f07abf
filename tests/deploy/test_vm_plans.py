"""Plans for a machine that SSH reaches: how an image gets there, and what is cleared away here."""

from __future__ import annotations

from typing import Any

import pytest

from opdeploy import targets
from opdeploy.deploy.planning import to_deploy, to_remove
from opdeploy.deploy_settings import Deploy
from opdeploy.targets.engine import making
from tests.deploy.imagined import NAME, Engine, Kept, engine, wanted

TARGET = targets.find("vm")
RUNS = {1: Kept("a", state="running")}


def steps(made: Engine, model: str, registry: str | None = None, **vm: Any) -> list[str]:  # noqa: ANN401 - settings
    """Return the calls of a plan that have to do with images, each with what it is about."""
    settings = Deploy.model_validate({"target": "vm", "registry": registry, "vm": {"host": "box", **vm}})
    asked = wanted(model, registry=registry).model_copy(update={"settings": settings})
    plan = to_deploy(TARGET, asked, made.observe(), ())
    return [step.call for step in plan.steps if step.call.startswith(("image.", "copy.")) or step.kind == "image"]


@pytest.mark.parametrize(
    ("registry", "vm", "calls"),
    [
        (None, {}, ["image.build", "copy.stream"]),
        ("me.example", {}, ["image.build", "image.push", "copy.pull"]),
        (None, {"build": "here"}, ["image.build", "copy.stream"]),
        (None, {"build": "there"}, ["image.build"]),
        ("me.example", {"build": "there"}, ["image.build", "image.push"]),
    ],
)
def test_an_image_gets_there(registry: str | None, vm: dict[str, str], calls: list[str]) -> None:
    """At a first deployment, which has nothing to clear away here."""
    assert steps(Engine(), "a", registry, **vm) == calls


def test_an_update_leaves_the_newest_image_here() -> None:
    """And none is brought that the machine has."""
    made = engine(RUNS, to=1, front={})
    assert steps(made, "b") == ["image.build", "copy.stream", "copy.clear"]
    assert steps(made, "a") == []
    assert steps(engine(RUNS, to=1, front={}, images=("opdeploy-m:" + "b" * 12,)), "b") == ["copy.clear"]


def test_a_removal_takes_the_images_here_too() -> None:
    """As a step that clears away: where it fails, nothing else does."""
    plan = to_remove(TARGET, engine(RUNS, to=1, front={}).observe())
    last = plan.steps[-1]
    assert (last.call, last.args, last.cleanup) == ("copy.clear", {"deployment": NAME, "keep": None}, True)


def test_a_gpu_is_a_property_of_the_server_alone() -> None:
    """And makes another version."""
    asked = wanted()
    on_gpu = asked.model_copy(update={"gpu": True})
    assert TARGET.config(asked) != TARGET.config(on_gpu)
    assert (making.server(on_gpu)["gpu"], "gpu" in making.server(asked)) == (True, False)
    plan = to_deploy(TARGET, on_gpu, Engine().observe(), ())
    assert {step.id for step in plan.steps if '"gpu":true' in step.model_dump_json()} == {"server-1"}
