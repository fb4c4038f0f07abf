"""The image that `opdeploy test-local` builds: what was chosen of it, and the platform of its target."""

from __future__ import annotations

import pytest

from opdeploy.catalogue import load_catalogue
from opdeploy.cli.containers import Building, image_settings
from opdeploy.errors import InputError
from opdeploy.image import Sources
from opdeploy.platform import ImagePlatform, Profile

NOTHING = Building(None, None, kept=False)


def profile(name: str) -> Profile:
    """Return a platform of today."""
    return load_catalogue().by_id[name]


def on_arm() -> Profile:
    """Return a platform that is made up: its images are for another processor."""
    says = ImagePlatform(value="linux/arm64", source="a test", date="2026-11", grade="judgement", why="Is made up.")
    return profile("iot-edge").model_copy(update={"image_platform": says})


@pytest.mark.parametrize(
    ("target", "platform"),
    [
        (None, "linux/amd64"),
        (profile("aci"), "linux/amd64"),
        (profile("container-apps"), "linux/amd64"),
        (on_arm(), "linux/arm64"),
    ],
    ids=["no target", "a target that does not say", "amd64", "arm64"],
)
def test_an_image_is_built_for_the_platform_of_its_target(target: Profile | None, platform: str) -> None:
    """For linux/amd64 where nothing is said; a base that was chosen changes nothing of it."""
    assert image_settings(NOTHING, target, Sources()).platform == platform
    chosen = image_settings(NOTHING._replace(base="python:3.12"), target, Sources())
    assert (chosen.base, chosen.platform) == ("python:3.12", platform)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", "linux/amd64"), ("AMD64", "linux/amd64"), ("aarch64", "linux/arm64"), ("riscv64", "linux/amd64")],
)
def test_an_image_for_this_machine_is_of_its_kind(monkeypatch: pytest.MonkeyPatch, machine: str, expected: str) -> None:
    """Where images of that kind can be built; whatever the system calls it."""
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert image_settings(NOTHING, profile("local"), Sources()).platform == expected


def test_a_base_that_is_no_name_is_refused() -> None:
    """In one line, with the option."""
    with pytest.raises(InputError, match=r"^--base-image a b: is no name of an image"):
        image_settings(NOTHING._replace(base="a b"), on_arm(), Sources())
