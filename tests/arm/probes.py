"""Probes of containers."""

from __future__ import annotations

import http.client
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Probe:
    """A probe, with times in seconds."""

    ask: Mapping[str, Any]
    """Its `httpGet` or `exec`, as the body of a request has it."""
    delay: float
    period: float
    timeout: float
    failures: int
    successes: int

    @classmethod
    def of(cls, body: Mapping[str, Any] | None, pace: float) -> Probe | None:
        """Read it of a body, with the defaults of Container Instances and Kubernetes."""
        if not body:
            return None
        delay = body.get("initialDelaySeconds") or 0
        period, timeout = body.get("periodSeconds") or 10, body.get("timeoutSeconds") or 1
        counts = body.get("failureThreshold") or 3, body.get("successThreshold") or 1
        return cls(body, delay * pace, period * pace, timeout, *counts)

    def passes(self, address: str, environment: Mapping[str, str]) -> bool:
        """Carry it out."""
        if asked := self.ask.get("httpGet"):
            connection = http.client.HTTPConnection(address, int(asked["port"]), timeout=self.timeout)
            try:
                connection.request("GET", asked.get("path") or "/")
                return 200 <= connection.getresponse().status < 400
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
        command = self.ask.get("exec", {}).get("command", ["true"])
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                command, env=dict(environment), timeout=self.timeout, check=False, capture_output=True
            )
            return done.returncode == 0
        return False
