"""What can be set, by option and by variable; and what is refused, in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opdeploy.errors import InputError
from opdeploy.serving.settings import Settings, options, read
from tests.serving.servers import Server, ended, environment

MODEL = "--model=m.onnx"
KEY, OTHER = "first-key-of-many", "second-key-of-all"
DEFAULTS = Settings(
    model=Path("m.onnx"),
    name="m",
    version="1",
    host="127.0.0.1",
    port=8000,
    score_route="/score",
    live_route="/v2/health/live",
    ready_route="/v2/health/ready",
    threads=0,
    max_batch=0,
    max_delay=0,
    max_queue=256,
    max_wait=1,
    deadline=30,
    max_body=64_000_000,
    max_json=16_000_000,
    grace=20,
    drain=1,
    require_gpu=False,
    access_log=False,
)
OPTIONS: list[tuple[str, str, str, object]] = [
    ("model", "other/model.zip", "model", Path("other/model.zip")),
    ("name", "a.b_c-1", "name", "a.b_c-1"),
    ("version", "2", "version", "2"),
    ("host", "0.0.0.0", "host", "0.0.0.0"),  # noqa: S104 - what a container listens on
    ("host", "::1", "host", "::1"),
    ("port", "65535", "port", 65535),
    ("score-route", "/invocations", "score_route", "/invocations"),
    ("live-route", "/healthz", "live_route", "/healthz"),
    ("ready-route", "/a/b-c_d~e.f", "ready_route", "/a/b-c_d~e.f"),
    ("threads", "2", "threads", 2),
    ("max-batch", "1", "max_batch", 1),
    ("max-delay-ms", "2.5", "max_delay", 0.0025),
    ("max-queue", "10", "max_queue", 10),
    ("max-wait", "0.5", "max_wait", 0.5),
    ("deadline", "3", "deadline", 3),
    ("max-body-mb", "0.5", "max_body", 500_000),
    ("max-json-mb", "2", "max_json", 2_000_000),
    ("grace", "0", "grace", 0),
    ("drain", "0", "drain", 0),
    ("require-gpu", "true", "require_gpu", True),
    ("access-log", "1", "access_log", True),
]


def variable(option: str) -> str:
    """Return the environment variable of an option."""
    return "OPDEPLOY_" + option.upper().replace("-", "_")


def test_what_is_not_set_has_its_default() -> None:
    """Nothing but the model must be said."""
    assert read([MODEL], {}) == DEFAULTS
    assert read([], {"OPDEPLOY_MODEL": "m.onnx"}) == DEFAULTS
    assert read([MODEL], {variable(option): "" for option, *_ in OPTIONS}) == DEFAULTS


@pytest.mark.parametrize(("option", "text", "field", "value"), OPTIONS)
def test_each_option_may_be_a_variable(option: str, text: str, field: str, value: object) -> None:
    """The option and its variable mean the same, and the option goes before the variable."""
    model = [] if option == "model" else [MODEL]
    assert getattr(read([*model, f"--{option}={text}"], {}), field) == value
    assert getattr(read(model, {variable(option): text}), field) == value
    other = next(known.default for known in options() if known.name == option) or "other"
    assert getattr(read([*model, f"--{option}={text}"], {variable(option): other}), field) == value


def test_every_setting_is_tried_here() -> None:
    """The table above leaves none out."""
    assert {field for *_, field, _ in OPTIONS} == set(Settings.__dataclass_fields__) - {"keys"}


@pytest.mark.parametrize(
    "wrong",
    [
        "name=", "name=a/b", "name=.a", "name=a b", "version=a%20b", "host=localhost", "host=127.0.0.256", "port=0",
        "port=65536", "port=x", "port=٣", "port=-1", "threads=-1", "threads=1.5", "max-batch=x", "max-batch=12345678",
        "max-queue=0", "max-delay-ms=-1", "max-delay-ms=nan", "max-wait=inf", "deadline=1e3", "deadline=",
        "max-body-mb=x", "max-json-mb=1,5", "grace=-0.1", "drain=soon", "require-gpu=maybe", "access-log=yes",
        "score-route=score", "score-route=/", "score-route=", "score-route=/a/", "score-route=/a b", "score-route=//a",
        "score-route=/../a", "score-route=/a?b", "live-route=/%41", "ready-route=/ä",
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(wrong: str) -> None:
    """Names fit a URL, ports and addresses are real, and numbers are numbers; the message names option or variable."""
    option, _, value = wrong.partition("=")
    with pytest.raises(InputError, match=f"--{option}"):
        read([MODEL, f"--{wrong}"], {})
    if value:
        with pytest.raises(InputError, match=variable(option)):
            read([MODEL], {variable(option): value})


def test_what_kubernetes_says_of_a_service_is_no_port() -> None:
    """Beside a Service named opdeploy, pods have its address in OPDEPLOY_PORT."""
    assert read([MODEL], {"OPDEPLOY_PORT": "tcp://10.0.0.1:8000"}).port == 8000


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "--model is missing"),
        ([MODEL, "--max-bat=3"], "--max-bat: there is no such option"),
        ([MODEL, f"--api-keys={KEY}"], "--api-keys: there is no such option"),
        ([MODEL, "--port"], "--port: expected one argument"),
        (["--model=my model.onnx"], "give one with --name"),
        (["--model=modèle.onnx"], "give one with --name"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], why: str) -> None:
    """What is missing or unknown is named, and no value that may be a secret is repeated."""
    with pytest.raises(InputError, match=why) as caught:
        read(arguments, {})
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["/v2", "/v2/models", "/v2/models/m", "/v2/models/m/infer", "/v2/models/other/ready", "/metrics", "/version",
     "/openapi.json"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["score", "live", "ready"])
def test_a_route_may_not_hide_one_of_the_servers_own(kind: str, path: str) -> None:
    """Routes that are set are beside the fixed ones."""
    with pytest.raises(InputError, match=f"--{kind}-route: {path} is a path of the server itself"):
        read([MODEL, f"--{kind}-route={path}"], {})


@pytest.mark.parametrize(
    "routes",
    [
        ["--score-route=/v2/health/live", "--live-route=/healthz"],
        ["--score-route=/v2/health/ready", "--ready-route=/ping"],
        ["--live-route=/v2/health/ready", "--ready-route=/ping"],
        ["--score-route=/a", "--live-route=/a"],
        ["--live-route=/a", "--ready-route=/a"],
        ["--live-route=/score"],
    ],
)
def test_routes_differ(routes: list[str]) -> None:
    """One path has one meaning, and the protocol's health paths keep theirs."""
    with pytest.raises(InputError, match=r"are to differ|is a path of the server itself"):
        read([MODEL, *routes], {})


@pytest.mark.parametrize(
    ("variables", "file", "keys"),
    [
        ({}, None, ()),
        ({"OPDEPLOY_API_KEYS": KEY}, None, (KEY,)),
        ({"OPDEPLOY_API_KEYS": f" {KEY} , {OTHER},{KEY}"}, None, (KEY, OTHER)),
        ({}, f"{KEY}\n\n  {OTHER}\r\n", (KEY, OTHER)),
        ({"OPDEPLOY_API_KEYS": KEY}, OTHER, (KEY, OTHER)),
    ],
)
def test_api_keys_come_from_a_variable_and_a_file(
    variables: dict[str, str], file: str | None, keys: tuple[str, ...], tmp_path: Path
) -> None:
    """Several may be valid at a time, so that they can be rotated; blanks around them do not count."""
    if file is not None:
        (tmp_path / "keys").write_text(file)
        variables = variables | {"OPDEPLOY_API_KEYS_FILE": str(tmp_path / "keys")}
    assert read([MODEL], variables).keys == keys


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("OPDEPLOY_API_KEYS", "", "gives no API key"),
        ("OPDEPLOY_API_KEYS", " , ", "gives no API key"),
        ("OPDEPLOY_API_KEYS", "secret", "API key 1 is too short"),
        ("OPDEPLOY_API_KEYS", f"{KEY},a secret with blanks", "API key 2 is too short or has blanks"),
        ("OPDEPLOY_API_KEYS", "zwölf-zwölf-zwölf", "printable ASCII"),
        ("OPDEPLOY_API_KEYS_FILE", "\n", "gives no API key"),
        ("OPDEPLOY_API_KEYS_FILE", "secret", "too short"),
        ("OPDEPLOY_API_KEYS_FILE", None, "No such file"),
    ],
)
def test_api_keys_that_protect_nothing_are_refused(variable: str, text: str | None, why: str, tmp_path: Path) -> None:
    """Where keys are named but there are none, or they can be guessed, the server does not start; none is shown."""
    file = tmp_path / "keys"
    if variable.endswith("FILE") and text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=why) as caught:
        read([MODEL], {variable: str(file) if variable.endswith("FILE") else text or ""})
    assert "secret" not in str(caught.value)
    assert "zwölf" not in str(caught.value)


def test_a_file_of_keys_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """The message names the file and the variable."""
    (tmp_path / "keys").write_bytes(b"\xff" * 20)
    with pytest.raises(InputError, match="not UTF-8; check OPDEPLOY_API_KEYS_FILE"):
        read([MODEL], {"OPDEPLOY_API_KEYS_FILE": str(tmp_path / "keys")})


@pytest.mark.parametrize(
    ("arguments", "variables", "why"),
    [
        (["--port=x"], {}, "--port"),
        ([], {"OPDEPLOY_MAX_QUEUE": "0"}, "OPDEPLOY_MAX_QUEUE"),
        (["--score-route=/metrics"], {}, "/metrics"),
        ([], {"OPDEPLOY_API_KEYS": ""}, "OPDEPLOY_API_KEYS: gives no API key"),
        ([], {"OPDEPLOY_API_KEYS_FILE": "/"}, "cannot be read: Is a directory"),
    ],
)
def test_a_wrong_setting_ends_the_start(arguments: list[str], variables: dict[str, str], why: str) -> None:
    """The exit code is 2, and stderr has one line."""
    done = ended(MODEL, *arguments, **variables)
    assert (done.code, done.out) == (2, "")
    assert why in done.why


def test_help_shows_no_value_of_the_environment() -> None:
    """`--help` tells of every option and variable, and never what is set."""
    command = [sys.executable, "-m", "opdeploy.serving", "--help"]
    told = environment({"OPDEPLOY_API_KEYS": KEY, "OPDEPLOY_MODEL": "/private/model"})
    done = subprocess.run(command, check=True, capture_output=True, env=told, text=True)
    assert all(f"--{option} " in done.stdout for option, *_ in OPTIONS)
    assert "OPDEPLOY_API_KEYS_FILE" in done.stdout
    assert KEY not in done.stdout
    assert "private" not in done.stdout


def test_a_port_in_use_ends_the_start(echo: Server, echo_model: Path) -> None:
    """A second server on a port is refused; without that, the two would share the requests silently."""
    done = ended(f"--model={echo_model}", f"--port={echo.port}")
    assert done.code == 2
    assert done.why == (
        f"127.0.0.1 port {echo.port}: cannot listen there: Address already in use; "
        "choose another with --port or OPDEPLOY_PORT, or stop what listens there"
    )


@pytest.mark.parametrize(
    ("host", "why"),
    [("192.0.2.1", "Cannot assign requested address"), ("::1%nowhere", "Name or service not known")],
)
def test_an_address_that_this_machine_has_not_ends_the_start(host: str, why: str) -> None:
    """The message says what can be done about it; the first is one that documentation has for itself (RFC 5737)."""
    done = ended(MODEL, f"--host={host}")
    assert done.code == 2
    assert done.why == (
        f"{host} port 8000: cannot listen there: {why}; "
        "choose another with --host and --port, or OPDEPLOY_HOST and OPDEPLOY_PORT"
    )
