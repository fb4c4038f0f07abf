"""Deployments that are killed, or refused, at each of their writes, each in a cloud of its own."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.arm import answers
from tests.arm.server import cloud, serving
from tests.azure.clouded import WRITES, Clouded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.arm.answers import Answer, Drop
    from tests.arm.arm import Arm
    from tests.conftest import Ran

    Scenario = Callable[[Clouded, int], set[str]]
    """Breaks commands of a project at their writes of a number; tells which of them came so far."""

NO = answers.error(403, "AuthorizationFailed", "The client does not have authorization to perform action 'x/y/write'.")
AT_ONCE = 3
MOST = 80


@dataclass
class Breaks:
    """Runs scenarios, each in a cloud of its own."""

    folder: Path
    target: str
    settings: dict[str, Any]
    more: tuple[str, ...] = ("--allow-plain-http",)

    def at_every_write(self, scenario: Scenario, **least: int) -> None:
        """Go through a scenario, broken at every write, until it comes to its end unbroken.

        At least so many writes of each of its commands have to be broken.
        """

        def tried(number: int) -> set[str]:
            with serving() as server, cloud(server) as arm:
                place = self.folder / str(number)
                place.mkdir(parents=True)
                return scenario(Clouded(place, arm, self.target, self.settings, more=self.more), number)

        counts: Counter[str] = Counter()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for start in range(0, MOST, AT_ONCE):
                came = list(threads.map(tried, range(start, start + AT_ONCE)))
                counts.update(name for names in came for name in names)
                if not all(came):
                    assert all(counts[name] >= number for name, number in least.items()), counts
                    return
        pytest.fail(f"it was still broken at write {MOST}")


def is_write(method: str, path: str) -> bool:
    """Tell whether a request to Azure Resource Manager, a registry or a vault changes something."""
    return method in WRITES and path.lower().startswith(("/subscriptions/", "https://")) and "/oauth2/" not in path


def killed(project: Clouded, number: int, *arguments: str) -> bool:
    """Kill a command at its write of a number, before that takes effect; tell whether it came so far."""
    hit = threading.Event()
    count = 0
    command = project.begin(*arguments)

    def hook(_number: int, method: str, path: str) -> None:
        nonlocal count
        if hit.is_set() or not is_write(method, path):
            return
        if count == number:
            hit.set()
            command.kill()
            command.process.join()
        count += 1

    project.arm.hook = hook
    command.ended()
    project.arm.hook = lambda _number, _method, _path: None
    return hit.is_set()


def refused(project: Clouded, number: int, answer: Answer | Drop, *arguments: str) -> tuple[bool, Ran]:
    """Answer so to a command's write of a number; tell whether it came so far, and how it ended."""
    count = 0
    hit = False

    def hook(_number: int, method: str, path: str) -> None:
        nonlocal count, hit
        if not is_write(method, path):
            return
        if count == number:
            hit = True
            project.arm.fail(method, _plain(path, project.arm), answer)
        count += 1

    project.arm.hook = hook
    done = project.with_key(project.run(*arguments))
    project.arm.hook = lambda _number, _method, _path: None
    return hit, done


def stumbling(arm: Arm, given: Sequence[Answer | Drop], first: int) -> None:
    """Answer so to every write before it comes again, with one answer after the other, from a first one on."""
    stumbled: set[tuple[str, str]] = set()
    numbers = itertools.count(first)

    def hook(_number: int, method: str, path: str) -> None:
        if not is_write(method, path):
            return
        key = (method, _plain(path, arm))
        if key in stumbled:
            stumbled.remove(key)
            return
        stumbled.add(key)
        arm.fail(*key, given[next(numbers) % len(given)])

    arm.hook = hook


def _plain(path: str, arm: Arm) -> str:
    """Return a path as a form that it alone has."""
    return path.partition("?")[0].removeprefix(arm.url)
