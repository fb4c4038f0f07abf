"""What all tests share: the `--update` option, and opdeploy as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from xdist.remote import Producer

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # for tests that import ONNX Runtime and nothing of opdeploy

SECONDS = 300.0
"""After which a command counts as one that never ends: converting a network takes 12 s, and 60 beside five others."""
ON_DOCKER = {
    "tests/azure/test_vm.py",
    "tests/cli/test_test_local_docker.py",
    "tests/deploy/test_endpoint_load.py",
    "tests/deploy/test_failures.py",
    "tests/deploy/test_killed.py",
    "tests/deploy/test_on_docker.py",
    "tests/deploy/test_over_ssh.py",
    "tests/deploy/test_together.py",
    "tests/local/test_container.py",
}
ON_CLUSTER = {
    "tests/deploy/test_cluster_failures.py",
    "tests/deploy/test_cluster_killed.py",
    "tests/deploy/test_cluster_rights.py",
    "tests/deploy/test_cluster_settings.py",
    "tests/deploy/test_on_cluster.py",
}
ALL_ON_DOCKER = ("tests/image/", "tests/deploy/test_engine_")
APART = {"tests/azure/test_broken_deployments.py"}
"""Files whose tests share nothing, and take a minute or more each."""
_MANY = 12
"""Other slow tests that take as long as one of them, roughly."""
DECIDES_LOOKS = (
    "CLICOLOR",
    "COLUMNS",
    "FORCE_COLOR",
    "GITHUB_ACTIONS",
    "NO_COLOR",
    "PYTHONHASHSEED",
    "PYTHONPATH",
    "TTY_",
)
"""Starts of the variables that change what a command prints; a test sets those that it is about."""


RUN_MANY = """
import contextlib, io, json, sys
from opdeploy.cli import main
for arguments in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
        main(arguments)
    print(json.dumps(out.getvalue()))
"""


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  any JSON value
        """What it printed, as JSON."""
        return json.loads(self.out)


class Opdeploy(Protocol):
    """Runs the command `opdeploy`."""

    def __call__(self, *arguments: str | Path, cwd: Path | None = None, **variables: str) -> Ran:
        """Run it with these arguments and environment variables, in a folder."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--update`."""
    parser.addoption("--update", action="store_true", help="write the golden files anew instead of comparing")


class TogetherOrApart(LoadScopeScheduling):
    """Keeps the tests of a file in one process, and those of the Docker engine and of the cluster.

    The former look at all that the engine has, and the cluster has room for few pods.
    Marks of groups (`--dist loadgroup`) would do it, but pytest-xdist 3.8.0 loses them with pytest 9.2.0.
    """

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid)


def shared_by(nodeid: str) -> str:
    """Return a name that the tests have in common which share a process with this one."""
    file = nodeid.partition("::")[0]
    if file in APART:
        return nodeid
    if file in ON_CLUSTER:
        return "cluster"
    return "docker" if file in ON_DOCKER or file.startswith(ALL_ON_DOCKER) else file


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes minutes first, so that no process is busy with it when all others have ended."""
    slow: Counter[str] = Counter()
    for item in items:
        if item.get_closest_marker("slow"):
            shared = shared_by(item.nodeid)
            slow[shared] += _MANY if shared == item.nodeid else 1
    items.sort(key=lambda item: -slow[shared_by(item.nodeid)])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TogetherOrApart:
    """Say which tests share a process, where there are several."""
    return TogetherOrApart(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Let interrupts end things; where CI is set, draw the same examples every time, and refuse `--update`.

    Nobody would look at what that wrote.
    """
    # A shell has interrupts ignored by what it runs in the background, and so by all that this starts: what tests
    # interrupt would never end.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.register_profile("ci", derandomize=True)
    if os.environ.get("CI"):
        settings.load_profile("ci")
    if config.getoption("--update") and os.environ.get("CI"):
        raise pytest.UsageError("--update is for a person who reads the difference: it is refused where CI is set")


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without what decides how output looks, and with the given variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DECIDES_LOOKS)}
    return kept | {"TERM": "xterm-256color"} | variables


@pytest.fixture(scope="session")
def clean() -> Callable[..., dict[str, str]]:
    """Return the function that makes a command's environment."""
    return environment


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the top of the checkout."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def program() -> str:
    """Return the path of the command: the one beside this interpreter."""
    return str(Path(sys.executable).with_name("opdeploy"))


@pytest.fixture(scope="session")
def opdeploy(program: str) -> Opdeploy:
    """Return a function that runs the command."""

    def run(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> Ran:
        done = subprocess.run(
            [program, *map(str, arguments)],
            capture_output=True,
            check=False,
            cwd=cwd,
            encoding="utf-8",
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            timeout=SECONDS,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def many(clean: Callable[..., dict[str, str]]) -> Callable[..., list[str]]:
    """Return a function that runs the command many times in one process, and gives what each run printed."""

    def run(commands: Iterable[list[str]], **variables: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", RUN_MANY],
            capture_output=True,
            check=True,
            encoding="utf-8",
            env=clean(**variables),
            input=json.dumps(list(commands)),
            timeout=120,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | dict[str, Any]], Path]:
    """Return a function that writes a workload file: text as it is, a mapping as JSON, which is YAML too."""

    def write_file(content: str | dict[str, Any]) -> Path:
        path = tmp_path / "workload.yaml"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write_file


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were skipped where none may be."""
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line(
            "no test may be skipped where CI is set: what it needs has to be brought up", red=True
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which a test was skipped, where CI is set."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
