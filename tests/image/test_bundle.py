"""The files that an image is built of, in memory: what they are, that they are always the same, and what is refused."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from opdeploy.clients import pip
from opdeploy.clients.docker import Order
from opdeploy.clients.docker.building import proxies
from opdeploy.errors import InputError
from opdeploy.image import ImageSettings, Sources, bundle
from opdeploy.render import dockerfile, write
from opdeploy.runtime.package import opened

if TYPE_CHECKING:
    from opdeploy.render import Bundle

GPU_ALONE = re.compile("nvidia-|onnxruntime-gpu==")
"""Packages that nothing else needs, and that constraints.txt therefore does not name."""


def made(artefact: Path, **given: Any) -> Bundle:  # noqa: ANN401  fields of ImageSettings
    """Return the files of an image."""
    with opened(artefact) as package:
        return bundle(package, ImageSettings(**given))


def text(files: Bundle, path: str) -> str:
    """Return a file that is held in memory."""
    content = files[path]
    assert isinstance(content, bytes)
    return content.decode()


def test_the_same_input_gives_the_same_files(artefacts: dict[str, Path], tmp_path: Path) -> None:
    """Bytes, modes and times are equal, whatever the umask is; another artefact changes nothing but what names it."""
    one, two = made(artefacts["plain"]), made(artefacts["plain"])
    assert one == two
    write(one, tmp_path / "one")
    before = os.umask(0o077)
    try:
        write(two, tmp_path / "two")
    finally:
        os.umask(before)
    assert state(tmp_path / "one") == state(tmp_path / "two")
    assert (tmp_path / "two/artefact").stat().st_mode & 0o777 == 0o755
    other = made(artefacts["image"])
    differ = {path.split("/")[0] for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
    assert differ == {"Dockerfile", "README.md", "artefact", "build"}


def test_a_private_folder_stays_private(tmp_path: Path) -> None:
    """Files of a model are readable by all in the image, and by nobody else on the machine that builds it."""
    (tmp_path / "own").mkdir(mode=0o700)
    write({"model/weights": b"secret"}, tmp_path / "own")
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


def state(folder: Path) -> dict[str, Any]:
    """Return what a build sees of a folder."""
    found = {}
    for path in folder.rglob("*"):
        facts = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime, content)
    return found


def test_the_model_is_named_and_not_read(artefacts: dict[str, Path]) -> None:
    """Every file of the artefact is in the bundle, by its path on disk; one that it does not name is not."""
    (artefacts["plain"] / "stray").write_text("not packaged")
    files = made(artefacts["plain"])
    (artefacts["plain"] / "stray").unlink()
    held = {path: content for path, content in files.items() if path.startswith("artefact/")}
    assert set(held) == {
        "artefact/model/golden/tensors.npz",
        "artefact/model/model.yaml",
        "artefact/model/variants/fp32/model.onnx",
    }
    assert held["artefact/model/model.yaml"] == artefacts["plain"] / "model.yaml"


def test_any_builder_can_build_it(artefacts: dict[str, Path]) -> None:
    """The Dockerfile asks for no syntax of its own, mounts nothing, and has the model in its last layer."""
    lines = text(made(artefacts["plain"]), "Dockerfile").splitlines()
    assert not [line for line in lines if re.match(r"#\s*(syntax|escape|check)\s*=", line)]
    assert not [line for line in lines if "--mount" in line or "--chmod" in line or "<<" in line]
    assert lines[-1] == "COPY artefact/ /"
    assert lines.index("COPY --from=build /image/packages/ /") < lines.index("COPY --from=build /image/server/ /")


def test_settings_show(artefacts: dict[str, Path]) -> None:
    """Base and port, the time where it is given, and what a GPU asks for, which is not there without one."""
    day = datetime(2026, 11, 25, 12, tzinfo=UTC)
    plain = text(made(artefacts["plain"]), "Dockerfile")
    files = made(artefacts["plain"], base="registry.example/base@sha256:0a", port=80, gpu=True, created=day)
    given = text(files, "Dockerfile")
    assert "ARG BASE=registry.example/base@sha256:0a\n" in given
    assert "EXPOSE 80\n" in given
    assert 'image.created"="2026-11-25T12:00:00+00:00"' in given
    assert "OPDEPLOY_REQUIRE_GPU=true" in given
    assert "created" not in plain
    assert "GPU" not in plain
    assert "onnxruntime-gpu==" in text(files, "build/requirements.txt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("base", "debian\nRUN true"),
        ("base", "debian AS build"),
        ("base", "--platform=linux/arm64"),
        ("base", "$HOME"),
        ("platform", "windows/amd64"),
        ("port", 0),
        ("port", 65536),
        ("created", datetime(2026, 11, 25)),  # noqa: DTZ001 - no zone
    ],
)
def test_settings_that_are_none_are_refused(field: str, value: object) -> None:
    """Nothing gets into a Dockerfile that is not what it stands for."""
    with pytest.raises(ValidationError, match=field):
        ImageSettings(**{field: value})  # type: ignore[arg-type]


def test_a_label_stays_a_label() -> None:
    """What would end it, or be looked up, is escaped; what no line can hold is refused."""
    assert dockerfile('a "b" $c \\') == '"a \\"b\\" \\$c \\\\"'
    with pytest.raises(InputError, match="is one line of printable text; shorten it to that"):
        dockerfile("a\nRUN true")


def test_versions_are_those_that_opdeploy_is_tested_with(root: Path) -> None:
    """Every requirement is pinned, to the version of constraints.txt, but what only GPUs need."""
    known = set((root / "constraints.txt").read_text().splitlines())
    folder = root / "templates/image/requirements"
    lines = [line for path in folder.iterdir() for line in path.read_text().splitlines() if not line.startswith("#")]
    assert {line for line in lines if not GPU_ALONE.match(line)} <= known
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", line) for line in lines)
    assert not known & {line for line in lines if GPU_ALONE.match(line)}


def test_the_server_ships_alone(artefacts: dict[str, Path], tmp_path: Path) -> None:
    """Its code in the bundle is all of opdeploy that it imports."""
    write({path: content for path, content in made(artefacts["text"]).items() if path.startswith("server/")}, tmp_path)
    look = "import opdeploy.serving.__main__ as main; print(main.__file__); print(main.main())"
    done = subprocess.run(
        [sys.executable, "-c", look, "--help"],
        capture_output=True,
        check=True,
        cwd=tmp_path / "server/app",
        encoding="utf-8",
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.stdout.startswith(str(tmp_path / "server/app/opdeploy/serving/__main__.py"))
    shipped = {path.name for path in (tmp_path / "server/app/opdeploy").iterdir()}
    assert shipped == {"__init__.py", "errors.py", "runtime", "serving"}


def test_a_wheel_that_is_missing_is_asked_for(artefacts: dict[str, Path], tmp_path: Path) -> None:
    """With the command that fetches it; a wheel of another version is none, one of several Pythons is."""
    for pin in text(made(artefacts["plain"]), "build/requirements.txt").split():
        name, version = pin.split("==")
        (tmp_path / f"{name.replace('-', '_')}-{version}-py3-none-any.whl").touch()
    assert "build/wheels/prometheus_client-0.26.0-py3-none-any.whl" in made(
        artefacts["plain"], sources=Sources(wheels=tmp_path)
    )
    (found,) = tmp_path.glob("numpy-*")
    found.rename(tmp_path / "numpy-1.0-py3-none-any.whl")
    with pytest.raises(InputError, match=r"has no wheel of numpy==.*; fetch .* pip download .* numpy==[0-9.]+$"):
        made(artefacts["plain"], sources=Sources(wheels=tmp_path))


def test_certificate_authorities_go_to_the_stage_that_builds(artefacts: dict[str, Path], tmp_path: Path) -> None:
    """Beside the installer, which a file that is not there ends before any build."""
    (tmp_path / "own.pem").write_text("certificate")
    files = made(artefacts["plain"], sources=Sources(authorities=tmp_path / "own.pem"))
    assert text(files, "build/authorities.pem") == "certificate"
    with pytest.raises(InputError, match=r"cannot be read: No such file or directory; name a file"):
        made(artefacts["plain"], sources=Sources(authorities=tmp_path / "other.pem"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"index_url": "https://me:secret@own.example/simple"}, r"the index at own\.example has a password in its"),
        ({"extra_index_urls": ("https://secret@own.example",)}, r"the index at own\.example has a password in its"),
        ({"index_url": "https://own.example/?token=secret"}, r"the index at own\.example has a query in its address"),
        ({"index_url": "https://me:secret@[own/simple"}, "an index of packages has an address that cannot be read; "),
        ({"index_url": "https://me:secret@ow\u2100n/simple"}, "an index of packages has an address that cannot be"),
    ],
)
def test_a_secret_of_an_index_does_not_get_into_a_history(given: dict[str, Any], told: str) -> None:
    """An index with one is refused, by its host alone, whether it is the first or another; so is what is no address."""
    with pytest.raises(InputError, match=f"^{told}") as raised:
        Sources(**given).arguments()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "sources",
    [
        Sources(proxy="http://me:secret@proxy.example"),
        Sources(index_url="https://me:secret@own.example"),
        Sources(extra_index_urls=("https://me:secret@own.example",)),
    ],
)
def test_a_password_does_not_show(sources: Sources) -> None:
    """Neither in settings that are printed, nor in an order to build."""
    assert "secret" not in repr(ImageSettings(sources=sources))
    assert "secret" not in repr(Order(Path("x"), "x", arguments={"HTTPS_PROXY": "http://me:secret@proxy.example"}))


@pytest.mark.parametrize(
    ("listing", "environ", "expected"),
    [
        ("", {}, Sources()),
        (
            "global.index-url='https://global.example/simple'\nglobal.timeout='9'\n",
            {},
            Sources(index_url="https://global.example/simple"),
        ),
        (
            """
:env:.index-url='https://env.example'
global.index-url='https://global.example'
install.index-url='https://install.example'
download.index-url='https://download.example'
""",
            {},
            Sources(index_url="https://env.example"),
        ),
        (
            r"""
global.extra-index-url='file:///here https://one.example\nhttp://two.example'
global.trusted-host='one.example two.example'
global.proxy='http://proxy.example:1'
""",
            {},
            Sources(
                extra_index_urls=("https://one.example", "http://two.example"),
                trusted_hosts=("one.example", "two.example"),
                proxy="http://proxy.example:1",
            ),
        ),
        ("global.cert='/a.pem'\n", {"REQUESTS_CA_BUNDLE": "/b.pem"}, {"authorities": "/a.pem"}),
        ("", {"PIP_CERT": "", "REQUESTS_CA_BUNDLE": "/b.pem", "CURL_CA_BUNDLE": "/c.pem"}, {"authorities": "/b.pem"}),
    ],
)
def test_the_users_pip_is_followed(listing: str, environ: dict[str, str], expected: Sources | dict[str, str]) -> None:
    """Its index, proxy and authorities count for a build too, by pip's order; folders of this machine do not."""
    found = pip.parsed(listing, environ)
    if isinstance(expected, Sources):
        assert found == expected
    else:
        assert str(found.authorities) == expected["authorities"]


def test_a_proxy_is_given_in_both_forms() -> None:
    """In capitals and in small letters, each as it is set, else as the other is."""
    assert proxies({"HTTPS_PROXY": "a", "no_proxy": "b", "HTTP_PROXY": "c", "http_proxy": "d", "ALL_PROXY": ""}) == {
        "HTTP_PROXY": "c",
        "http_proxy": "d",
        "HTTPS_PROXY": "a",
        "https_proxy": "a",
        "NO_PROXY": "b",
        "no_proxy": "b",
    }


def test_arguments_are_what_pip_reads() -> None:
    """Each by the name of pip's variable, a proxy by that which every builder knows; with wheels there is none."""
    given = Sources(
        index_url="https://a.example", extra_index_urls=("https://b.example", "https://c.example"), proxy="p"
    )
    assert given.arguments() == {
        "HTTP_PROXY": "p",
        "HTTPS_PROXY": "p",
        "http_proxy": "p",
        "https_proxy": "p",
        "PIP_EXTRA_INDEX_URL": "https://b.example https://c.example",
        "PIP_INDEX_URL": "https://a.example",
    }
    assert Sources(network="host").build_network == "host"
    assert Sources(network="host", wheels=Path("x")).build_network == "none"
    assert Sources(index_url="https://a.example", wheels=Path("x")).arguments() == {}
