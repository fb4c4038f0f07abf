"""`opdeploy init`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opdeploy.cli.options import DEFAULT

if TYPE_CHECKING:
    from opdeploy.artifact.inspect import ModelFacts
    from opdeploy.starter import Known


def _patterns(incomplete: str) -> list[str]:
    """Complete a pattern in the shell."""
    from opdeploy.workload import PLACES

    return [pattern for pattern in PLACES if pattern.startswith(incomplete)]


def init(
    model: Annotated[Path | None, typer.Argument(help="The model's file, to read facts from.")] = None,
    *,
    file: Annotated[
        Path, typer.Option("--file", metavar="FILE", help="The file to write, which must not be there yet.")
    ] = DEFAULT,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the workload; else from the model or the folder.")
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="How the model is called: request-response, stream, scheduled-batch, triggered-batch, in-database or "
            "on-device.",
            show_default="request-response",
            autocompletion=_patterns,
        ),
    ] = None,
) -> None:
    """Write a commented workload file to start from, filled from a model.

    On a terminal it asks a few questions; elsewhere it asks nothing. A model is looked at, and never run.
    """
    from opdeploy import files, starter, ui
    from opdeploy.artifact.inspect import inspect_model
    from opdeploy.cli import questions

    files.check_absent(file)
    given = checked({"name": name, "serving.pattern": pattern})
    facts = inspect_model(model) if model else None
    if model and facts:
        given["model.path"] = _relative(model, file.parent)
        given |= starter.facts_of(facts)
        _warn(model, facts)
    defaults: Known = {
        "name": starter.label(title(model)),
        "serving.pattern": "request-response",
    }
    if questions.on_terminal() and not (facts and facts.generative):
        known = questions.ask(given, defaults)
    else:
        known = defaults | given
    files.create(file, starter.starter(known, facts.record_mb if facts else None).encode())
    ui.say(f"wrote {file}")
    ui.say(f"next: opdeploy recommend{_argument(file)}")


def checked(options: dict[str, str | None]) -> Known:
    """Return the options that are given, by field; raises InputError for a value that the field refuses."""
    from opdeploy import starter
    from opdeploy.errors import InputError

    known: Known = {}
    for field, value in options.items():
        if value is None:
            continue
        why = starter.refusal(field, value)
        if why:
            raise InputError(f"--{field.rsplit('.', 1)[-1]}: {why}")
        known[field] = value
    return known


def title(model: Path | None) -> str:
    """Return what the workload is about: the model's name, or that of the folder."""
    if model is None:
        return Path.cwd().name
    return model.resolve().parent.name if model.stem == "model" else model.stem


def _relative(model: Path, folder: Path) -> str:
    """Return the model's path as seen from a folder; links on the way are followed, as opening the path does."""
    from opdeploy.errors import InputError

    target = model.parent.resolve() / model.name
    try:
        path = os.path.relpath(target, folder.resolve())
    except ValueError:  # on Windows: another drive
        path = str(target)
    path = path.replace(os.sep, "/")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(f"{model}: its name is not text (UTF-8), which a workload file is; rename it") from None
    return path


def _warn(model: Path, facts: ModelFacts) -> None:
    from opdeploy import ui

    if facts.lacks_onnx:
        ui.warn(f"{model}: only name and size were read; to read the rest: pip install onnx")
    if facts.generative:
        ui.warn(f"{model}: a generative model, which is out of scope: opdeploy will not rank platforms for it")


def _argument(file: Path) -> str:
    import shlex

    if file == DEFAULT:
        return ""
    return f" {'-- ' if str(file).startswith('-') else ''}{shlex.quote(str(file))}"
