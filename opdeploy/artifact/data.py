"""Reads what a user gives to try a model on: arrays, or records that the declared pre-processing makes arrays of."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opdeploy import document
from opdeploy.artifact import samples as sampling
from opdeploy.artifact.samples import Samples, fixed_batch
from opdeploy.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from opdeploy.artifact.evidence import Task
    from opdeploy.runtime.processing.processor import Processor
    from opdeploy.runtime.processing.records import Json, Record
    from opdeploy.runtime.processing.spec import Processing
    from opdeploy.runtime.session import Arrays, Session

LABEL = "label"
"""The column or key that holds the right answer, where it is not named."""
DRAWN = 32
"""Records that are drawn at random where none are given."""
MOST = 100_000
"""Records that are read, at most."""
_PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, slots=True)
class Declared:
    """Pre- and post-processing, and the folder of the files that it names."""

    processing: Processing
    folder: Path
    source: Path | None = None
    """The file that it was read from."""

    def processor(self, session: Session, files: Path | None = None) -> Processor:
        """Return what makes tensors and answers as declared, with files of its own folder unless another is given.

        Raises InputError, which names the declaration, where it does not fit the model.
        """
        from opdeploy.runtime.processing.processor import Processor

        try:
            return Processor(self.processing, session.inputs, session.outputs, files or self.folder)
        except InputError as error:
            raise InputError(f"{self.source}: {error}" if self.source else str(error)) from None


@dataclass(frozen=True, slots=True)
class Data:
    """Samples, and the records that they were made of, where they were."""

    samples: Samples
    records: tuple[Record, ...] = ()


def declaration(path: Path) -> Declared:
    """Read a declaration of pre- and post-processing, whose files lie beside it.

    Raises InputError for one that is not YAML, or does not say what it must.
    """
    import msgspec

    from opdeploy.runtime.processing.spec import Processing

    value = document.read(path).value
    if isinstance(value, dict) and value.keys() == {"processing"}:
        value = value["processing"]
    try:
        return Declared(msgspec.convert(value, Processing), path.parent, path)
    except (msgspec.ValidationError, ValueError) as error:
        raise InputError(f"{path}: {' '.join(str(error).split())}; docs/processing.md has every field") from None


def read(path: Path | None, session: Session, declared: Declared | None, label: str = LABEL) -> Data:
    """Read a data file or folder; without one, draw records from the model's signature.

    An `.npz` file has an array for each input, and `labels` where there are any. Records, which need a declaration, are
    lines of `.csv`, `.jsonl` or `.txt`, or a folder of images; their labels are in the column or key `label`, or the
    names of the folders that the images lie in. Raises InputError for what does not fit the model.
    """
    if path is None:
        return Data(sampling.synthetic(session, DRAWN))
    if path.suffix.lower() == ".npz":
        return Data(sampling.read(path, session.inputs))
    sampling.check_records(session.inputs)
    if declared is None:
        raise InputError(
            f"{path}: only .npz holds arrays; for records, say with --processing what makes arrays of them"
        )
    found = list(_records(path, declared, label))
    if not found:
        raise InputError(f"{path}: holds no records; put some in")
    records = tuple(record for record, _ in found)
    tensors = _tensors(path, records, session, declared)  # which checks the declaration, and the files that it names
    labels = _labels(path, [name for _, name in found], session, declared, label)
    return Data(Samples(tensors, path.name, labels=labels), records)


def task_of(declared: Declared | None) -> Task:
    """Return what the declared answer is; `auto` where nothing tells."""
    from opdeploy.runtime.processing.spec import Classification, Raw

    if declared is None or isinstance(declared.processing.output, Raw):
        return "auto"
    return "classification" if isinstance(declared.processing.output, Classification) else "other"


def judged(declared: Declared | None, session: Session) -> Callable[[Arrays, Arrays], Arrays]:
    """Return what makes of a model's outputs and inputs that by which variants are judged.

    It is the scores of declared classes, whatever else the model tells; the vectors of embeddings, since those of
    tokens and of padding are no answer; else the outputs.
    """
    import numpy as np

    from opdeploy.runtime.processing.spec import Classification, Embedding

    if declared is None or not isinstance(declared.processing.output, Classification | Embedding):
        return lambda outputs, _: outputs
    name = declared.processing.output.tensor
    if isinstance(declared.processing.output, Classification):
        return lambda outputs, _: {name: outputs[name]}
    processor = declared.processor(session)

    def vectors(outputs: Arrays, inputs: Arrays) -> Arrays:
        answers = processor.answers(outputs, inputs)
        return {name: np.array([answer["embedding"] for answer in answers], np.float32)}

    return vectors


def _tensors(path: Path, records: Sequence[Record], session: Session, declared: Declared) -> Arrays:
    import numpy as np

    processor = declared.processor(session)
    size = fixed_batch(session.inputs)
    try:
        if size is None:
            return processor.tensors(records)
        parts = []
        for start in range(0, len(records), size):
            part = list(records[start : start + size])
            parts.append(processor.tensors(part + part[-1:] * (size - len(part))))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return {name: np.concatenate([part[name] for part in parts])[: len(records)] for name in parts[0]}


def _records(path: Path, declared: Declared, label: str) -> Iterator[tuple[Record, Any]]:
    """Give each record with its label, None where it has none."""
    readers: dict[str, Callable[[Path, Declared, str], Iterator[tuple[Record, Any]]]] = {
        ".csv": _csv,
        ".jsonl": _jsonl,
        ".txt": _lines,
    }
    reader = _images if path.is_dir() else readers.get(path.suffix.lower())
    if reader is None:
        kinds = "an .npz, .csv, .jsonl or .txt file, or a folder of images"
        raise InputError(f"{path}: no data is read from such a file; give {kinds}")
    try:
        for count, found in enumerate(reader(path, declared, label)):
            if count == MOST:
                raise InputError(f"{path}: holds more than {MOST} records; give fewer")
            yield found
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; name a file that exists") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; check the path and its permissions") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is not text as such a file holds it: {error}; write it again, in UTF-8") from None


def _csv(path: Path, _: Declared, label: str) -> Iterator[tuple[Record, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        names = reader.fieldnames or ()
        if len(set(names)) < len(names):
            twice = next(name for name in names if list(names).count(name) > 1)
            raise InputError(f"{path}: has two columns {document.shown(twice)}; rename one")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(f"{path}:{reader.line_num}: has more or fewer cells than the first line; mend it")
            yield {name: value for name, value in row.items() if name != label}, row.get(label)


def _jsonl(path: Path, declared: Declared, label: str) -> Iterator[tuple[Record, Any]]:
    from opdeploy.runtime.processing.records import record_of

    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row: Json = json.loads(line)
                found = row.pop(label, None) if isinstance(row, dict) else None
                record = record_of(declared.processing.input, row)
            except (ValueError, RecursionError, InputError) as error:
                raise InputError(f"{path}:{number}: {error}") from None
            yield record, found


def _lines(path: Path, _: Declared, __: str) -> Iterator[tuple[Record, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield line.rstrip("\r\n"), None


def _images(path: Path, _: Declared, __: str) -> Iterator[tuple[Record, Any]]:
    for file in sorted(path.rglob("*")):
        if file.suffix.lower() in _PICTURES and file.is_file():
            yield file.read_bytes(), file.parent.name if file.parent != path else None


def _labels(path: Path, found: Sequence[Any], session: Session, declared: Declared, key: str) -> NDArray[Any] | None:
    """Return the labels by their numbers among those that are declared; where none are, as the model gives them."""
    import numpy as np

    given = [label for label in found if label not in (None, "")]
    if not given and key != LABEL:
        raise InputError(f"{path}: no record has a {document.shown(key)}, which --label names; mend one of the two")
    if not given:
        return None
    if len(given) < len(found):
        raise InputError(f"{path}: {len(found) - len(given)} records have no label, others have; label all or none")
    names = _names(declared)
    if not names and any(spec.datatype.name == "BYTES" for spec in session.outputs):
        return np.array([str(label) for label in given], dtype=object)
    numbers = {name: number for number, name in enumerate(names)}
    result = [numbers.get(str(label), _number(label)) for label in given]
    if None in result:
        unknown = document.shown(given[result.index(None)])
        raise InputError(f"{path}: the label {unknown} is none of those that processing.output names, and no number")
    return np.array(result, dtype=np.int64)


def _names(declared: Declared) -> tuple[str, ...]:
    from opdeploy.runtime.processing.spec import Classification

    output = declared.processing.output
    if not isinstance(output, Classification):
        return ()
    if isinstance(output.labels, str):
        return tuple((declared.folder / output.labels).read_text(encoding="utf-8").splitlines())
    return output.labels


def _number(label: object) -> int | None:
    text = str(label)
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19 else None  # noqa: PLR2004
