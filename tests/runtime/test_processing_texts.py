"""Texts become the numbers of the tokenizer's tokens, whatever its file says of length and padding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from opdeploy.errors import InputError
from tests.runtime.processed import processor, tensor

if TYPE_CHECKING:
    from pathlib import Path

    from opdeploy.runtime.processing.processor import Processor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "un", "##aff", "##able", "un##"]
TEXT = {"kind": "text", "ids": "ids", "mask": "mask", "types": "types", "pad_token": "[PAD]", "max_length": 6}
INPUTS = [tensor(name, "INT64", "n", "length") for name in ("ids", "mask", "types")]


def make_tokenizer() -> Tokenizer:
    """Return a tokenizer as BERT has it, of few words."""
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(WORDS)}, unk_token=WORDS[1]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)  # type: ignore[assignment,unused-ignore]
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # type: ignore[assignment,unused-ignore]
    tokenizer.post_processor = processors.TemplateProcessing(  # type: ignore[assignment,unused-ignore]
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a package with the tokenizer, and one whose file pads to the left and cuts at two tokens."""
    folder = tmp_path_factory.mktemp("package")
    tokenizer = make_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.enable_padding(direction="left", pad_id=0, length=50)
    tokenizer.enable_truncation(3)
    tokenizer.save(str(folder / "other.json"))
    return folder


def texts(package: Path, **fields: Any) -> Processor:  # noqa: ANN401 - fields of any type
    """Return the processor of a declaration."""
    declared = {name: value for name, value in (TEXT | fields).items() if value is not None}
    named = {declared.get("ids"), declared.get("mask"), declared.get("types")}
    return processor(declared, [spec for spec in INPUTS if spec.name in named], files=package)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("The cat", [2, 4, 5, 3]),
        ("", [2, 3]),
        ("cat dog", [2, 5, 1, 3]),
        ("Unaffable", [2, 7, 8, 9, 3]),
        ("the cat sat the cat sat", [2, 4, 5, 6, 4, 3]),  # cut to six, the last of which closes
        ("cat\0", [2, 5, 3]),
    ],
)
def test_tokens_by_hand(package: Path, text: str, ids: list[int]) -> None:
    """Ids are those of BERT's rules: lower case, longest piece first, [CLS] and [SEP] around."""
    made = texts(package).tensors([text])
    assert made["ids"].tolist() == [ids]
    assert made["mask"].tolist() == [[1] * len(ids)]
    assert made["types"].tolist() == [[0] * len(ids)]


def test_padding_is_on_the_right(package: Path) -> None:
    """To the longest of the batch, or always to the declared length; the mask tells it from tokens."""
    longest = texts(package).tensors(["cat", "the cat sat"])
    assert longest["ids"].tolist() == [[2, 5, 3, 0, 0], [2, 4, 5, 6, 3]]
    assert longest["mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert texts(package, padding="fixed").tensors(["cat"])["ids"].tolist() == [[2, 5, 3, 0, 0, 0]]


def test_the_declaration_decides_and_not_the_tokenizers_file(package: Path) -> None:
    """Length, direction and truncation in the file change nothing; its padding token is the default."""
    other = texts(package, tokenizer="other.json", pad_token=None)
    assert other.tensors(["cat", "the cat sat"])["ids"].tolist() == [[2, 5, 3, 0, 0], [2, 4, 5, 6, 3]]


def test_ids_are_those_of_the_library(package: Path) -> None:
    """The tensors hold what the tokenizer gives for the batch, padded by itself."""
    tokenizer = make_tokenizer()
    tokenizer.enable_padding(pad_id=0, pad_token=WORDS[0])
    records = ["Unaffable cat", "", "the the"]
    made = texts(package, max_length=100).tensors(records)
    for row, encoding in enumerate(tokenizer.encode_batch(records)):
        assert made["ids"][row].tolist() == encoding.ids
        assert made["mask"][row].tolist() == encoding.attention_mask


def test_only_the_declared_tensors_are_made(package: Path) -> None:
    """A model without a mask gets none; a datatype is the model's."""
    specs = [tensor("ids", "INT32", "n", 6)]
    made = processor({"kind": "text", "ids": "ids", "pad_token": "[PAD]", "max_length": 6, "padding": "fixed"},
                     specs, files=package).tensors(["cat"])  # fmt: skip
    assert {name: array.dtype.name for name, array in made.items()} == {"ids": "int32"}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("the " * 9, "has 11 tokens, where the model takes 6; shorten it"),
        ("\ud800", "has half of a surrogate pair, which is no character"),
        ("a" * 100_001, "has 100001 characters, where 100000 are the most"),
        (b"cat", "is bytes, where a text is wanted"),
        ({"text": "cat"}, "is an object, where a text is wanted"),
        (None, "is null, where a text is wanted"),
    ],
)
def test_what_is_refused(package: Path, record: Any, message: str) -> None:  # noqa: ANN401 - anything
    """The record is named; what is too long is refused where truncation is not declared."""
    with pytest.raises(InputError) as caught:
        texts(package, too_long="refuse").tensors(["cat", record])
    assert str(caught.value) == f"record 1: {message}"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pad_token": None}, "processing.input.pad_token: the tokenizer's file names none; declare it"),
        ({"pad_token": "<pad>"}, "processing.input.pad_token: the tokenizer has no token '<pad>'"),
        ({"max_length": 2}, "processing.input.max_length: the tokenizer adds 2 tokens of its own"),
        ({"tokenizer": "no.json"}, "processing.input.tokenizer: the package has no file 'no.json'"),
        ({"tokenizer": "../x.json"}, "processing.input.tokenizer: '../x.json' is outside the package; name a file"),
        ({"tokenizer": "a/../tokenizer.json"}, "processing.input.tokenizer: 'a/../tokenizer.json' is outside"),
        ({"tokenizer": "/etc/passwd"}, "processing.input.tokenizer: '/etc/passwd' is outside the package"),
        ({"tokenizer": "."}, "processing.input.tokenizer: '.' is outside the package"),
        ({"tokenizer": "link.json"}, "processing.input.tokenizer: 'link.json' is outside the package"),
        ({"tokenizer": "\0"}, "processing.input.tokenizer: '\\x00' cannot be read as UTF-8 text"),
        ({"tokenizer": "bytes.json"}, "processing.input.tokenizer: 'bytes.json' cannot be read as UTF-8 text"),
        ({"tokenizer": "circle.json"}, "processing.input.tokenizer: "),
        ({"tokenizer": "empty.json"}, "processing.input.tokenizer: is not a tokenizer.json: "),
        ({"types": "mask"}, "processing.input: ids, mask and types are not all different tensors"),
    ],
)
def test_a_declaration_that_does_not_fit(package: Path, fields: dict[str, Any], message: str) -> None:
    """Files stay inside the package, and what is in them is checked at once."""
    (package / "bytes.json").write_bytes(b"\xff")
    (package / "empty.json").write_text("{}", encoding="utf-8")
    if not (package / "link.json").is_symlink():
        outside = package.with_name("outside.json")
        outside.write_text("{}", encoding="utf-8")
        (package / "link.json").symlink_to(outside)
        (package / "circle.json").symlink_to("circle.json")
    with pytest.raises(InputError) as caught:
        texts(package, **fields)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_model_of_a_fixed_length_takes_fixed_padding(package: Path) -> None:
    """Its length and the declared one are the same."""
    specs = [tensor(name, "INT64", 1, 8) for name in ("ids", "mask", "types")]
    with pytest.raises(InputError, match=r"^processing.input.max_length: gives 6, where axis 1 of 'ids' has 8$"):
        processor(TEXT, specs, files=package)
    with pytest.raises(InputError, match=r"^processing.input.padding: 'ids' has a fixed length; declare fixed$"):
        processor(TEXT | {"max_length": 8}, specs, files=package)
    made = processor(TEXT | {"max_length": 8, "padding": "fixed"}, specs, files=package)
    with pytest.raises(InputError, match=r"^these are 2 records, where the model takes 1 at once$"):
        made.tensors(["cat", "cat"])
    with pytest.raises(InputError, match=r"^these are 0 records"):
        made.tensors([])


@settings(deadline=None)
@given(st.lists(st.text(max_size=20) | st.sampled_from(["the cat", "Unaffable"]), min_size=1, max_size=5))
def test_a_batch_is_its_records_one_by_one(package: Path, records: list[str]) -> None:
    """A fixed length gives the same to the bit; the longest of a batch adds padding only."""
    fixed = texts(package, padding="fixed")
    batch = fixed.tensors(records)
    for name, array in batch.items():
        assert array.tobytes() == np.concatenate([fixed.tensors([record])[name] for record in records]).tobytes()
    longest = texts(package).tensors(records)["ids"]
    assert np.array_equal(longest, batch["ids"][:, : longest.shape[1]])
    assert not batch["ids"][:, longest.shape[1] :].any()


def test_a_tokenizer_that_is_damaged_is_refused(package: Path) -> None:
    """Parts of the file, and parts left out of it, are refused in one line."""
    whole = (package / "tokenizer.json").read_text(encoding="utf-8")
    document = json.loads(whole)
    parts = [whole[: len(whole) * part // 10] for part in range(10)]
    for text in (*parts, "[]", "null", json.dumps(document | {"model": {}}), json.dumps(document | {"model": None})):
        (package / "damaged.json").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"^processing.input.tokenizer: is not a tokenizer.json: .*$"):
            texts(package, tokenizer="damaged.json")
