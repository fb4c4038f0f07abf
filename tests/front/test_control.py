"""The front's commands: who may give them, what is refused, and that they start fast."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from opdeploy.serving.front.settings import SERVE
from tests.front.fronts import MODULE, Front, answering, command, fronting, ok
from tests.serving.servers import HOST, SECONDS, environment, free_port, log_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

IMPORTED = """
import sys
from opdeploy.serving.front.__main__ import main
assert main(sys.argv[1:]) == 0
print(sorted({"asyncio", "granian", "httptools", "msgspec", "numpy", "onnxruntime", "orjson"} & set(sys.modules)))
"""


@pytest.fixture(scope="module")
def proxy() -> Iterator[Front]:
    """Run a front without a server."""
    with fronting() as front:
        yield front


def told(proxy: Front, line: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Write to the front's socket, and return what it answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        connection.connect(str(proxy.state / "control"))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").readline()
    return json.loads(answer) if answer else None


def test_only_its_owner_opens_the_socket(proxy: Front) -> None:
    """It is a socket, for nobody else."""
    mode = (proxy.state / "control").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"no JSON\n", b"[]\n", b"{}\n", b'{"command": "end"}\n', b"\xff\n", b'{"command": "switch"}\n',
        b'{"command": "switch", "to": 5, "grace": 1}\n', b'{"command": "switch", "to": "a:80", "grace": "1"}\n',
        b'{"command": "switch", "to": "a:80", "grace": NaN}\n', b'{"command": "switch", "to": "a:80", "grace": -1}\n',
        b'{"command": "switch", "to": "a:80", "grace": 1e9}\n', b"[" * 10_000 + b"\n", b"x" * 100_000 + b"\n",
    ],
)  # fmt: skip
def test_what_is_no_command(proxy: Front, line: bytes) -> None:
    """It changes nothing, and is told why where there is somebody to tell."""
    answer = told(proxy, line)
    assert answer is None or list(answer) == ["error"]
    assert told(proxy, b'{"command": "show"}\n') == {"upstream": None, "under_way": 0}


@pytest.mark.parametrize(
    "to", ["", "host", "host:", ":80", "host:0", "host:65536", "a b:80", "a:80\n", "http://a:80", "-a:80", "a:8\u0660"]
)
def test_an_address_that_is_none(proxy: Front, to: str) -> None:
    """One line on stderr, exit code 1, nothing changed."""
    said = command("switch", f"--state={proxy.state}", f"--to={to}")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("the front refuses: ")
    assert said.err.count("\n") == 1
    assert proxy.show()["upstream"] is None


@pytest.mark.parametrize(
    "to", ["model-2:8000", "my_model.example.:1", "10.0.0.1:65535", "[::1]:8000", "[fe80::1.2.3.4]:1"]
)
def test_addresses(front: Callable[..., Front], to: str) -> None:
    """Names and addresses of a network, which are not looked up before a request comes."""
    proxy = front()
    assert command("switch", f"--state={proxy.state}", f"--to={to}").json["upstream"] == to
    assert proxy.show()["upstream"] == to


@pytest.mark.parametrize("name", ["nobody.invalid", "nobody..invalid", "n" * 100])
def test_a_name_that_nobody_knows(front: Callable[..., Front], name: str) -> None:
    """502, and why is in the log."""
    proxy = front()
    command("switch", f"--state={proxy.state}", f"--to={name}:80")
    assert proxy.request("GET", "/").status == 502
    assert proxy.log()[-1]["upstream"] == f"{name}:80"


def test_a_state_that_cannot_be_written_refuses_the_switch(front: Callable[..., Front]) -> None:
    """Requests go where they went."""
    with answering(ok()) as server:
        proxy = front(to=server.port)
        (proxy.state / "upstream.new").mkdir()
        said = proxy.switch(free_port())
        assert (said.code, said.err.count("\n")) == (1, 1)
        assert "upstream.new" in said.err
        assert proxy.request("GET", "/").status == 200
        assert (proxy.state / "upstream").read_text() == f"{HOST}:{server.port}\n"


def test_without_a_front_a_command_says_so(tmp_path: Path) -> None:
    """One line, exit code 1; and with a socket that nobody listens on."""
    for _ in range(2):
        for said in (command("show", f"--state={tmp_path}"), command("switch", f"--state={tmp_path}", "--to=a:80")):
            assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
            assert "no front answers there" in said.err
        with socket.socket(socket.AF_UNIX) as left:
            (tmp_path / "control").unlink(missing_ok=True)
            left.bind(str(tmp_path / "control"))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["show"], "--state is missing"), (["switch", "--to=a:80"], "--state is missing"),
        (["switch", "--state=x"], "--to is missing"),
        (["switch", "--state=x", "--to=a:80", "--grace=-1"], "--grace"), (["show", "--to=x"], "no such option"),
    ],
)  # fmt: skip
def test_a_command_that_is_wrong(arguments: list[str], why: str) -> None:
    """One line, exit code 2."""
    said = command(*arguments)
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert why in said.err


def test_commands_start_fast(proxy: Front) -> None:
    """They import nothing that is large."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, "show", f"--state={proxy.state}"],
        capture_output=True, check=True, env=environment({}), text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


def fails(tmp_path: Path, *arguments: str, **variables: str) -> str:
    """Run a front that does not start, and return the one line that it says."""
    with (tmp_path / "log").open("w+b") as stderr:
        done = subprocess.run(
            [*MODULE, *arguments], check=False, env=environment(variables), stderr=stderr, timeout=SECONDS
        )
        assert done.returncode == 2
        (line,) = log_of(stderr)
    return str(line["message"])


def test_the_options_are_documented(root: Path) -> None:
    """The table in docs/serving.md has each with its default and what it is for."""
    text = (root / "docs" / "serving.md").read_text(encoding="utf-8")
    for option in SERVE.options:
        default = f"`{option.default}`" if option.default else ""
        assert f"| `--{option.name}` | {default} | {option.text} |\n" in text.partition("## The front")[2]


def test_two_fronts_do_not_share_a_folder(proxy: Front, tmp_path: Path) -> None:
    """The second does not start, and the first has its socket still."""
    assert "another front runs with this folder" in fails(tmp_path, f"--state={proxy.state}", f"--port={free_port()}")
    assert proxy.show()["upstream"] is None


def test_a_front_that_cannot_start(proxy: Front, tmp_path: Path) -> None:
    """One line says why: a port that is taken, by option or variable, no folder, an option that is wrong."""
    state = f"--state={tmp_path}"
    assert "in use" in fails(tmp_path, state, f"--port={proxy.port}")
    assert "in use" in fails(tmp_path, state, OPDEPLOY_PORT=str(proxy.port))
    assert not (tmp_path / "control").exists()
    assert "there is no such folder" in fails(tmp_path, f"--state={tmp_path}/none")
    assert "--state is missing" in fails(tmp_path)
    assert "no such option" in fails(tmp_path, state, "--model=x")
    assert "--timeout" in fails(tmp_path, state, "--timeout=0")
    (tmp_path / "control").write_text("no socket")
    assert "in use" in fails(tmp_path, state, f"--port={free_port()}")
    assert (tmp_path / "control").read_text() == "no socket"
