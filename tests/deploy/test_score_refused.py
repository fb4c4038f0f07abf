"""What is said where a server takes no request for its API key."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.deploy import scoring
from opdeploy.deploy.checks import Readiness
from opdeploy.deployment import Observed
from opdeploy.errors import OpdeployError

if TYPE_CHECKING:
    from pathlib import Path

GIVEN = "the-key-of-the-environment"
CASES = {
    "none is known": (None, 401, "asks for an API key, and none is known here; set OPDEPLOY_API_KEY to it"),
    "that of the environment": (GIVEN, 403, "OPDEPLOY_API_KEY is not its API key; set it to the one that was shown"),
    "that of a vault": ("kept", 403, "the API key that is kept for it is not the one that it takes; set OPDEPLOY_API_"),
}


@pytest.mark.parametrize("case", CASES)
def test_who_has_the_wrong_key_is_told(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In words, and not in the server's; the variable is named, which may be empty."""
    key, status, said = CASES[case]
    data = tmp_path / "one.json"
    data.write_text("{}")
    place: Any = SimpleNamespace(api_key=lambda _name: key, address=lambda _name: ("127.0.0.1", 1), tls=False)
    monkeypatch.setenv("OPDEPLOY_API_KEY", GIVEN if key == GIVEN else "")
    monkeypatch.setattr(scoring, "readiness", lambda *_: Readiness(is_ready=True, said=""))
    monkeypatch.setattr(scoring, "ask", lambda *_: SimpleNamespace(status=status))
    with pytest.raises(OpdeployError, match=f"^m: {said}"):
        scoring.scored(place, Observed(target="aci", deployment="m", front="m"), data)
