"""`opdeploy try`."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opdeploy.cli.model.convert import Inputs, Trust
from opdeploy.cli.model.options import DataFile, Format, Label, Processing
from opdeploy.cli.options import DEFAULT
from opdeploy.cli.test_local_options import Seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opdeploy.artifact.inspection import Inspection
    from opdeploy.artifact.package import Contents
    from opdeploy.local.served import Served
    from opdeploy.recommendation import Recommendation
    from opdeploy.speed import Speeds
    from opdeploy.starter import Known


def try_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="An ONNX file, an artefact, or what `opdeploy model convert` takes.",
            show_default=False,
        ),
    ],
    *,
    data: DataFile = None,
    processing: Processing = None,
    label: Label = "label",
    inputs: Inputs = None,
    trust: Trust = False,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="PATH", help="Keep the artefact there: a folder, or one file (.zip)."),
    ] = None,
    seconds: Seconds = 8.0,
    slo_ms: Annotated[
        float | None, typer.Option("--slo-ms", min=0.001, metavar="MS", help="Latency wanted at p95.")
    ] = None,
    requests_per_second: Annotated[
        float | None,
        typer.Option(
            "--requests-per-second",
            min=0,
            max=1e9,
            metavar="N",
            help="Requests in the busiest second.",
            show_default="a small service",
        ),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", metavar="REGION", help="Azure region.")] = None,
    output: Format = None,
) -> None:
    """Take a first look at a model, and at where it should run: all that needs no workload file.

    The model is inspected, converted where it is not ONNX, verified, made faster in a short trial, and served from a
    process of this machine, which is loaded and asked for an example. Then come the platforms that lead for it, the
    questions whose answers would change them, and the commands that go on. Without --keep nothing stays.

    Exits with 4 when no platform is viable, and for generative models; with 5 when its answers are wrong.
    """
    from opdeploy import ui
    from opdeploy.artifact.package import check_target
    from opdeploy.cli.init import checked
    from opdeploy.cli.model.options import name_of
    from opdeploy.cli.test_local import evidence
    from opdeploy.errors import InputError
    from opdeploy.trying.steps import holds_artefact

    packaged = holds_artefact(Path(model))
    if packaged and any((data, processing, keep)):
        raise InputError(f"{model}: is an artefact, with records of its own, and stays; leave out all but the load")
    if keep:
        check_target(keep)
    wanted = {"serving.latency_ms.p95": slo_ms, "serving.requests_per_second.peak": requests_per_second}
    given = checked({"region": region}) | {name: value for name, value in wanted.items() if value is not None}
    source = _Source(model, data, processing, label, tuple(inputs or ()), trust)
    with tempfile.TemporaryDirectory(prefix="opdeploy-") as folder, evidence():
        found = _Found(source, Path(folder), name_of(None, Path(model)), table=output != "json")
        artefact = _packaged(found) if packaged else _made(found)
        found.place = artefact if packaged else keep or _free(found.name)
        served = _served(found, artefact, seconds, slo_ms)
        if keep:
            _keep(artefact, served, keep)
    _go_on(found, given, [] if packaged or keep else _again(found))
    if not found.table:
        import json

        ui.deliver(json.dumps(found.record(), indent=2))
    found.require_platform()


@dataclass(frozen=True, slots=True)
class _Source:
    """What is tried, and with what."""

    model: str
    data: Path | None
    processing: Path | None
    label: str
    inputs: tuple[str, ...]
    trust: bool

    @property
    def is_onnx(self) -> bool:
        """Whether nothing has to be converted."""
        return Path(self.model).suffix.lower() == ".onnx"

    @property
    def to_convert(self) -> Path | None:
        """What a conversion is verified on: records that need processing are none of the model's inputs."""
        return None if self.processing else self.data

    def options(self) -> list[str]:
        """Return the options of `opdeploy model optimize` that name the records."""
        named = [("--data", self.data), ("--processing", self.processing)]
        found = [str(word) for option, path in named if path for word in (option, path)]
        return found if self.label == "label" else [*found, "--label", self.label]


@dataclass(slots=True)
class _Found:
    """What was found so far; it is told step by step, or at the end as JSON."""

    source: _Source
    folder: Path
    """For what is made, and removed at the end."""
    name: str
    table: bool
    place: Path = Path()
    """Where the artefact is, or will be when it is made again."""
    seen: Inspection | None = None
    speeds: Speeds | None = None
    """What was measured, and which variants there are."""
    parts: dict[str, Any] = field(default_factory=dict)
    """As JSON has them."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Steps, and why."""

    def tell(self, step: str, lines: Sequence[str]) -> None:
        """Print what came of a step."""
        from opdeploy import ui
        from opdeploy.ui.trying import show_step

        if self.table:
            ui.tables(lambda console: show_step(console, step, lines))

    def leave_out(self, step: str, why: str) -> None:
        """Go on without a step, and say why."""
        self.left_out[step] = why.replace(f"{self.folder}/", "")
        self.tell(step, [f"left out: {self.left_out[step]}"])

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON has it; what was left out is null."""
        steps = ("inspection", "conversion", "verified", "optimised", "served", "example", "platforms", "next")
        return {"name": self.name, **{step: self.parts.get(step) for step in steps}, "left_out": self.left_out}

    def require_platform(self) -> None:
        """Raise NoPlatformError where there is none."""
        from opdeploy.errors import NoPlatformError

        if not self.parts["platforms"]:
            raise NoPlatformError(f"{self.name}: no viable platform; opdeploy recommend says what would have to change")


def _packaged(found: _Found) -> Path:
    """Look at an artefact, and hold it against its golden answers."""
    from opdeploy.trying.steps import inspected

    artefact = Path(found.source.model)
    seen, manifest = inspected(artefact)
    found.name = manifest.name
    _inspect(found, seen)
    _verify(found, artefact)
    variants = " and ".join(item.name for item in manifest.variants)
    found.leave_out("optimised", f"it is an artefact already, and holds {variants}")
    return artefact


def _made(found: _Found) -> Path:
    """Make an artefact of a model: converted where need be, verified, and faster where that is possible."""
    from opdeploy.artifact.package import Contents, build
    from opdeploy.cli.model.options import Source, declared
    from opdeploy.runtime.session import Session
    from opdeploy.trying.steps import inspected_graph

    source = found.source
    declaration = declared(source.processing)
    graph = Path(source.model) if source.is_onnx else _converted(found)
    _inspect(found, inspected_graph(graph))
    data = Source(source.data, declaration, source.label).read(Session(graph))
    contents = Contents(found.name, graph, data.samples, data.records, declaration)
    plain = found.folder / "plain"
    build(contents, plain)
    _verify(found, plain)
    return _optimised(found, contents) or plain


def _converted(found: _Found) -> Path:
    import sys

    from opdeploy import ui
    from opdeploy.artifact.convert import convert
    from opdeploy.cli.model.convert import spec
    from opdeploy.ui.trying import converted

    source = found.source
    with ui.progress("try") as watch:
        done = convert(
            source.model,
            found.folder / f"{found.name}.onnx",
            trust=source.trust,
            data=source.to_convert,
            specs=tuple(map(spec, source.inputs)),
            debug="--debug" in sys.argv,
            tell=watch,
        )
    told = {"kind": done.kind, "opset": done.opset, "size_mb": done.size / 1e6, "batch": done.batch}
    found.parts["conversion"] = {**told, **asdict(done.verified)}
    found.tell("converted", converted(done))
    return done.output


def _inspect(found: _Found, seen: Inspection) -> None:
    """Say what a model is; raises NoPlatformError for a generative one."""
    from dataclasses import replace

    from opdeploy.advisor import OUT_OF_SCOPE
    from opdeploy.errors import NoPlatformError
    from opdeploy.ui.trying import model

    found.seen = replace(seen, file=found.source.model)
    found.parts["inspection"] = found.seen.record()
    found.tell("model", model(found.seen))
    if seen.generative:
        raise NoPlatformError(
            f"{found.source.model}: a generative model is out of scope; go to {OUT_OF_SCOPE.would_need}"
        )


def _verify(found: _Found, artefact: Path) -> None:
    """Hold an artefact's variants against its golden answers; raises DifferenceError where none has them."""
    from opdeploy.artifact.report import finite
    from opdeploy.artifact.verify import golden
    from opdeploy.errors import DifferenceError
    from opdeploy.ui.trying import verified

    checked, _ = golden(artefact)  # records are held against processing by the server's trial
    found.parts["verified"] = [{"name": name, "agrees": item.agrees, **finite(item)} for name, item in checked.items()]
    found.tell("verified", verified(checked))
    if not any(item.agrees for item in checked.values()):
        raise DifferenceError(f"{found.source.model}: no variant gives the golden answers here; package it again")


def _optimised(found: _Found, contents: Contents) -> Path | None:
    """Make an artefact with a faster variant; None where that fails, for one can go on without."""
    from opdeploy import ui
    from opdeploy.artifact.report import finite
    from opdeploy.errors import OpdeployError
    from opdeploy.trying.steps import optimised
    from opdeploy.ui.trying import optimised as told

    try:
        with ui.progress("try") as watch:
            result, artefact = optimised(contents, found.folder, watch)
    except OpdeployError as error:
        found.leave_out("optimised", str(error))
        return None
    found.parts["optimised"] = finite(result)
    found.tell("optimised", told(result))
    return artefact


def _served(found: _Found, artefact: Path, seconds: float, slo_ms: float | None) -> Served | None:
    """Serve an artefact and have an example scored; None where a package for that is missing."""
    import shlex

    from opdeploy import ui
    from opdeploy.artifact.report import finite
    from opdeploy.cli.test_local import require_packages
    from opdeploy.errors import InputError

    try:
        require_packages()
    except InputError as error:
        found.leave_out("served", str(error))
        return None
    from opdeploy.loadtest.sweep import Goal
    from opdeploy.local.subject import subject
    from opdeploy.trying.steps import measured, serve
    from opdeploy.ui.trying import served, show_example

    with subject(artefact, found.name) as tried, ui.progress("try") as watch:
        result, example = serve(tried, Goal(seconds, slo_ms), watch)
    found.speeds = measured(artefact, result)
    found.parts |= {"served": finite(result), "example": asdict(example)}
    found.tell("served", served(result))
    if found.table:
        start = shlex.join(["python", "-m", "opdeploy.serving", "--model", str(found.place)])
        ui.tables(lambda console: show_example(console, example, start))
    return result


def _keep(artefact: Path, served: Served | None, place: Path) -> None:
    """Write the artefact where it stays, with what was measured."""
    from opdeploy import ui
    from opdeploy.artifact.package import repackage
    from opdeploy.artifact.report import written
    from opdeploy.local.served import name_of
    from opdeploy.runtime.package import opened

    with opened(artefact) as package:
        digest = repackage(package, {name_of(served): written(served)} if served else {}, place)
    ui.say(f"wrote {place}")
    ui.say(f"sha256:{digest}")


def _go_on(found: _Found, given: Known, again: list[str]) -> None:
    """Say where it should run, what to ask, and what to do next."""
    from opdeploy import targets, ui
    from opdeploy.advisor import Facts
    from opdeploy.catalogue import load_catalogue
    from opdeploy.cli.answer import market
    from opdeploy.cli.options import day
    from opdeploy.speed import Speeds
    from opdeploy.trying import next as coming
    from opdeploy.ui import trying as shown

    assert found.seen  # noqa: S101 - every model was looked at
    asker = coming.Asker(load_catalogue(), Facts(market(), found.speeds or Speeds()), day(None))
    known = coming.learnt(found.name, found.seen, given)
    answer = asker.recommended(known)
    _platforms(found, answer, coming.peak(known, answer))
    questions = coming.questions(known, asker)
    workload = f"{found.name}.yaml" if DEFAULT.exists() else str(DEFAULT)
    commands = coming.commands(str(found.place), workload, coming.deployable(answer, [*targets.ids()]))
    found.parts["next"] = {"questions": [asdict(item) for item in questions], "commands": [*again, *commands]}
    if found.table:
        ui.tables(lambda console: shown.show_questions(console, questions))
        ui.tables(lambda console: shown.show_commands(console, again, commands))


def _platforms(found: _Found, answer: Recommendation, peak: float) -> None:
    """Show the platforms that lead."""
    from dataclasses import replace

    from opdeploy import ui
    from opdeploy.trying.next import SHOWN
    from opdeploy.ui.trying import show_platforms

    leading = answer.ranked[:SHOWN]
    found.parts["platforms"] = [asdict(item) for item in leading]
    if found.table and leading:
        ui.tables(lambda console: show_platforms(console, replace(answer, ranked=leading), peak))


def _again(found: _Found) -> list[str]:
    """Return the commands that make the artefact again."""
    from opdeploy.trying.next import command

    source = found.source
    how = "package" if "optimised" in found.left_out else "optimize"
    graph = source.model if source.is_onnx else f"{found.name}.onnx"
    made = command("model", how, graph, *source.options(), "-o", str(found.place))
    if source.is_onnx:
        return [made]
    data = ["--data", str(source.to_convert)] if source.to_convert else []
    specs = [word for item in source.inputs for word in ("--input", item)]
    trust = ["--trust"] if source.trust else []
    return [command("model", "convert", source.model, *trust, *data, *specs, "-o", graph), made]


def _free(name: str) -> Path:
    """Return where an artefact of this name can be made: where nothing is yet."""
    return Path(f"{name}-artefact" if Path(name).exists() else name)
