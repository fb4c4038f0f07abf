"""Loads the model on a thread of its own, while the server is imported and starts."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.serving.model import load

if TYPE_CHECKING:
    from opdeploy.serving.model import Served
    from opdeploy.serving.settings import Settings

_TRIES = 10
"""Between listing a folder and removing it, one more file may come."""


class Loading(threading.Thread):
    """Has a model or an error when it has ended; it keeps no process alive."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="load", daemon=True)
        self.model: Served | None = None
        self.error: Exception | None = None
        self.seconds = 0.0
        """That it took."""
        self._settings = settings
        self._scratch: Path | None = None

    def run(self) -> None:
        """Load the model."""
        started = time.monotonic()
        try:
            self.model = load(self._settings, self._folder())
        except Exception as error:  # noqa: BLE001 - it is told where the server ends
            self.error = error
        self.clear()
        self.seconds = time.monotonic() - started

    def clear(self) -> None:
        """Remove what was unpacked, also where the process is to end while it is being unpacked."""
        for _ in range(_TRIES):
            if self._scratch is not None and self._scratch.exists():
                shutil.rmtree(self._scratch, ignore_errors=True)

    def _folder(self) -> Path | None:
        """Return a folder to unpack the model in, where it is one file that holds others."""
        model = self._settings.model
        if model.is_dir() or model.suffix == ".onnx":
            return None
        try:
            self._scratch = Path(tempfile.mkdtemp(prefix="opdeploy-"))
        except OSError as error:
            raise OpdeployError(
                f"{model}: cannot be unpacked: {error.strerror}; serve the artefact as a folder, or give room for files"
            ) from None
        return self._scratch
