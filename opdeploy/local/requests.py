"""The requests of a load, made before it: the same bytes that a client would send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opdeploy.errors import InputError
from opdeploy.local import inference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opdeploy.local.served import Carried
    from opdeploy.local.subject import Subject

SCORE = "/score"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Requests:
    """Headers and bodies of requests."""

    carried: Carried
    size: int
    """Records in each of them."""
    made: list[tuple[dict[str, str], bytes]]

    def on_the_wire(self, name: str, more: Mapping[str, str] | None = None, host: str = "localhost") -> list[bytes]:
        """Return the whole requests, with more headers, to a server of a host that has the model under this name."""
        path = inference.path(name) if self.carried == "tensors" else SCORE
        return [inference.on_the_wire(path, {**headers, **(more or {})}, body, host) for headers, body in self.made]

    @property
    def megabytes(self) -> float:
        """Size of the largest body, in MB (10^6 bytes)."""
        return max(len(body) for _, body in self.made) / 1e6


def requests(subject: Subject, carried: Carried, records: int | None) -> Requests:
    """Make requests of the golden records.

    Raises InputError for a number of records that the model does not take, and for records without processing.
    """
    rows = subject.rows(records)
    if carried == "tensors":
        golden = subject.golden.inputs
        inputs = ({name: array[index] for name, array in golden.items()} for index in rows)
        return Requests(carried, len(rows[0]), [inference.request(item, subject.inputs) for item in inputs])
    documents = examples(subject)
    bodies = [json.dumps({"records": [documents[at] for at in index]}).encode() for index in rows]
    return Requests(carried, len(rows[0]), [(JSON, body) for body in bodies])


def examples(subject: Subject) -> list[object]:
    """Return the golden records as people send them; raises InputError where no processing is declared for them."""
    manifest = subject.package.manifest
    if manifest.processing is None or manifest.golden.examples is None:
        raise InputError(
            f"{manifest.name}: declares no processing of records; leave --send out, or package the model with "
            "--processing and records"
        )
    pairs = json.loads(subject.package.path(manifest.golden.examples).read_text(encoding="utf-8"))
    return [pair["record"] for pair in pairs]
