"""The steps that work with the model: packaged, made faster, served, and asked."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from opdeploy import speed
from opdeploy.artifact.data import judged, task_of
from opdeploy.artifact.inspection import Inspection, look
from opdeploy.artifact.optimize import Goal, Optimised, optimize
from opdeploy.artifact.package import Contents, build
from opdeploy.artifact.report import written
from opdeploy.artifact.size import is_artefact
from opdeploy.artifact.speeds import of_model
from opdeploy.errors import InputError
from opdeploy.runtime.package import MANIFEST, opened
from opdeploy.runtime.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydantic import JsonValue

    from opdeploy.loadtest.sweep import Goal as Load
    from opdeploy.local.served import Served
    from opdeploy.local.server import Address
    from opdeploy.local.subject import Subject
    from opdeploy.runtime.manifest import Manifest
    from opdeploy.speed import Speeds

    Watch = Callable[[str], None]

ROUNDS, BLOCK_S = 2, 0.1
"""Of each variant: enough to see what is twice as fast, and over in seconds."""
READY_S = 120.0
ENDPOINT = "http://127.0.0.1:8000"
"""Where `python -m opdeploy.serving` listens unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request, and what was answered."""

    command: str
    """It sends the request to a server that was started by hand."""
    scores: bool
    """Whether it carries a record; where one is too long to be pasted, it asks what the model takes."""
    answer: JsonValue


def holds_artefact(model: Path) -> bool:
    """Tell whether a path is an artefact: a folder with its manifest, or one file."""
    return is_artefact(model) and (not model.is_dir() or (model / MANIFEST).is_file())


def inspected(artefact: Path) -> tuple[Inspection, Manifest]:
    """Return what the reference in an artefact tells, and what the artefact says of itself.

    Raises InputError for one that is not as it was packaged.
    """
    with opened(artefact) as package:
        return inspected_graph(package.path(package.manifest.variants[-1].file)), package.manifest


def inspected_graph(graph: Path) -> Inspection:
    """Return what an ONNX file tells; raises InputError for what is none."""
    seen = look(graph)
    if not isinstance(seen, Inspection):
        raise InputError(f"{graph}: is no ONNX file by its name; package the model again")
    return seen


def optimised(contents: Contents, folder: Path, watch: Watch) -> tuple[Optimised, Path]:
    """Try variants of a model for a short time; return what came of it, and an artefact with the best, in the folder.

    Raises what `optimize` and `build` raise.
    """
    goal = Goal(
        task=task_of(contents.declared),
        rounds=ROUNDS,
        seconds=BLOCK_S,
        judged=judged(contents.declared, Session(contents.model)),
    )
    result = optimize(contents.model, contents.samples, goal, folder, watch=watch)
    target = folder / "optimised"
    build(replace(contents, optimised=result, measurements={"optimize": written(result)}), target)
    return result, target


def serve(tried: Subject, load: Load, watch: Watch) -> tuple[Served, Example]:
    """Serve an artefact from a process of this machine, try it, and have an example scored.

    Raises what `trial` raises.
    """
    from opdeploy.local.limits import Room, Wanted, limits
    from opdeploy.local.requests import requests
    from opdeploy.local.server import explained
    from opdeploy.local.start import Start, started
    from opdeploy.local.trial import Plan, trial
    from opdeploy.runtime.cpus import usable_cpus

    given, _ = limits("process", Wanted(None, None, 0.0), None, Room(usable_cpus(), 0.0))
    plan = Plan("process", given, requests(tried, "tensors", None), READY_S, load)
    with started(tried.package, Start(given, None), watch) as (running, _):
        found = trial(tried, running, plan, watch)
        watch("has an example scored")
        with explained(running, "an example was scored"):
            return found, _scored(running.address, tried)


def measured(artefact: Path, served: Served) -> Speeds:
    """Return what is known of a model's speed after it was served."""
    known = of_model(artefact)
    return replace(known, measured=(speed.read(written(served), "what was served"), *known.measured))


def _scored(address: Address, tried: Subject) -> Example:
    from opdeploy.deploy.example import curl, example
    from opdeploy.local.answers import asked
    from opdeploy.local.requests import JSON

    request = example(tried, tried.package.manifest.name, keyed=False)
    body = None if request.body is None else request.body.encode()
    reply = asked(address, request.route, body, JSON if body else None)
    return Example(curl(ENDPOINT, request), body is not None, json.loads(reply.body))
