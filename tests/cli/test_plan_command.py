"""`opdeploy plan --offline` and `apply` as processes: what they print, write and refuse."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nets import linear

from opdeploy.deploy.artefacts import KEPT
from tests.deploy.hostile import NAMES, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Opdeploy, Ran

    OneLine = Callable[[Ran], str]

GOLDEN = Path(__file__).with_name("golden_plans")
OFFLINE = ("plan", "--offline", "--target", "local")
FORMS = {"table": "txt", "json": "json", "markdown": "md"}
CHOSEN: dict[str, tuple[str, ...]] = {
    "digits": (),
    "public": ("--host", "0.0.0.0", "--port", "9000", "--name", "Digits_of_Forms", "--registry", "127.0.0.1:5000"),  # noqa: S104
    "machine": ("--target", "vm", "--set", "vm.host=box", "--set", "vm.gpu=true"),
}


@pytest.fixture(scope="module")
def digits(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the digits' workload file and model."""
    folder = tmp_path_factory.mktemp("digits")
    for name in ("workload.yaml", "model.onnx"):
        shutil.copy(root / "examples" / "digits" / name, folder)
    return folder


@pytest.fixture
def planned(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> Path:
    """Return the file of a plan."""
    path = tmp_path / "plan.json"
    ran = opdeploy(*OFFLINE, "--out", path, cwd=digits)
    assert (ran.code, ran.err) == (0, f"wrote {path}; carry it out with: opdeploy apply {path}\n")
    return path


def without_digests(text: str) -> str:
    """Return a plan in which every digest is the same: they change with every line of the server's code."""
    return re.sub(r"(?<=:)[0-9a-f]{12}\b", "0" * 12, re.sub(r"\b[0-9a-f]{64}\b", "0" * 64, text))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chosen", CHOSEN)
def test_a_plan_is_as_in_the_golden_file(
    pytestconfig: pytest.Config, opdeploy: Opdeploy, digits: Path, chosen: str, form: str
) -> None:
    """It prints what was last looked at and committed, on stdout alone; `pytest --update` writes it anew."""
    path = GOLDEN / f"{chosen}.{FORMS[form]}"
    ran = opdeploy(*OFFLINE, "-o", form, *CHOSEN[chosen], cwd=digits)
    assert (ran.code, ran.err) == (0, "")
    found = without_digests(ran.out)
    if pytestconfig.getoption("--update"):
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")


def test_golden_files_are_those_of_plans() -> None:
    """None is left of a plan that is not asked for any more."""
    names = {f"{chosen}.{suffix}" for chosen in CHOSEN for suffix in FORMS.values()}
    assert {path.name for path in GOLDEN.iterdir()} == names


def test_the_same_plan_has_the_same_bytes(opdeploy: Opdeploy, digits: Path) -> None:
    """Nothing in it hangs on chance or on the time."""
    first, *others = (
        opdeploy(*OFFLINE, "-o", "json", cwd=digits, PYTHONHASHSEED=seed, COLUMNS=width)
        for seed, width in (("0", "40"), ("1", "200"))
    )
    assert [*others] == [first]


def test_a_plan_is_written_as_it_is_printed(opdeploy: Opdeploy, digits: Path, planned: Path) -> None:
    """The file is the JSON; what is shown beside it is the plan in the form that was asked for."""
    printed = opdeploy(*OFFLINE, "-o", "json", cwd=digits)
    assert json.loads(planned.read_text(encoding="utf-8")) == printed.json


@pytest.mark.parametrize(
    ("out", "said"),
    [("none/plan.json", "there is no folder none; make it"), (".", "is a directory; name a file in it")],
    ids=["no folder", "a folder"],
)
def test_a_place_that_cannot_be_written_is_refused(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, out: str, said: str
) -> None:
    """With 2, before a plan is made."""
    ran = opdeploy(*OFFLINE, "--out", out, cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert said in one_line(ran)


def test_what_is_kept_belongs_into_no_repository(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """The artefact that a plan makes of an ONNX file is in a folder that git ignores, and is made once."""
    for name in ("workload.yaml", "model.onnx"):
        shutil.copy(digits / name, tmp_path)
    times = []
    for _ in range(2):
        assert opdeploy(*OFFLINE, "--state", "kept", cwd=tmp_path).code == 0
        (artefact,) = (tmp_path / "kept" / "artefacts").iterdir()
        times.append(artefact.stat().st_mtime_ns)
    assert (tmp_path / "kept" / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "*"
    assert times[0] == times[1]
    assert {path.name for path in tmp_path.iterdir()} == {"workload.yaml", "model.onnx", "kept"}


def test_few_artefacts_are_kept(opdeploy: Opdeploy, digits: Path, tmp_path: Path) -> None:
    """Each has a copy of its model: the oldest go."""
    shutil.copy(digits / "workload.yaml", tmp_path)
    kept: list[set[str]] = []
    for seed in range(KEPT + 2):
        linear(tmp_path / "model.onnx", seed=seed)
        ran = opdeploy(*OFFLINE, "--state", "kept", cwd=tmp_path)
        assert ran.code == 0, ran.err
        kept.append({path.name for path in (tmp_path / "kept" / "artefacts").iterdir()})
    assert [len(names) for names in kept] == [1, 2, 3, 3, 3]
    assert len(set.union(*kept)) == KEPT + 2


def test_changes_can_be_told_by_the_exit_code(opdeploy: Opdeploy, digits: Path) -> None:
    """With 6 where it is asked for, and the same plan."""
    plain, detailed = (opdeploy(*OFFLINE, *more, cwd=digits) for more in ((), ("--detailed-exitcode",)))
    assert (plain.code, detailed.code, detailed.err) == (0, 6, "")
    assert plain.out == detailed.out


@pytest.mark.parametrize("name", ["shell", "line", "folder", "unicode", "escape", "option", "nothing"])
def test_a_hostile_name_is_refused(opdeploy: Opdeploy, one_line: OneLine, digits: Path, name: str) -> None:
    """With 2 and one line, which steers no terminal."""
    ran = opdeploy(*OFFLINE, f"--name={NAMES[name]}", cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith("error: --name: ")
    assert one_line(ran).isprintable()


@pytest.mark.parametrize(
    ("option", "word"), [("--registry", "substitution"), ("--host", "shell"), ("--base-image", "line")]
)
def test_a_hostile_word_is_refused(opdeploy: Opdeploy, one_line: OneLine, digits: Path, option: str, word: str) -> None:
    """With 2 and one line: it would stand in a command of the README, or in a Dockerfile."""
    ran = opdeploy(*OFFLINE, f"{option}={WORDS[word]}", cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {option}")


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "no workload file": (("gone.yaml",), "gone.yaml: no such file; name a file that exists"),
    "a platform that is none": (("-t", "clouds"), "--target: no platform 'clouds'; valid: "),
    "a platform that is no target": (
        ("-t", "hdinsight"),
        (
            "--target: opdeploy does not deploy to hdinsight; valid: aci, aks-cpu, aks-gpu, container-apps, local, vm, "
            "webapp"
        ),
    ),
    "a port that is none": (("--port", "0"), "--port: must be at least 1, not 0"),
    "a folder without wheels": (("--wheels", "."), ".: has no wheel of "),
    "no time": (("--timeout", "0"), "--timeout"),
}


@pytest.mark.parametrize(("options", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_wrong_is_told(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, options: tuple[str, ...], said: str
) -> None:
    """With 2 and one line."""
    ran = opdeploy(*OFFLINE, *options, cwd=digits)
    assert (ran.code, ran.out) == (2, "")
    assert said in one_line(ran)


@pytest.mark.parametrize("command", ["plan", "deploy", "render"])
def test_what_is_retired_is_refused_with_what_to_take_instead(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, command: str
) -> None:
    """With 4, from the day on that its profile names."""
    more = {"plan": ("--offline",), "deploy": ("--yes",), "render": ("-d", "made")}[command]
    ran = opdeploy(command, "-t", "batch-ai", *more, cwd=digits)
    assert (ran.code, ran.out) == (4, "")
    assert one_line(ran) == "error: --target batch-ai: retired since 2019-03-31; take aml-batch or azure-batch"
    assert not (digits / "made").exists()


def test_a_folder_without_a_workload_is_told(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path) -> None:
    """With how to write one."""
    ran = opdeploy(*OFFLINE, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran) == (
        "error: workload.yaml: no such file; name a workload file, or write one with: opdeploy init"
    )


def changed(text: str, *at: str | int, value: object) -> str:
    """Return JSON with another value somewhere."""
    whole: Any = json.loads(text)
    inner = whole
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return json.dumps(whole)


DAMAGED: dict[str, Callable[[str], str]] = {
    "nothing": lambda _: "",
    "no JSON": lambda _: "steps:",
    "cut off": lambda text: text[: len(text) // 2],
    "another document": lambda _: '{"version": 4, "terraform_version": "1.9"}',
    "a list": lambda text: f"[{text}]",
    "another format": lambda text: changed(text, "format", value=2),
    "an unknown key": lambda text: changed(text, "more", value=1),
    "an unknown key of a step": lambda text: changed(text, "steps", 0, "shell", value="rm"),
    "an unknown action": lambda text: changed(text, "steps", 0, "action", value="destroy"),
    "no settings": lambda text: changed(text, "settings", value={}),
    "settings of another kind": lambda text: changed(text, "settings", "deploy", value={"local": {"port": "a"}}),
    "a hostile name": lambda text: changed(text, "settings", "deploy", "name", value=NAMES["shell"]),
    "a workload that is gone": lambda text: changed(text, "settings", "workload", value="gone.yaml"),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=list(DAMAGED))
def test_what_is_no_plan_is_not_carried_out(
    opdeploy: Opdeploy, one_line: OneLine, digits: Path, planned: Path, damage: Callable[[str], str]
) -> None:
    """With 2 and one line, before an engine is asked."""
    planned.write_text(damage(planned.read_text(encoding="utf-8")), encoding="utf-8")
    ran = opdeploy("apply", planned, cwd=digits, DOCKER_HOST="unix:///nowhere")
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith("error: ")


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_plan_that_cannot_be_read_is_told(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, name: str) -> None:
    """With 2 and one line."""
    ran = opdeploy("apply", name, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert one_line(ran).startswith(f"error: {name}: cannot be read: ")
