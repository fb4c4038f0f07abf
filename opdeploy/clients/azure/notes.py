"""What a resource group keeps of its deployments: their records and locks, each as the output of an empty template.

A deployment of a template is the one thing in a group that keeps a text of any size, costs nothing, and that
whoever may make resources there may write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opdeploy.clients.azure.arm import Arm

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_OUTPUT = "note"


class Notes:
    """Texts, by the ids of what keeps them."""

    def __init__(self, arm: Arm) -> None:
        """Take a connection."""
        self._arm = arm

    def read(self, note: str) -> str | None:
        """Return a text; None where there is none. One that is being written is waited for."""
        found = self._arm.settled(note)
        outputs = ((found or {}).get("properties") or {}).get("outputs") or {}
        value = (outputs.get(_OUTPUT) or {}).get("value")
        return value if isinstance(value, str) else None

    def write(self, note: str, text: str) -> None:
        """Keep a text, in the place of what was there; it begins with no bracket, which would be an expression."""
        template = {
            "$schema": _SCHEMA,
            "contentVersion": "1.0.0.0",
            "resources": [],
            "outputs": {_OUTPUT: {"type": "string", "value": text}},
        }
        self._arm.put(note, {"properties": {"mode": "Incremental", "template": template}})

    def drop(self, note: str) -> None:
        """Keep a text no longer; none is no error."""
        self._arm.delete(note)
