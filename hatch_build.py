"""Puts `profiles/` and `templates/` into the wheel, and what is YAML a second time as JSON, which loads fast."""

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
        """Compile profiles and market, and name all data for inclusion."""
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root))
        from opdeploy.document import read_market, read_profiles

        sys.path.remove(str(root))
        self._folder = tempfile.TemporaryDirectory()
        compiled = {
            "catalogue.json": read_profiles(root / "profiles"),
            "market.json": read_market(root / "profiles" / "azure"),
        }
        for name, value in compiled.items():
            path = Path(self._folder.name, name)
            path.write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")
            build_data["force_include"][str(path)] = f"opdeploy/_data/{name}"
        for name in ("profiles", "templates"):
            build_data["force_include"][str(root / name)] = f"opdeploy/_data/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002  interface
        """Remove the compiled files."""
        if version != "editable":
            self._folder.cleanup()
