"""`opdeploy init` where nobody answers: what it writes, and what it refuses."""

from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from onnx import TensorProto, helper

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Opdeploy, Ran

    OneLine = Callable[[Ran], str]

PATTERNS = ["request-response", "stream", "scheduled-batch", "triggered-batch", "in-database", "on-device"]


def says(value: object) -> bool:
    """Tell whether a part of the file says something: a section may hold others that are empty."""
    return any(map(says, value.values())) if isinstance(value, dict) else value is not None


def written(path: Path) -> dict[str, Any]:
    """Return what is set in a workload file."""
    value: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {key: item for key, item in value.items() if says(item)}


@pytest.fixture
def digits(root: Path, tmp_path: Path) -> Path:
    """Return a copy of the digits model."""
    path = tmp_path / "digits.onnx"
    path.write_bytes((root / "examples" / "digits" / "model.onnx").read_bytes())
    return path


def test_without_a_model_the_file_has_a_name_and_a_pattern(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """The name is the folder's; where nobody is on a terminal, nothing is asked."""
    folder = tmp_path / "My Project"
    folder.mkdir()
    assert opdeploy("init", cwd=folder) == type(opdeploy("--version"))(
        0, "", "wrote workload.yaml\nnext: opdeploy recommend\n"
    )
    assert written(folder / "workload.yaml")["name"] == "my-project"
    assert written(folder / "workload.yaml")["serving"]["pattern"] == "request-response"


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_it_writes_is_what_recommend_reads(opdeploy: Opdeploy, tmp_path: Path, digits: Path, pattern: str) -> None:
    """The file is accepted as it is, without a warning, and the model's facts are no longer assumed."""
    assert opdeploy("init", digits.name, "--pattern", pattern, cwd=tmp_path).code == 0
    ran = opdeploy("recommend", "-o", "json", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert ran.json["workload"] == "digits"
    assumed = {item["field"] for item in ran.json["assumptions"]}
    assert assumed.isdisjoint({"model.framework", "model.size_mb", "model.gflops", "batch.record_mb"})


def test_the_facts_of_the_model_are_set(opdeploy: Opdeploy, tmp_path: Path, digits: Path) -> None:
    """Path, framework, size and cost are those of the file."""
    opdeploy("init", digits, cwd=tmp_path)
    size = digits.stat().st_size / 1e6
    assert written(tmp_path / "workload.yaml")["model"] == {
        "path": "digits.onnx",
        "framework": "pytorch",
        "size_mb": size,
        "gflops": 0.002245,
    }


@pytest.mark.parametrize(
    ("folder", "path"),
    [(".", "digits.onnx"), ("deep/er", "../../digits.onnx"), ("link", "../../digits.onnx")],
    ids=["beside it", "below", "through a link"],
)
def test_the_models_path_is_relative_to_the_file(
    opdeploy: Opdeploy, tmp_path: Path, digits: Path, folder: str, path: str
) -> None:
    """It leads from the workload file to the model, wherever both are, and from wherever they are named."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    file = f"{folder}/w.yaml"
    assert opdeploy("init", digits.name, "--file", file, cwd=tmp_path).code == 0
    assert written(tmp_path / file)["model"]["path"] == path
    assert opdeploy("recommend", file, cwd=tmp_path).code == 0


NAMES = [
    'it\'s "a": b #c.onnx',
    "two\nlines.onnx",
    "{{ known }}.onnx",
    "模型😀.onnx",
    "--model.onnx",
    "no.onnx",
    "\x1b[31m.onnx",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_model_may_be_called_anything(opdeploy: Opdeploy, tmp_path: Path, digits: Path, name: str) -> None:
    """Nothing in a name gets out of its quotes, and the file is found again."""
    digits.rename(tmp_path / name)
    ran = opdeploy("init", "--", name, cwd=tmp_path)
    assert (ran.code, ran.out) == (0, "")
    assert written(tmp_path / "workload.yaml")["model"]["path"] == name
    assert written(tmp_path / "workload.yaml").keys() == {"name", "model", "serving"} | {"serving"}
    assert opdeploy("recommend", cwd=tmp_path).code == 0


def test_a_name_that_is_no_text_is_refused(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, digits: Path) -> None:
    """A workload file is UTF-8, and could not hold it."""
    digits.rename(tmp_path / "a\udcff.onnx")
    ran = opdeploy("init", "a\udcff.onnx", cwd=tmp_path)
    assert ran.code == 2
    assert "its name is not text (UTF-8), which a workload file is; rename it" in one_line(ran)
    assert not (tmp_path / "workload.yaml").exists()


@pytest.mark.parametrize("file", ["my file.yaml", "-w.yaml", "$(x).yaml", "w.yml"])
def test_the_next_command_can_be_pasted(opdeploy: Opdeploy, tmp_path: Path, file: str) -> None:
    """The last line names the next command, quoted for a shell, which does what it says."""
    ran = opdeploy("init", f"--file={file}", "--name=a", cwd=tmp_path)
    first, last = ran.err.splitlines()
    assert first == f"wrote {file}"
    assert last.startswith("next: opdeploy ")
    assert opdeploy(*shlex.split(last)[2:], cwd=tmp_path).code == 0


def test_options_win_over_what_is_derived(opdeploy: Opdeploy, tmp_path: Path, digits: Path) -> None:
    """A name and a pattern that are given stand in the file; for a batch the size of a record does too."""
    opdeploy("init", digits, "--name=other", "--pattern=triggered-batch", cwd=tmp_path)
    found = written(tmp_path / "workload.yaml")
    assert (found["name"], found["serving"]["pattern"], found["batch"]["record_mb"]) == (
        "other",
        "triggered-batch",
        0.000256,
    )


LABEL = "does not fit; write a DNS label: lower-case letters, digits and dashes, such as animal-classifier"
REFUSED = {
    "a name": (["--name", "My Model"], f'--name: "My Model" {LABEL}'),
    "no name": (["--name", ""], f'--name: "" {LABEL}'),
    "a long name": (["--name", "a" * 41], "--name: is longer than 40 characters; shorten it"),
    "a pattern": (
        ["--pattern", "bach"],
        f'--pattern: "bach" is not one of {", ".join(PATTERNS)}',
    ),
    "nearly a pattern": (
        ["--pattern", "streem"],
        f'--pattern: "streem" is not one of {", ".join(PATTERNS)}; did you mean "stream"?',
    ),
    "a model that is not there": (["gone.onnx"], "gone.onnx: no such file; name a model that exists"),
    "a model that is none": (
        ["text.onnx"],
        "text.onnx: is not ONNX, or only a part of it; export or copy it again, or convert it: opdeploy model convert",
    ),
    "a folder": (["."], ".: is a directory, and no SavedModel of TensorFlow; name the model's file in it"),
    "no folder to write in": (
        ["--file", "gone/w.yaml"],
        "gone/w.yaml: cannot be written: there is no folder gone; make it, or name another file",
    ),
    "a file for a folder": (
        ["--file", "text.onnx/w.yaml"],
        "text.onnx/w.yaml: cannot be written: there is no folder text.onnx; make it, or name another file",
    ),
    "a folder that takes no files": (
        ["--file", "/proc/w.yaml"],
        (
            "/proc/w.yaml: cannot be written: No such file or directory; "
            "name a file in a folder that exists and can be written to"
        ),
    ),
    "an option that is none": (["--patern", "stream"], None),
}


@pytest.mark.parametrize(("arguments", "problem"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_said_in_one_line(
    opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path, arguments: list[str], problem: str | None
) -> None:
    """Bad input exits with 2, says what to do, and writes nothing."""
    (tmp_path / "text.onnx").write_text("no model at all")
    ran = opdeploy("init", *arguments, cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    line = one_line(ran)
    assert line == f"error: {problem}" if problem else "--patern" in line
    assert [path.name for path in tmp_path.iterdir()] == ["text.onnx"]


def test_a_file_that_is_there_stays_as_it_was(opdeploy: Opdeploy, one_line: OneLine, tmp_path: Path) -> None:
    """Nothing is overwritten, and no half of a file stays behind."""
    path = tmp_path / "workload.yaml"
    path.write_bytes(b"mine: \xff\r\n")
    ran = opdeploy("init", cwd=tmp_path)
    assert ran.code == 2
    assert one_line(ran) == (
        "error: workload.yaml: is there already, and is not overwritten; remove it, or name another"
    )
    assert path.read_bytes() == b"mine: \xff\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_nothing_is_there_too(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """What a link leads to is not made in passing."""
    (tmp_path / "workload.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    assert opdeploy("init", cwd=tmp_path).code == 2
    assert not (tmp_path / "elsewhere.yaml").exists()


def test_a_generative_model_is_out_of_scope(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """It is said at once and in the file, and recommend ends with 4."""
    shape = ("n", 2)
    graph = helper.make_graph(
        [helper.make_node("Relu", ["past_key_values.0.key"], ["present.0.key"])],
        "graph",
        [helper.make_tensor_value_info("past_key_values.0.key", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("present.0.key", TensorProto.FLOAT, shape)],
    )
    (tmp_path / "gpt.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    ran = opdeploy("init", "gpt.onnx", cwd=tmp_path)
    assert ran.code == 0
    assert ran.err.splitlines()[0] == (
        "warning: gpt.onnx: a generative model, which is out of scope: opdeploy will not rank platforms for it"
    )
    assert written(tmp_path / "workload.yaml")["model"]["framework"] == "llm"
    assert opdeploy("recommend", cwd=tmp_path).code == 4


class Trap:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return sys.exit, (9,)


def test_a_pickle_gives_its_name_and_size(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """It is taken for scikit-learn's, and not opened."""
    (tmp_path / "churn.pkl").write_bytes(pickle.dumps(Trap()))
    assert opdeploy("init", "churn.pkl", cwd=tmp_path).code == 0
    model = written(tmp_path / "workload.yaml")["model"]
    assert (model["path"], model["framework"]) == ("churn.pkl", "sklearn")
    assert opdeploy("recommend", cwd=tmp_path).code == 0


@pytest.mark.parametrize("artefact", ["net", "net.zip"])
def test_an_artefact_gives_what_its_model_tells(
    opdeploy: Opdeploy, tmp_path: Path, digits: Path, artefact: str
) -> None:
    """In either form; what is written is read without a warning."""
    assert opdeploy("model", "package", digits.name, "-o", artefact, cwd=tmp_path).code == 0
    assert opdeploy("init", artefact, cwd=tmp_path).code == 0
    model = written(tmp_path / "workload.yaml")["model"]
    assert (model["path"], model["framework"], model["gflops"]) == (artefact, "pytorch", 0.002245)
    ran = opdeploy("recommend", cwd=tmp_path)
    assert (ran.code, ran.err) == (0, "")


WITHOUT_ONNX = """
import json, sys
sys.modules["onnx"] = None
from opdeploy.cli import main
main(json.loads(sys.argv[1]))
"""


def test_without_the_package_onnx_name_and_size_are_read(
    clean: Callable[..., dict[str, str]], tmp_path: Path, digits: Path
) -> None:
    """It works, and says in one line how to get the rest."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ONNX, json.dumps(["init", digits.name])],
        capture_output=True,
        check=True,
        cwd=tmp_path,
        encoding="utf-8",
        env=clean(),
        stdin=subprocess.DEVNULL,
    )
    assert done.stderr.splitlines()[0] == (
        "warning: digits.onnx: only name and size were read; to read the rest: pip install onnx"
    )
    size = digits.stat().st_size / 1e6
    assert written(tmp_path / "workload.yaml")["model"] == {
        "path": "digits.onnx",
        "framework": "onnx",
        "size_mb": size,
    }


def test_the_help_names_every_pattern(opdeploy: Opdeploy) -> None:
    """What `--pattern` takes can be read off its help."""
    shown = opdeploy("init", "--help").out
    assert [pattern for pattern in PATTERNS if pattern not in "".join(shown.split())] == []
