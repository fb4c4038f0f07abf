"""Pictures: the same bytes everywhere, the colours of the ratings, and one look in SVG and PNG."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from opdeploy.views import palette

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.cli.conftest import Asked
    from tests.conftest import Opdeploy, Ran

    Answers = dict[tuple[str, str], Asked]
    Clean = Callable[..., dict[str, str]]
    Many = Callable[..., list[str]]
    OneLine = Callable[[Ran], str]
    Pixels = np.ndarray[Any, np.dtype[np.int16]]
    Terminal = Callable[..., str]

DAY = "--as-of=2026-11-02"
CRITERIA = ("speed", "scalability", "data_proximity", "debuggability", "ease_of_deployment")
VIEWS: dict[str, list[str]] = {
    "heatmap of 2018": ["heatmap", "--edition=2018"],
    "heatmap of 2026": ["heatmap", DAY],
    "heatmap with a workload": ["heatmap", DAY, "--workload=heavy"],
    "heatmap of nothing": ["heatmap", DAY, "--workload=nothing"],
    "then-now": ["heatmap", "--then-now", DAY],
    "continuum": ["continuum", DAY, "--workload=stream"],
}
SETTINGS = """
font.size: 30
font.family: cursive
text.usetex: True
svg.fonttype: none
savefig.transparent: True
savefig.bbox: standard
backend: nonsense
no.such.setting: 1
"""
WHITE = 255
MARGIN = 20
"""Pixels without ink on every side, at least."""
BLOCK = 8
SAME_LOOK = 4.0
"""Mean difference, of 255, of blocks of pixels up to which two renderings are the same picture: letters' edges differ
(1.6 measured; 23 between two editions)."""
SVG = "{http://www.w3.org/2000/svg}"

STEPS = {False: ((0, 1),), True: ((0, 2), (1, 2))}

each_view = pytest.mark.parametrize("view", VIEWS)


class Drawn(NamedTuple):
    """A view in both formats."""

    svg: bytes
    png: bytes


def arguments(view: str, answers: Answers) -> list[str]:
    """Return the arguments of a view, with the path of its workload."""
    return [
        f"--workload={answers[argument[11:], '2026'].path}" if argument.startswith("--workload=") else argument
        for argument in VIEWS[view]
    ]


def draw(
    folder: Path, answers: Answers, many: Many, views: Iterable[str] = VIEWS, **variables: str
) -> dict[str, Drawn]:
    """Draw views."""
    folder.mkdir()
    paths = {view: tuple(folder / f"{number}.{form}" for form in ("svg", "png")) for number, view in enumerate(views)}
    many(
        ([*arguments(view, answers), "--file", str(path)] for view, both in paths.items() for path in both), **variables
    )
    return {view: Drawn(*(path.read_bytes() for path in both)) for view, both in paths.items()}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, answers: Answers, many: Many) -> dict[str, Drawn]:
    """Return every view in both formats."""
    return draw(tmp_path_factory.mktemp("pictures") / "drawn", answers, many)


def pixels(png: bytes) -> Pixels:
    """Return the rows of pixels, each red, green and blue."""
    return np.asarray(Image.open(BytesIO(png)).convert("RGB"), dtype=np.int16)


def test_the_same_bytes_under_any_settings(
    tmp_path: Path, answers: Answers, many: Many, drawn: dict[str, Drawn]
) -> None:
    """Neither matplotlib's settings of the user, nor home, locale and the order of hashes change a byte."""
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    odd = {
        "HOME": str(tmp_path),
        "LC_ALL": "C",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "MPLBACKEND": "nonsense",
        "MPLCONFIGDIR": "/dev/null/nowhere",
        "PYTHONHASHSEED": "2018",
        "SOURCE_DATE_EPOCH": "1",
        "TZ": "Asia/Tokyo",
    }
    some = ("heatmap with a workload", "then-now", "continuum")
    again = draw(tmp_path / "again", answers, many, some, **odd)
    assert [view for view in some if again[view] != drawn[view]] == []


def test_odd_settings_are_not_talked_about(opdeploy: Opdeploy, tmp_path: Path) -> None:
    """What matplotlib would say about the user's settings and folders is no part of our output."""
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    ran = opdeploy("continuum", "--file", "a.svg", cwd=tmp_path, MPLCONFIGDIR="/dev/null/nowhere")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


@each_view
def test_an_svg_is_one_picture_without_help(drawn: dict[str, Drawn], view: str) -> None:
    """It has a title, no script, no text that needs a font, and refers to nothing outside itself."""
    top = ET.fromstring(drawn[view].svg)  # noqa: S314  our own
    elements = list(top.iter())
    assert {element.tag for element in elements}.isdisjoint(SVG + name for name in ("script", "text", "image", "a"))
    title = top.findtext(f"{SVG}title")
    assert title
    assert title.endswith(("edition 2018", "as of 2026-11-02", "as of 2026-11-02)", "then (2018) and now (2026)"))
    links = [value for e in elements for name, value in e.attrib.items() if name.endswith(("}href", "src"))]
    assert links
    assert all(link.startswith("#") for link in links)
    drawing = drawn[view].svg.split(b"</metadata>")[1].decode()
    assert set(re.findall(r"url\((.)", drawing)) <= {"#"}
    assert not re.search(r"@import|javascript:|on[a-z]+=|https?://", drawing)


def cells(svg: bytes) -> list[tuple[float, float, float, float]]:
    """Return the places of the cells in their order, as shares of width and height: left, top, right, bottom."""
    top = ET.fromstring(svg)  # noqa: S314  our own
    width, height = (float(value) for value in top.attrib["viewBox"].split()[2:])
    found = []
    for path in top.iter(f"{SVG}path"):
        if "stroke: #ffffff; stroke-width: 1.5" in path.attrib.get("style", ""):
            numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", path.attrib["d"])]
            xs, ys = numbers[::2], numbers[1::2]
            found.append((min(xs) / width, min(ys) / height, max(xs) / width, max(ys) / height))
    return found


@pytest.mark.parametrize("view", [view for view in VIEWS if view.startswith("heatmap")])
def test_each_cell_has_the_colour_of_its_rating(
    drawn: dict[str, Drawn], answers: Answers, many: Many, view: str
) -> None:
    """Left of its figure each cell of the PNG has its rating's colour, or grey where the platform is out."""
    records = json.loads(many([[*arguments(view, answers), "-o", "json"]])[0])
    ended = {"aztk", "batch-ai", "batch-shipyard", "fpga"} if view == "heatmap of 2026" else set()
    expected = []
    for record in records:
        grey = record.get("excluded") or record["platform"] in ended
        values = [record[name] for name in CRITERIA] + ([] if record.get("fit") is None else [record["fit"]])
        expected += ["#f2f2f2" if grey else palette.colour(value) for value in values]
    image = pixels(drawn[view].png)
    height, width = image.shape[:2]
    found = []
    for left, top, right, bottom in cells(drawn[view].svg):
        red, green, blue = image[int((top + bottom) / 2 * height), int((0.85 * left + 0.15 * right) * width)]
        found.append(f"#{red:02x}{green:02x}{blue:02x}")
    assert found == expected


@each_view
def test_rows_go_down_and_columns_to_the_right(drawn: dict[str, Drawn], view: str) -> None:
    """Cells are drawn row by row, from left to right, and none lies over another."""
    corners = [(round(left, 4), round(top, 4)) for left, top, _, _ in cells(drawn[view].svg)]
    assert bool(corners) == (view != "continuum")
    assert len(set(corners)) == len(corners)
    tops = [top for _, top in corners]
    assert tops == sorted(tops)
    for row in set(tops):  # with two editions side by side, each edition's columns
        lefts = [left for left, top in corners if top == row]
        assert all(lefts[start::step] == sorted(lefts[start::step]) for start, step in STEPS[view == "then-now"])


@each_view
def test_nothing_is_cut_off(drawn: dict[str, Drawn], view: str) -> None:
    """All around there is a white margin."""
    image = pixels(drawn[view].png)
    inked = np.argwhere((image < WHITE).any(axis=2))
    (top, left), (bottom, right) = inked.min(axis=0), inked.max(axis=0)
    height, width = image.shape[:2]
    margins = [int(margin) for margin in (top, left, height - 1 - bottom, width - 1 - right)]
    assert min(margins) >= MARGIN, margins


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give the browser that is installed here."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium is installed that could render an SVG")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def rendered(browser: Browser, svg: bytes, width: int, height: int) -> Pixels:
    """Return what a browser makes of an SVG at a size."""
    page = browser.new_page(viewport={"width": width, "height": height})
    source = f"data:image/svg+xml;base64,{b64encode(svg).decode()}"
    page.set_content(f'<style>*{{margin:0}}</style><img src="{source}" style="width:{width}px;height:{height}px">')
    page.wait_for_function("document.images[0].complete && document.images[0].naturalWidth > 0")
    found = pixels(page.screenshot())
    page.close()
    return found


def difference(one: Pixels, other: Pixels) -> float:
    """Return the mean difference of two pictures of one size, seen in blocks of pixels."""
    assert one.shape == other.shape
    rows, columns = (size // BLOCK for size in one.shape[:2])
    apart = (one - other)[: rows * BLOCK, : columns * BLOCK]
    return float(np.abs(apart.reshape(rows, BLOCK, columns, BLOCK, 3).mean(axis=(1, 3))).mean())


def test_svg_and_png_are_the_same_picture(browser: Browser, drawn: dict[str, Drawn]) -> None:
    """A browser shows the SVG as the PNG is; the bound would not let another heatmap of the same size pass."""
    for view, both in drawn.items():
        image = pixels(both.png)
        height, width = image.shape[:2]
        assert difference(rendered(browser, both.svg, width, height), image) < SAME_LOOK, view
    image = pixels(drawn["heatmap of 2018"].png)
    height, width = image.shape[:2]
    recoloured = drawn["heatmap of 2018"].svg.replace(palette.colour(1).encode(), palette.colour(0).encode())
    for other in (recoloured, drawn["heatmap of 2026"].svg):
        assert difference(rendered(browser, other, width, height), image) > SAME_LOOK


WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None
from opdeploy.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("command", [["heatmap"], ["heatmap", "--then-now"], ["continuum"]], ids=" ".join)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_without_matplotlib_one_line_says_what_to_install(
    clean: Clean, tmp_path: Path, command: list[str], form: str
) -> None:
    """The package for pictures is an extra; without it nothing is written."""
    path = tmp_path / f"a.{form}"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_MATPLOTLIB, *command, "--file", str(path)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env=clean(),
        timeout=60,
    )
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (1, "", [])
    assert done.stderr == "error: pictures need matplotlib (the extra pictures): pip install matplotlib\n"


@pytest.mark.parametrize("command", ["heatmap", "continuum"])
def test_a_terminal_gets_no_bytes(terminal: Terminal, command: str) -> None:
    """A PNG is refused in one line where it would end up on a terminal."""
    found = terminal(command, "-o", "png", NO_COLOR="1")
    assert found == "error: a picture in bytes is nothing for a terminal; name a file with --file\n"


def test_a_pipe_gets_the_bytes_that_a_file_gets(program: str, clean: Clean, drawn: dict[str, Drawn]) -> None:
    """Into a pipe goes the picture, and nothing else."""
    command = [program, *VIEWS["heatmap of 2018"], "-o", "png"]
    done = subprocess.run(command, capture_output=True, check=True, env=clean(), timeout=60)
    assert (done.stdout, done.stderr) == (drawn["heatmap of 2018"].png, b"")
