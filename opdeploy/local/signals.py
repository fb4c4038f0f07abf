"""Keeps what is begun or cleared away whole when a signal comes."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def shielded(manager: AbstractContextManager[T]) -> Iterator[T]:
    """Give what a context manager gives; no signal cuts its start or its end in two."""
    with ExitStack() as stack:
        try:
            with held_back():
                value = stack.enter_context(manager)
            yield value
        finally:
            with held_back():
                stack.close()


@contextmanager
def held_back() -> Iterator[None]:
    """Let the signals that end a command wait until the end of the block; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)
