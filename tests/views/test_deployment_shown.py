"""What others wrote on a target is shown as it stands: no markup, no control characters, and addresses whole."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from opdeploy.deploy.checks import Readiness
from opdeploy.deployment import Found, Observed, Version
from opdeploy.ui.deployment import show_drift, show_list, show_status, show_versions

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = "[/foo] [link=http://a.example]x \x1b[31m"
SHOWN = "[/foo] [link=http://a.example]x  [31m"
ENDPOINT = "http://[::1]:8000"
VERSION = Version(
    number=1,
    state="running",
    current=True,
    proven=True,
    at=datetime(2026, 11, 25, 8, tzinfo=UTC),
    by=WORDS,
    artefact="a" * 64,
    config="c",
    image="m:1",
    resource="opdeploy-m.v1",
)
FOUND = Found(kind="container", name=WORDS, properties={"image": WORDS, "port": 8000}, wanted={"image": "m:1"})
OBSERVED = Observed(
    target="local", deployment="m", versions=(VERSION,), found=(FOUND,), endpoint=ENDPOINT, events=(f"Pod m: {WORDS}",)
)
VIEWS: dict[str, Callable[[Console], None]] = {
    "status": lambda console: show_status(console, OBSERVED, Readiness(is_ready=True, said="ready")),
    "not ready": lambda console: show_status(console, OBSERVED, Readiness(is_ready=False, said=WORDS)),
    "versions": lambda console: show_versions(console, OBSERVED),
    "drift": lambda console: show_drift(console, OBSERVED, (FOUND,)),
    "list": lambda console: show_list(console, "local", [OBSERVED]),
}


@pytest.mark.parametrize("view", VIEWS)
def test_words_of_others_are_shown_as_they_stand(view: str) -> None:
    """Square brackets and escapes are no instructions to the terminal."""
    written = io.StringIO()
    VIEWS[view](Console(file=written, width=400, force_terminal=False))
    text = written.getvalue()
    assert SHOWN in text
    assert "\x1b" not in text
    if view in {"status", "not ready", "list"}:
        assert ENDPOINT in text
    assert "8,000" not in text
    if view in {"status", "not ready"}:
        assert f"what went wrong of late:\n  Pod m: {SHOWN}" in text
