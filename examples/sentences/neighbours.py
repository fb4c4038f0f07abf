"""Find for each sentence the one that is nearest, with an artefact: `python neighbours.py ARTEFACT`."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from opdeploy.runtime.choosing import choose
from opdeploy.runtime.package import opened
from opdeploy.runtime.processing.processor import Processor

PER_TOPIC = 3
"""Sentences that stand together in sentences.txt since they are about the same."""

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def sentences() -> list[str]:
    """Return the sentences in the order of sentences.txt."""
    return Path(__file__).with_name("sentences.txt").read_text(encoding="utf-8").splitlines()


def embed(artefact: Path, texts: list[str]) -> tuple[str, Vectors]:
    """Return the variant that is served here, and its vectors (N, 384) of the texts."""
    with opened(artefact) as package:
        chosen = choose(package)
        if package.manifest.processing is None:
            raise SystemExit(f"{artefact}: declares no processing; package it with --processing processing.yaml")
        session = chosen.session
        processor = Processor(package.manifest.processing, session.inputs, session.outputs, package.folder)
        inputs = processor.tensors(texts)
        found = processor.answers(session.run(inputs), inputs)
    return chosen.variant.name, np.array([answer["embedding"] for answer in found])


def cosines(vectors: Vectors) -> Vectors:
    """Return the cosines of all pairs (N, N) of vectors of length 1."""
    return np.asarray(vectors @ vectors.T)


def nearest(pairs: Vectors) -> list[int]:
    """Return for each sentence the number of the nearest other one."""
    others = pairs - 2 * np.eye(len(pairs))
    return [int(number) for number in others.argmax(axis=1)]


def main() -> None:
    """Print each sentence with its nearest, and how many of these are of the same topic."""
    parser = argparse.ArgumentParser(description="Find for each sentence the one that is nearest.")
    parser.add_argument("artefact", type=Path)
    texts = sentences()
    served, vectors = embed(parser.parse_args().artefact, texts)
    pairs = cosines(vectors)
    found = nearest(pairs)
    for number, other in enumerate(found):
        print(f"{texts[number]}\n  {pairs[number, other]:.2f}  {texts[other]}")
    same = sum(number // PER_TOPIC == other // PER_TOPIC for number, other in enumerate(found))
    print(f"{served}: the nearest is of the same topic for {same} of {len(texts)} sentences")


if __name__ == "__main__":
    main()
