"""Text: tokenised by the tokenizer.json of the package, padded into tensors of whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from opdeploy.errors import InputError
from opdeploy.runtime.processing.records import refused, shown, unfit
from opdeploy.runtime.processing.signature import check_rank, check_size, find, read_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

    from opdeploy.runtime.processing.records import Record
    from opdeploy.runtime.processing.spec import Text
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

_FIELD = "processing.input"


class Texts:
    """Makes the tensors of texts."""

    def __init__(self, declared: Text, inputs: Sequence[TensorSpec], files: Path) -> None:
        """Load the tokenizer, and check the declaration against the model; raises InputError where they do not fit."""
        self._declared = declared
        self._specs = {
            field: find(inputs, name, f"{_FIELD}.{field}", ("INT32", "INT64"))
            for field, name in (("ids", declared.ids), ("mask", declared.mask), ("types", declared.types))
            if name is not None
        }
        self.tensors_fed = {spec.name for spec in self._specs.values()}
        if len(self.tensors_fed) < len(self._specs):
            raise InputError(f"{_FIELD}: ids, mask and types are not all different tensors")
        for field, spec in self._specs.items():
            check_rank(spec, (2,), f"{_FIELD}.{field}")
            if spec.shape and isinstance(spec.shape[1], int):
                check_size(spec, 1, declared.max_length, f"{_FIELD}.max_length")
                if declared.padding != "fixed":
                    raise InputError(f"{_FIELD}.padding: {spec.name!r} has a fixed length; declare fixed")
        self._tokenizer = _tokenizer(read_file(files, declared.tokenizer, f"{_FIELD}.tokenizer"))
        self._pad = _pad(self._tokenizer, declared)
        _set_length(self._tokenizer, declared)

    def tensors(self, records: Sequence[Record]) -> Arrays:
        """Return the batch, padded on the right."""
        encodings = self._tokenizer.encode_batch_fast([_text(*each) for each in enumerate(records)])
        limit = self._declared.max_length
        for index, encoding in enumerate(encodings):
            if len(encoding) > limit:
                raise refused(index, f"has {len(encoding)} tokens, where the model takes {limit}; shorten it")
        fixed = self._declared.padding == "fixed"
        width = limit if fixed else max(1, *map(len, encodings)) if encodings else 1
        arrays = {
            field: np.full((len(encodings), width), self._pad if field == "ids" else 0, spec.datatype.dtype)
            for field, spec in self._specs.items()
        }
        for index, encoding in enumerate(encodings):
            length = len(encoding)
            given = {"ids": encoding.ids, "mask": 1, "types": encoding.type_ids}
            for field, array in arrays.items():
                array[index, :length] = given[field]
        return {self._specs[field].name: array for field, array in arrays.items()}


def _tokenizer(text: str) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError("texts need tokenizers; install opdeploy[text]") from None
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # noqa: BLE001 - the package raises no narrower one
        raise InputError(f"{_FIELD}.tokenizer: is not a tokenizer.json: {' '.join(str(error).split())}") from None


def _pad(tokenizer: Tokenizer, declared: Text) -> int:
    """Return the number of the token that fills rows up."""
    if declared.pad_token is not None:
        number = tokenizer.token_to_id(declared.pad_token)
        if number is None:
            raise InputError(f"{_FIELD}.pad_token: the tokenizer has no token {declared.pad_token!r}")
        return number
    if tokenizer.padding is None:
        raise InputError(f"{_FIELD}.pad_token: the tokenizer's file names none; declare it")
    return int(tokenizer.padding["pad_id"])


def _set_length(tokenizer: Tokenizer, declared: Text) -> None:
    """Let the declaration decide on length and padding, whatever the tokenizer's file says."""
    added = tokenizer.num_special_tokens_to_add(is_pair=False)
    if declared.max_length <= added:
        raise InputError(f"{_FIELD}.max_length: the tokenizer adds {added} tokens of its own, so none is left for text")
    tokenizer.no_padding()
    if declared.too_long == "truncate":
        tokenizer.enable_truncation(declared.max_length)
    else:
        tokenizer.no_truncation()


def _text(index: int, record: Record) -> str:
    if not isinstance(record, str):
        raise refused(index, f"is {shown(record)}, where a text is wanted")
    reason = unfit(record)
    if reason:
        raise refused(index, reason)
    return record
