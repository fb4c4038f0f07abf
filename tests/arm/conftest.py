"""The stand-in, tested by itself."""

from tests.arm.fixtures import arm, arm_server

__all__ = ["arm", "arm_server"]
