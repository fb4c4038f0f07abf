"""Signals wait while something is begun or cleared away, and then do what they always do."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from opdeploy.local.signals import held_back, shielded

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let SIGINT interrupt, even where these tests themselves may not be."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_waits_until_the_end_of_the_block() -> None:
    """What stands in the block is done to its end."""
    done = []

    def work() -> None:
        with held_back():
            interrupt()
            interrupt()
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under nohup."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_hold_nothing_back() -> None:
    """They get no signals, and may not set handlers."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with held_back():
                pass
        except BaseException as error:  # noqa: BLE001 - told to the test
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert failed == []


@pytest.mark.parametrize("when", ["start", "middle", "end"])
def test_what_was_started_is_ended_whenever_the_signal_comes(when: str) -> None:
    """Nothing is left half begun, nor half cleared away."""
    happened = []

    @contextmanager
    def thing() -> Iterator[str]:
        if when == "start":
            interrupt()
        happened.append("started")
        try:
            yield "thing"
        finally:
            if when == "end":
                interrupt()
            happened.append("ended")

    def use() -> None:
        with shielded(thing()) as value:
            assert value == "thing"
            happened.append("used")
            if when == "middle":
                interrupt()

    with pytest.raises(KeyboardInterrupt):
        use()
    assert happened == (["started", "ended"] if when == "start" else ["started", "used", "ended"])
