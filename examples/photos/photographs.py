"""Ten photographs that come with Python packages: `python photographs.py FOLDER` copies them, or makes crops."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import yaml
from PIL import Image

CROP = 0.7
"""Length of a crop's sides, as a share of the photograph's."""
EDGES = (0.0, 0.5, 1.0)
"""Where crops lie in each direction: at one edge, in the middle, at the other edge."""
PLACES = sorted(product(EDGES, EDGES), key=lambda place: sum(abs(at - 0.5) for at in place))
"""Where crops lie, the middle first."""
MOST_CROPS = 2 * len(PLACES)


@dataclass(frozen=True)
class Photograph:
    """A photograph, and which of ImageNet's names are right for it."""

    path: Path
    shows: str
    exact: bool
    """Whether a right name is that of the thing itself; else they are the nearest there are."""
    right: tuple[str, ...]


def load() -> list[Photograph]:
    """Return the photographs in the order of photographs.yaml."""
    entries = yaml.safe_load(Path(__file__).with_name("photographs.yaml").read_text(encoding="utf-8"))
    return [
        Photograph(_path(entry["file"]), entry["shows"], entry["exact"], tuple(entry["right"])) for entry in entries
    ]


def _path(file: str) -> Path:
    package, _, rest = file.partition("/")
    found = find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{file}: {package} is not installed; pip install --group examples")
    return Path(found.origin).parent / rest


def copy(folder: Path) -> None:
    """Copy the photographs as they are."""
    for number, photograph in enumerate(load()):
        shutil.copyfile(photograph.path, folder / f"{number:02}-{photograph.path.name}")


def crop(folder: Path, count: int) -> None:
    """Write crops of each photograph and their mirror images, so many in all, as PNG.

    In the order of their names the photographs alternate, of which there is an even number: where every other record
    calibrates and the rest judges, no photograph does both.
    """
    for number, photograph in enumerate(load()):
        with Image.open(photograph.path) as image:
            whole = image.convert("RGB")
        for turn in range(count):
            part = _part(whole, *PLACES[turn // 2])
            made = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if turn % 2 else part
            made.save(folder / f"{turn:02}-{number:02}-{photograph.path.stem}.png")


def _part(whole: Image.Image, x: float, y: float) -> Image.Image:
    width, height = (round(CROP * side) for side in whole.size)
    left, top = round(x * (whole.width - width)), round(y * (whole.height - height))
    return whole.crop((left, top, left + width, top + height))


def main() -> None:
    """Write the photographs, or crops of them, to a folder that is made."""
    parser = argparse.ArgumentParser(description="Write the photographs, or crops of them, to a folder.")
    parser.add_argument("folder", type=Path, help="folder to make")
    parser.add_argument(
        "--crops", type=int, choices=range(1, MOST_CROPS + 1), metavar=f"1..{MOST_CROPS}", help="crops of each instead"
    )
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True)
    if arguments.crops:
        crop(arguments.folder, arguments.crops)
    else:
        copy(arguments.folder)


if __name__ == "__main__":
    main()
