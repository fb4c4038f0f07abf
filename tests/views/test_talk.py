"""What is said on a terminal while the last line shows how far something has come."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

SAYS = """
import time
from types import SimpleNamespace
from opdeploy import ui
from opdeploy.deploy.execute import Progress
ui._TICK_S = 0.05
step = SimpleNamespace(title="start it", action="change")
check = SimpleNamespace(title="wait for it", action="check")
with ui.steps() as watch, ui.progress("build") as build:
    watch(Progress(1, 2, step, None))
    build("fetch")
    ui.say("a word")
    watch(Progress(1, 2, step, 1.0))
    watch(Progress(2, 2, check, None))
    time.sleep(0.3)
    watch(Progress(2, 2, check, 2.0, interrupted=True))
ui.error("no room")
"""
DONE = ["[1/2] start it: 1.0 s", "[2/2] wait for it: interrupted after 2.0 s"]


def test_talk_takes_the_place_of_the_line() -> None:
    """Nothing is glued to it, and it does not stay in the end."""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", SAYS], check=True, stderr=theirs, env={**os.environ, "NO_COLOR": "1"})
    text = os.read(ours, 10_000).decode()  # whole: it is less than a terminal holds
    os.close(theirs)
    os.close(ours)
    seen = [line.rpartition("\r\x1b[K")[2] for line in text.split("\r\n")]
    assert seen == ["a word", *DONE, "error: no room", ""]
    assert "[1/2] start it …\r" in text
    assert "[2/2] wait for it … 0 s" in text
    assert "start it … 0 s" not in text


def test_elsewhere_only_what_stays_is_written() -> None:
    """A log has whole lines."""
    done = subprocess.run([sys.executable, "-c", SAYS], check=True, capture_output=True)
    assert done.stderr.decode().splitlines() == ["a word", *DONE, "error: no room"]
