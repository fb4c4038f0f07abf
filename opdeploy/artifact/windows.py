"""Which Windows ML runs a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from opdeploy.artifact.structure import Versions


class _Release(NamedTuple):
    """The newest versions that a Windows ML takes."""

    opset: int
    ml_opset: int
    ir: int
    where: str


# Opsets: learn.microsoft.com/windows/ai/windows-ml/onnx-versions (2020-05-13 and later).
# The other versions are those of the ONNX releases that it names (1.2.2, 1.3, 1.4, 1.7): onnx.helper.VERSION_TABLE.
_INBOX = (
    _Release(7, 1, 3, "Windows 10, version 1809 (build 17763)"),
    _Release(8, 1, 3, "Windows 10, version 1903 (build 18362)"),
    _Release(9, 1, 4, "Windows 10, version 2004 (build 19041)"),
    _Release(12, 2, 7, "Windows 11"),
)
# Windows ML 2.0.300 (2026-04-28) has ONNX Runtime 1.24.5 (MicrosoftDocs/windows-ai-docs@54d416b) and runs on whatever
# Windows the App SDK supports (learn.microsoft.com/windows/ai/new-windows-ml/get-started, read 2026-11-23). The
# versions are those that onnxruntime 1.24.4 was found to load (2026-11-23).
_APP_SDK = _Release(
    25, 5, 13, "Windows ML 2.0.300 (Windows App SDK) on Windows 10, version 1809 (build 17763), or later"
)
_OLDEST = 7


@dataclass(frozen=True, slots=True)
class WindowsMl:
    """Where Windows runs a model."""

    runs_from: str | None
    """The oldest that runs it; None where none does."""
    highest_opset: int | None
    """The highest opset that this one takes."""
    inbox: bool
    """Whether that is part of Windows itself, and not of the Windows App SDK."""


def windows_ml(ir_version: int, versions: Versions, *, contrib: bool, custom: bool) -> WindowsMl:
    """Return the oldest Windows ML that takes a model of these versions.

    `contrib` says that it has operators of ONNX Runtime's own, which only the Windows App SDK has, and `custom` that it
    has operators of nobody's, which none has.
    """
    opset, ml_opset = versions.get("", 0), versions.get("ai.onnx.ml", 0)
    releases = (*(() if contrib else _INBOX), _APP_SDK)
    for release in () if custom or 0 < opset < _OLDEST else releases:
        if opset <= release.opset and ml_opset <= release.ml_opset and ir_version <= release.ir:
            return WindowsMl(release.where, release.opset, release is not _APP_SDK)
    return WindowsMl(None, None, inbox=False)
