"""Hold an artefact's answers to the photographs against the right ones: `python score.py ARTEFACT`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from photographs import load

from opdeploy.runtime.choosing import choose
from opdeploy.runtime.package import opened
from opdeploy.runtime.processing.processor import Processor

if TYPE_CHECKING:
    from photographs import Photograph


def answers(artefact: Path, records: list[bytes]) -> tuple[str, list[dict[str, Any]]]:
    """Return the variant that is served here, and its answer to each image."""
    with opened(artefact) as package:
        chosen = choose(package)
        if package.manifest.processing is None:
            raise SystemExit(f"{artefact}: declares no processing; package it with --processing processing.yaml")
        session = chosen.session
        processor = Processor(package.manifest.processing, session.inputs, session.outputs, package.folder)
        inputs = processor.tensors(records)
        return chosen.variant.name, processor.answers(session.run(inputs), inputs)


def verdict(photograph: Photograph, answer: dict[str, Any]) -> str:
    """Return `right`, `among five` where only another of the best five labels is right, or `wrong`."""
    if answer["label"] in photograph.right:
        return "right"
    return "among five" if any(item["label"] in photograph.right for item in answer["top"]) else "wrong"


def main() -> None:
    """Print each photograph with its answer, and how many are right."""
    parser = argparse.ArgumentParser(description="Hold an artefact's answers against the right ones.")
    parser.add_argument("artefact", type=Path)
    artefact: Path = parser.parse_args().artefact
    photographs = load()
    served, found = answers(artefact, [photograph.path.read_bytes() for photograph in photographs])
    verdicts = []
    for photograph, answer in zip(photographs, found, strict=True):
        verdicts.append(verdict(photograph, answer))
        nearest = "" if photograph.exact else "nearest: "
        print(
            f"{photograph.path.name:20} {answer['label']:16} {answer['score']:.2f}  {verdicts[-1]:10}  "
            f"{nearest}{', '.join(photograph.right)}"
        )
    right = verdicts.count("right")
    print(f"{served}: {right} of {len(found)} right, {right + verdicts.count('among five')} among the best five")


if __name__ == "__main__":
    main()
