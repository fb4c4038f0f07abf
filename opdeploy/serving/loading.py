"""Loads the model on a thread of its own, while the server is imported and starts."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from opdeploy.serving.model import load

if TYPE_CHECKING:
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings


class Loading(threading.Thread):
    """Has a model or an error when it has ended; it keeps no process alive."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="load", daemon=True)
        self.model: Served | None = None
        self.error: Exception | None = None
        self.seconds = 0.0
        """That it took."""
        self._settings = settings

    def run(self) -> None:
        """Load the model."""
        started = time.monotonic()
        try:
            self.model = load(self._settings)
        except Exception as error:  # noqa: BLE001 - it is told where the server ends
            self.error = error
        self.seconds = time.monotonic() - started
