"""Where the user's pip gets packages from."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from opdeploy.errors import OpdeployError
from opdeploy.image import Sources

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS = ("global", "install", ":env:")
"""Of what pip lists, the one that counts most last (pip.pypa.io/en/stable/topics/configuration/, read 2026-11-25)."""
_AUTHORITIES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""Variables that pip takes certificate authorities from; the first counts most."""
_TIMEOUT_S = 60.0
"""Seconds that pip has to list its configuration."""


def sources() -> Sources:
    """Return what the user's pip would use, of what a build can use too: folders of this machine are left out.

    Raises OpdeployError where pip cannot read its own configuration.
    """
    return parsed(_listed(), os.environ)


def parsed(listing: str, environ: Mapping[str, str]) -> Sources:
    """Read what `pip config list` prints: lines such as `global.index-url='https://…'`."""
    found: dict[str, dict[str, str]] = {}
    for line in filter(None, listing.splitlines()):
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        found.setdefault(section, {})[name] = str(ast.literal_eval(value))
    settings = {name: value for section in _SECTIONS for name, value in found.get(section, {}).items()}
    named = settings.get("cert") or next(filter(None, map(environ.get, _AUTHORITIES)), None)
    extra = settings.get("extra-index-url", "").split()
    return Sources(
        index_url=settings.get("index-url"),
        extra_index_urls=tuple(url for url in extra if url.startswith(("https://", "http://"))),
        trusted_hosts=tuple(settings.get("trusted-host", "").split()),
        proxy=settings.get("proxy"),
        authorities=Path(named) if named else None,
    )


def _listed() -> str:
    program = [sys.executable, "-m", "pip"] if find_spec("pip") else [shutil.which("pip") or ""]
    if not program[0]:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  a list of arguments, and pip
            [*program, "config", "list"],
            capture_output=True,
            check=False,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise OpdeployError(
            f"pip did not list its configuration within {_TIMEOUT_S:g} s; see why: pip config debug"
        ) from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise OpdeployError(f"pip does not read its configuration: {reason}; correct it: pip config debug")
    return done.stdout
