"""What goes wrong between opdeploy and an engine is told in words, and no call waits for ever."""

from __future__ import annotations

import threading
import time

import pytest
from docker.errors import APIError, DockerException
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ReadTimeout
from urllib3.exceptions import ProtocolError

from opdeploy.clients.docker.explained import explained, within
from opdeploy.errors import InputError, OpdeployError, TransientError


@pytest.mark.parametrize(
    ("error", "said", "kind"),
    [
        (APIError("500", explanation="no space left\non device."), "no space left on device", OpdeployError),
        (DockerException(), "DockerException", OpdeployError),
        (ProtocolError("broken off"), "broken off", OpdeployError),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device", OpdeployError),
        (NoConnection("refused"), "refused", TransientError),
        (ReadTimeout("timed out"), "timed out", TransientError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_any_error_becomes_one_line(error: Exception, said: str, kind: type[OpdeployError]) -> None:
    """What was done, the engine's own words, and what to do; only what a connection did may be tried again."""
    with pytest.raises(OpdeployError) as raised, explained("m: was not started", "see why"):
        raise error
    assert type(raised.value) is kind
    assert str(raised.value) == f"m: was not started: {said}; see why"


def test_what_is_explained_already_stays() -> None:
    """An error of ours passes."""
    mine = InputError("m: no such file")
    with pytest.raises(InputError) as raised, explained("m: was not started", "see why"):
        raise mine
    assert raised.value is mine


def test_a_call_has_its_time() -> None:
    """What it returns or raises is ours; when it takes longer, it is not waited for."""
    assert within(60, "m", lambda: 7) == 7
    with pytest.raises(InputError, match="mine"):
        within(60, "m", fail)
    over = threading.Event()
    started = time.monotonic()
    with pytest.raises(TransientError, match=r"^m: the engine did not answer within 0\.05 s; see that it is not "):
        within(0.05, "m", over.wait)
    assert time.monotonic() - started < 30
    over.set()


def fail() -> None:
    """Raise an error."""
    raise InputError("mine")
