"""Images in a deployment's own registry: read where the model is not at hand, and removed with their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.arm import answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.azure.clouded import Clouded


@pytest.fixture
def project(clouded: Callable[..., Clouded]) -> Clouded:
    """Return a project of which two versions are kept."""
    return clouded("aci", keep=2)


def images(project: Clouded) -> list[str]:
    """Return the tags of the images that are in registries."""
    return sorted(
        {name.partition("@")[0].rpartition(":")[2] for name, _ in project.arm.images.found() if "@" not in name}
    )


def of_versions(project: Clouded) -> list[str]:
    """Return the tags of the versions' images."""
    return sorted({item["image"].rpartition(":")[2] for item in project.status()["versions"]})


def test_a_rollback_needs_no_model(project: Clouded, tmp_path: Path) -> None:
    """In an empty folder the golden answers come from the image's last layer, in its registry."""
    for seed in (0, 1):
        project.model(seed)
        done = project.deploy()
        assert done.code == 0, done.err
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    back = project.run("rollback", "net", "--target", "aci", "--resource-group", "models", "--yes", cwd=elsewhere)
    assert back.code == 0, back.err
    assert project.versions() == {1: ("running", True), 2: ("stopped", False)}
    assert any(item.path.endswith("/oauth2/exchange") for item in project.arm.seen)


def test_images_go_with_the_versions_that_had_them(project: Clouded) -> None:
    """Of three versions two are kept, and their images."""
    for seed in (0, 1, 2):
        project.model(seed)
        done = project.deploy()
        assert done.code == 0, done.err
    assert set(project.versions()) == {2, 3}
    assert images(project) == of_versions(project)
    assert len(images(project)) == 2


def test_a_version_that_fails_leaves_no_image(project: Clouded) -> None:
    """What was built of wrong golden answers is gone from the registry."""
    assert project.deploy().code == 0
    project.model(seed=1, wrong=3)
    assert project.deploy().code == 5
    assert len(images(project)) == 1
    assert images(project) == of_versions(project)


def test_an_image_that_somebody_tagged_loses_its_tag_alone(project: Clouded) -> None:
    """Another's tag of the same image stays, and with it the image."""
    assert project.deploy().code == 0
    (name, image) = next(each for each in project.arm.images.found() if "@" not in each[0])
    theirs = f"{name.rpartition(':')[0]}:theirs"
    project.arm.images.found_as(theirs, image)
    for seed in (1, 2):
        project.model(seed)
        assert project.deploy().code == 0
    assert "theirs" in images(project)
    assert name.rpartition(":")[2] not in images(project)


def test_an_image_that_cannot_be_removed_is_removed_by_the_next_deployment(project: Clouded) -> None:
    """The version stays in the record until its image is gone; all is well meanwhile."""
    for seed in (0, 1):
        project.model(seed)
        assert project.deploy().code == 0
    project.model(seed=2)
    project.arm.fail("DELETE", "/manifests/*", answers.unavailable())
    done = project.deploy()
    assert done.code == 0, done.err
    assert "was not cleared away" in done.err
    assert set(project.versions()) == {1, 2, 3}
    assert project.deploy().code == 0
    assert set(project.versions()) == {2, 3}
    assert images(project) == of_versions(project)
