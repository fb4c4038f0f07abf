"""What the server is told: options, each of which an environment variable may set instead, and the API keys."""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LAST_PORT = 65535
_PREFIX = "OPDEPLOY_"
_LEAST_KEY = 16
"""Characters: a key that is shorter can be guessed."""
_FIXED = ("/v2", "/v2/models", "/metrics", "/version", "/openapi.json")
"""Paths that a setting may not take."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set; docs/serving.md says what each is for."""

    model: Path
    name: str | None
    version: str
    host: str
    port: int
    score_route: str
    live_route: str
    ready_route: str
    threads: int
    max_batch: int
    max_delay: float
    """Seconds."""
    max_queue: int
    max_wait: float
    """Seconds."""
    deadline: float
    """Seconds."""
    max_body: int
    """Bytes."""
    max_json: int
    """Bytes."""
    grace: float
    """Seconds."""
    drain: float
    """Seconds."""
    require_gpu: bool
    access_log: bool
    keys: tuple[str, ...] = ()


def read(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a command line and an environment.

    Raises InputError for a wrong option, and for API keys that are no good.
    """
    told = parsed(_program(), argv, environ)
    if told["model"] is None:
        raise InputError("--model is missing; name an artefact or an ONNX file")
    if told["name"] is None and told["model"].suffix == ".onnx":
        told["name"] = _stem(told["model"])
    told["host"] = str(told["host"])
    told["max_delay"] = told.pop("max_delay_ms") / 1000
    for name in ("max_body", "max_json"):
        told[name] = int(told.pop(f"{name}_mb") * 1_000_000)
    _check_routes(**{name: told[f"{name}_route"] for name in ("score", "live", "ready")})
    return Settings(**told, keys=_keys(environ))


class Option(NamedTuple):
    """One thing that can be set, as `--name` or in a variable of the environment."""

    name: str
    kind: Callable[[str], object]
    """Makes its value of a text; raises ArgumentTypeError for a wrong one."""
    default: str | None
    text: str


def options() -> tuple[Option, ...]:
    """Return everything that can be set, but for the API keys."""
    return (
        Option("model", Path, None, "an artefact, folder or file, or an ONNX file"),
        Option("name", _name, None, "the model's name in the URL; without it the artefact's, or the file's"),
        Option("version", _name, "1", "the model's version in the URL"),
        Option("host", ipaddress.ip_address, "127.0.0.1", "the address to listen on"),
        Option("port", port, "8000", "the port to listen on"),
        Option("score-route", _route, "/score", "where records are scored"),
        Option("live-route", _route, "/v2/health/live", "one more path that tells whether the process lives"),
        Option("ready-route", _route, "/v2/health/ready", "one more path that tells whether the model is ready"),
        Option(
            "threads", _count, "0", "threads of one run; 0 for what the artefact says, else the processors there are"
        ),
        Option(
            "max-batch", _count, "0", "records in one run at most; 1 for no batching, 0 for the knee measured, or 32"
        ),
        Option("max-delay-ms", seconds, "0", "how long a record waits for others to share its run, in milliseconds"),
        Option("max-queue", _positive, "256", "requests under way at most; those past it get 503"),
        Option(
            "max-wait", seconds, "1", "seconds that a request may be expected to wait for its run, before it gets 503"
        ),
        Option("deadline", seconds, "30", "seconds that a request may take, its body included"),
        Option("max-body-mb", seconds, "64", "size of a body, in MB"),
        Option("max-json-mb", seconds, "16", "size of the JSON in a body, in MB; larger tensors go in binary"),
        Option("grace", seconds, "20", "seconds that requests have to end after SIGTERM"),
        Option("drain", seconds, "1", "seconds after SIGTERM in which the server still accepts, no longer ready"),
        Option("require-gpu", _switch, "false", "true: end with an error where no GPU runs the model"),
        Option("access-log", _switch, "false", "true: a log line for each request, and not for errors alone"),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, and not how everything is used."""
        raise InputError(f"{message}; --help tells of each option")


class Program(NamedTuple):
    """What a command line is for."""

    name: str
    description: str
    more: str
    """What follows the options in its help."""
    options: Sequence[Option]


def parsed(program: Program, argv: Sequence[str] | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of each option, by its name, of a command line and an environment; raises InputError."""
    parser = _Parser(prog=program.name, description=program.description, epilog=program.more, allow_abbrev=False)
    for option in program.options:
        shown = f" (default: {option.default})" if option.default else ""
        default = _of_environment(option, environ) or option.default
        parser.add_argument(
            f"--{option.name}", type=option.kind, default=default, metavar="X", help=option.text + shown
        )
    found, unknown = parser.parse_known_args(argv)
    if unknown:
        # Its name alone: what was meant for a key must not get into the log.
        raise InputError(f"{unknown[0].partition('=')[0]}: there is no such option; --help tells of each")
    return vars(found)


def _program() -> Program:
    return Program(
        "python -m opdeploy.serving",
        "Serve one model over HTTP, by the Open Inference Protocol.",
        f"Each option may be given as an environment variable: --max-batch as {_PREFIX}MAX_BATCH. API keys come "
        f"from {_PREFIX}API_KEYS (with commas between them) or the file {_PREFIX}API_KEYS_FILE (one in each line).",
        options(),
    )


def _of_environment(option: Option, environ: Mapping[str, str]) -> str | None:
    """Return what the environment says; raises InputError, with the variable's name, for what is wrong."""
    name = _PREFIX + option.name.upper().replace("-", "_")
    told = environ.get(name)
    # Kubernetes tells the pods beside a Service named opdeploy its address in OPDEPLOY_PORT: tcp://10.0.0.1:8000.
    if not told or told.startswith("tcp://"):
        return None
    try:
        option.kind(told)
    except (argparse.ArgumentTypeError, ValueError) as error:
        raise InputError(f"{name}: {error}; --help tells of each option") from None
    return told


def _check_routes(score: str, live: str, ready: str) -> None:
    """Raise InputError where a route that was set would take the place of another."""
    own = {"score": score, "live": live, "ready": ready}
    if len(set(own.values())) < len(own):
        raise InputError(f"the routes {', '.join(own.values())} are to differ; give each its own")
    fixed = {"/v2/health/live": "live", "/v2/health/ready": "ready"}
    for name, path in own.items():
        if path in _FIXED or path.startswith("/v2/models/") or fixed.get(path, name) != name:
            raise InputError(f"--{name}-route: {path} is a path of the server itself; give another")


def _stem(model: Path) -> str:
    try:
        return _name(model.stem)
    except argparse.ArgumentTypeError:
        raise InputError(f"{model}: the file's name cannot be a model's in a URL; give one with --name") from None


def _keys(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the API keys; the messages say which, by its place, and never what it is."""
    variables = (f"{_PREFIX}API_KEYS", f"{_PREFIX}API_KEYS_FILE")
    lines = environ.get(variables[0], "").replace(",", "\n")
    if file := environ.get(variables[1]):
        try:
            lines += "\n" + Path(file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InputError(f"{file}: the API keys cannot be read: {why}; check {variables[1]}") from None
    keys = tuple(dict.fromkeys(key for line in lines.splitlines() if (key := line.strip())))
    # A key that got lost on its way must not mean that none is needed.
    if not keys and (named := [name for name in variables if name in environ]):
        raise InputError(f"{named[0]}: gives no API key; give one, or unset it")
    for place, key in enumerate(keys, 1):
        check_key(key, f"API key {place}")
    return keys


def check_key(key: str, what: str) -> None:
    """Raise InputError for an API key that can be guessed, or that no header carries; the message does not tell it."""
    if len(key) < _LEAST_KEY or not re.fullmatch(r"[\x21-\x7e]+", key):
        raise InputError(f"{what} is too short or has blanks; take {_LEAST_KEY} or more printable ASCII characters")


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits, '.', '_' and '-' only")
    return text


def _route(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text) or "/." in text:
        raise argparse.ArgumentTypeError(f"{text!r}: a path such as /score, of letters, digits, '.', '_', '~' and '-'")
    return text


def port(text: str) -> int:
    """Return the port that a text is; raises ArgumentTypeError."""
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r}: a port is a number from 1 to {_LAST_PORT}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > len("1000000"):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, not negative, up to 7 digits")
    return int(text)


def _positive(text: str) -> int:
    if not _count(text):
        raise argparse.ArgumentTypeError(f"{text!r}: a whole number, at least 1")
    return int(text)


def seconds(text: str) -> float:
    """Return the number, not negative, that a text is; raises ArgumentTypeError."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        raise argparse.ArgumentTypeError(f"{text!r}: a number such as 0.5, not negative")
    return float(text)


def _switch(text: str) -> bool:
    if text.lower() not in {"true", "false", "1", "0"}:
        raise argparse.ArgumentTypeError(f"{text!r}: true or false")
    return text.lower() in {"true", "1"}
