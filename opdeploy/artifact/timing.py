"""Times models: in blocks that alternate, because machines are noisy and the threads of an idle model still spin."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opdeploy.runtime.session import Arrays, Session

K = TypeVar("K")

WARM_UP = 2
"""Runs before a block: they make buffers, and outlast the spinning threads of the model that ran before."""


@dataclass(frozen=True, slots=True)
class Block:
    """Runs one after the other of one model on one batch."""

    records: int
    """Records in one run."""
    seconds: tuple[float, ...]
    """Time of each run."""

    @property
    def rate(self) -> float:
        """Records per second over the whole block."""
        return self.records * len(self.seconds) / sum(self.seconds)


def block(session: Session, batch: Arrays, seconds: float) -> Block:
    """Run a model on one batch for about so many seconds, at least twice."""
    for _ in range(WARM_UP):
        session.run(batch)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end or len(times) < WARM_UP:
        session.run(batch)
        times.append(time.perf_counter() - start)
    return Block(len(next(iter(batch.values()))), tuple(times))


def alternate(tasks: Mapping[K, Callable[[], Block]], rounds: int) -> dict[K, list[Block]]:
    """Return the blocks of each task, taken in turns, so that a disturbance meets all alike."""
    blocks: dict[K, list[Block]] = {key: [] for key in tasks}
    for _ in range(rounds):
        for key, task in tasks.items():
            blocks[key].append(task())
    return blocks


def speed_ups(blocks: Sequence[Block], baseline: Sequence[Block]) -> list[float]:
    """Return for each round how much faster the block is than that of the baseline."""
    return [mine.rate / other.rate for mine, other in zip(blocks, baseline, strict=True)]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed, by the nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
