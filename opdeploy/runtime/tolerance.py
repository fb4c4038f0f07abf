"""How far answers may be from those that they are held against."""

from __future__ import annotations

import msgspec


class Tolerance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far an output may be from the reference.

    An element agrees where `|answer - reference| <= atol + rtol * |reference|`, as in numpy.allclose; whole numbers,
    booleans and text agree where they are equal, and so do infinities and what is not a number.
    """

    rtol: float = 1e-4
    atol: float = 1e-5
    mismatches: float = 0.0
    """Share of the elements that need not agree, 0 but for lossy variants; what is not finite agrees or is wrong."""
