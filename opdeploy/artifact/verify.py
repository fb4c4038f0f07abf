"""Holds answers against answers: of two models, or of an artefact's variants and its golden answers."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.artifact import evidence, graph
from opdeploy.artifact.samples import fixed_batch
from opdeploy.artifact.size import is_artefact
from opdeploy.errors import InputError, OpdeployError
from opdeploy.runtime.choosing import check, check_processing, choose
from opdeploy.runtime.golden import Difference, compare
from opdeploy.runtime.package import opened
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from opdeploy.artifact.data import Data
    from opdeploy.runtime.tolerance import Tolerance

BATCH = 8


@dataclass(frozen=True, slots=True)
class Verification:
    """How answers compare, and on what."""

    data: str
    differences: list[Difference]
    failure: str = ""
    """Why there are no answers to compare."""
    allowed: str = "what the artefact states"
    """By how much answers may differ, in words."""

    @property
    def agrees(self) -> bool:
        """Whether all answers are right."""
        return not self.failure and all(difference.agrees for difference in self.differences)


@contextmanager
def runnable(path: Path) -> Iterator[Session]:
    """Give a model, or the variant of an artefact that would be served here.

    Raises InputError for what is neither, DifferenceError where no variant gives the golden answers.
    """
    if is_artefact(path):
        with opened(path) as package:
            yield choose(package).session
    else:
        graph.load(path, weights=False)
        yield Session(path)


def models(first: Path, second: Path, tolerance: Tolerance | None, records: Callable[[Session], Data]) -> Verification:
    """Compare the second model with the first on the same records; `records` gives some that fit.

    Raises InputError where they do not take the same inputs or give the same outputs.
    """
    with runnable(first) as reference, runnable(second) as other:
        for side in ("inputs", "outputs"):
            mine, theirs = (
                {spec.name: spec.datatype.name for spec in getattr(item, side)} for item in (reference, other)
            )
            if mine != theirs:
                raise InputError(f"{second}: its {side} are {_said(theirs)}, those of {first} {_said(mine)}")
        samples = records(reference).samples
        sizes = {fixed_batch(item.inputs) for item in (reference, other)} - {None}
        size = max((item for item in sizes if item), default=min(BATCH, len(samples)))
        wanted = evidence.answers(reference, samples, size)
        found = evidence.answers(other, samples, size)
        return Verification(
            f"{len(samples)} records, {samples.source}",
            compare(found, wanted, tolerance or evidence.tolerances(wanted)),
            allowed=_allowed(tolerance),
        )


def golden(path: Path) -> tuple[dict[str, Verification], Verification | None]:
    """Compare an artefact's variants with its golden answers, and what its processing makes here of golden records.

    The variants are in the order of preference; where no processing is declared, the second is None.
    """
    with opened(path) as package:
        found = {}
        about = package.manifest.golden
        data = f"{about.records} golden records" + (", drawn at random" if about.synthetic else "")
        for variant in package.manifest.variants:
            try:
                found[variant.name] = Verification(data, check(package, variant, package.open(variant)))
            except OpdeployError as error:
                found[variant.name] = Verification(data, [], str(error))
        if package.manifest.golden.examples is None:
            return found, None
        try:
            prepared = check_processing(package)
            wrong = [item for item in prepared if not item.agrees]
            return found, Verification(data, wrong or sorted(prepared, key=lambda item: -item.largest)[:1])
        except OpdeployError as error:
            return found, Verification(data, [], str(error))


def _allowed(tolerance: Tolerance | None) -> str:
    if tolerance is None:
        return f"{evidence.RTOL:.1%} of the value and of the output's root mean square"
    return f"{tolerance.atol:g} + {tolerance.rtol:g} of the value"


def _said(tensors: dict[str, str]) -> str:
    return ", ".join(f"{name} {datatype}" for name, datatype in tensors.items())
