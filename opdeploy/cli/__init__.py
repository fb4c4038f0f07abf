"""The command line: thin, and quick to start. Each command imports what it needs when it runs."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.exceptions

from opdeploy import __version__
from opdeploy.cli import compare, continuum, docs, heatmap, init, model, platforms, recommend, schema, test_local
from opdeploy.errors import InputError, OpdeployError

INTERRUPTED = 130
_OF_MODELS = {"msgspec", "numpy", "onnx", "onnxruntime", "psutil", "sympy"}
"""Packages of the extra `model`, without which no model is worked with."""
_STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]

app = typer.Typer(
    name="opdeploy",
    rich_markup_mode=None,  # rich's help takes 127 ms instead of 56 (measured 2026-11-23)
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("recommend")(recommend.recommend)
app.command("heatmap")(heatmap.heatmap)
app.command("continuum")(continuum.continuum)
app.command("platforms")(platforms.platforms)
app.command("docs")(docs.docs)
app.command("compare")(compare.compare)
app.command("schema")(schema.schema)
app.command("test-local")(test_local.try_locally)
app.add_typer(model.app, name="model")


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
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
        code = app(args=arguments, prog_name="opdeploy", standalone_mode=False)
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
        case ModuleNotFoundError() if str(error.name).partition(".")[0] in _OF_MODELS:
            return f"the package {error.name} is missing; pip install 'opdeploy[model]'", InputError.exit_code
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
