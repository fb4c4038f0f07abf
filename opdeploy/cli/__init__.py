"""The command line: thin, and quick to start. Each command imports what it needs when it runs."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import typer.exceptions

from opdeploy import __version__
from opdeploy.errors import InputError, OpdeployError

if TYPE_CHECKING:
    from collections.abc import Iterable

INTERRUPTED = 130
_EXTRAS = {
    **dict.fromkeys(("msgspec", "numpy", "onnx", "onnxruntime", "psutil", "sympy"), "model"),
    **dict.fromkeys(("docker", "granian", "httptools", "multipart", "orjson", "prometheus_client"), "local"),
}
"""The extra of each package without which no model is worked with, and nothing is served or deployed."""
_STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

_COMMANDS = {
    "init": "init:init",
    "recommend": "recommend:recommend",
    "heatmap": "heatmap:heatmap",
    "continuum": "continuum:continuum",
    "platforms": "platforms:platforms",
    "docs": "docs:docs",
    "compare": "compare:compare",
    "prices": "prices:app",
    "schema": "schema:schema",
    "try": "trying:try_model",
    "model": "model:app",
    "test-local": "test_local:try_locally",
    "doctor": "doctor:doctor",
    "render": "render:render",
    "plan": "plan:plan",
    "deploy": "deploy:deploy",
    "apply": "plan:apply",
    "status": "deployments:status",
    "list": "deployments:list_",
    "logs": "deployments:logs",
    "score": "deployments:score",
    "history": "deployments:history",
    "diff": "deployments:diff",
    "rollback": "deploy:rollback",
    "remove": "deploy:remove",
}
"""Module and function, or group, of each command, in the order of the help."""


def app(names: Iterable[str] = tuple(_COMMANDS)) -> typer.Typer:
    """Return the command line with these commands: to build all takes longer than most of them do."""
    made = typer.Typer(
        name="opdeploy",
        rich_markup_mode=None,  # rich's help takes 127 ms instead of 56 (measured 2026-11-23)
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    for name in names:
        module, _, member = _COMMANDS[name].partition(":")
        found = getattr(import_module(f"opdeploy.cli.{module}"), member)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(found)
    return made


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=lambda value: _version(wanted=value), is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show a traceback when something fails; works in any place.")
    ] = False,
) -> None:
    """Recommend where a trained model should run, from batch to real time, and say why."""


def main(argv: list[str] | None = None) -> None:
    """Run a command, and exit with its code; errors are one line, unless `--debug` asks for the traceback."""
    for stop in _STOPS:  # as an exit, so that what was begun is cleared away
        if signal.getsignal(stop) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(stop, lambda number, _: sys.exit(128 + number))
    gc.disable()  # a command is short, and collecting while modules load is wasted
    # No plugin is used, and looking for some reads the metadata of every package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # A closed stream (`>&-`) is None, and takes what is printed without a word.
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # where an encoding lacks a character, the rest is still worth reading
    arguments = sys.argv[1:] if argv is None else argv
    wanted = [argument for argument in arguments if argument != "--debug"]
    sys.exit(_run(wanted or ["--help"], debug=len(wanted) < len(arguments)))


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        names = [arguments[0]] if arguments[0] in _COMMANDS else _COMMANDS
        code = app(names)(args=arguments, prog_name="opdeploy", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer swallows the interrupt itself
            raise KeyboardInterrupt  # noqa: TRY301
    except BrokenPipeError:
        return _closed_pipe()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the last resort: a person gets a line, not a traceback
        if debug:
            import traceback

            traceback.print_exc()
        from opdeploy import ui

        message, code = _explained(error)
        ui.error(message)
    return code if isinstance(code, int) else 0


def _explained(error: BaseException) -> tuple[str, int]:
    """Return the line that tells a person what went wrong, and the exit code."""
    match error:
        case OpdeployError():
            return str(error), error.exit_code
        case typer.exceptions.TyperException():
            context = getattr(error, "ctx", None)
            command = context.command_path if context else "opdeploy"
            return f"{error.format_message().rstrip('.')} (see {command} --help)", error.exit_code
        case ModuleNotFoundError() if extra := _EXTRAS.get(str(error.name).partition(".")[0]):
            return f"the package {error.name} is missing; pip install 'opdeploy[{extra}]'", InputError.exit_code
        case KeyboardInterrupt() | typer.Abort():
            return "interrupted", INTERRUPTED
        case OSError():
            return f"{error.filename or 'output'}: {error.strerror or error}; check that it can be written", 1
        case _:
            fault = f"{type(error).__name__}: {error}"
            return f"{fault}; this is a fault of opdeploy: run again with --debug and report it", 1


def _closed_pipe() -> int:
    """Leave quietly when the reader of our output has gone (`opdeploy … | head`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
