"""Puts `profiles/` and `templates/` into the wheel, and the profiles a second time as one JSON file that loads fast."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileCatalogue(BuildHookInterface):  # type: ignore[type-arg]  # its parameter is of no use to a hook
    """Adds opdeploy's data to a wheel; a checkout installed in editable form reads its own files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the profiles, and name all data for inclusion."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        from opdeploy.document import read_profiles

        sys.path.remove(str(root))
        sources = read_profiles(root / "profiles")
        self._folder = tempfile.TemporaryDirectory()
        compiled = Path(self._folder.name, "catalogue.json")
        compiled.write_text(json.dumps(sources, separators=(",", ":"), sort_keys=True), encoding="utf-8")
        build_data["force_include"] |= {
            str(compiled): "opdeploy/_data/catalogue.json",
            str(root / "profiles"): "opdeploy/_data/profiles",
            str(root / "templates"): "opdeploy/_data/templates",
        }

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  interface
        """Remove the compiled file."""
        if version != "editable":
            self._folder.cleanup()
