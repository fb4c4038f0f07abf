"""Images: decoded and resized by Pillow, cropped, and normalised into one tensor."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from opdeploy.errors import InputError
from opdeploy.runtime.processing.records import refused, shown
from opdeploy.runtime.processing.signature import check_rank, check_size, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

    from opdeploy.runtime.processing.records import Record
    from opdeploy.runtime.processing.spec import Crop, Image, Resize
    from opdeploy.runtime.session import Arrays
    from opdeploy.runtime.tensors import TensorSpec

    Pixels = NDArray[np.uint8]
    """Height, width, channels."""

FORMATS = ("BMP", "JPEG", "PNG", "WEBP")
MAX_BYTES = 50_000_000
"""The most that the file of an image may have."""
MAX_PIXELS = 50_000_000
"""The most that an image may have, as it is decoded and as it is resized: 200 MB in Pillow's memory."""

_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "I;16", "I;16B", "I;16L"})


class Images:
    """Makes one tensor of images."""

    def __init__(self, declared: Image, inputs: Sequence[TensorSpec]) -> None:
        """Check the declaration against the model; raises InputError where they do not fit, or Pillow is missing."""
        field = "processing.input"
        spec = find(inputs, declared.tensor, f"{field}.tensor", ("FP16", "FP32", "UINT8"))
        check_rank(spec, (4,), f"{field}.tensor")
        self.tensors_fed = {spec.name}
        self._declared = declared
        self._dtype = spec.datatype.dtype
        self._first = declared.layout == "nchw"
        check_size(spec, 1 if self._first else 3, 1 if declared.channels == "gray" else 3, f"{field}.channels")
        rows, columns = (2, 3) if self._first else (1, 2)
        size = declared.crop or declared.resize
        if size is not None and size.width is not None and size.height is not None:
            check_size(spec, rows, size.height, f"{field}.{'crop' if declared.crop else 'resize'}.height")
            check_size(spec, columns, size.width, f"{field}.{'crop' if declared.crop else 'resize'}.width")
        self._size = (spec.shape[rows], spec.shape[columns]) if spec.shape else (None, None)
        self._values = _values(declared, self._dtype)
        _pillow()

    def tensors(self, records: Sequence[Record]) -> Arrays:
        """Return the batch, in the declared layout."""
        batch: NDArray[Any] | None = None
        for index, record in enumerate(records):
            pixels = self._pixels(index, record)
            if batch is None:
                height, width, channels = pixels.shape
                shape = (channels, height, width) if self._first else pixels.shape
                batch = np.empty((len(records), *shape), self._dtype)
            planes = batch[index] if self._first else np.moveaxis(batch[index], -1, 0)
            if planes.shape[1:] != pixels.shape[:2]:
                raise refused(
                    index,
                    f"is {_sides(pixels.shape)} pixels after resizing, and the first of its batch is "
                    f"{_sides(planes.shape[1:])}; declare resize or crop, or score them one by one",
                )
            for channel, plane in enumerate(planes):
                plane[:] = self._values[channel][pixels[..., channel]]
        return {} if batch is None else {self._declared.tensor: batch}

    def _pixels(self, index: int, record: Record) -> Pixels:
        if not isinstance(record, bytes):
            raise refused(index, f"is {shown(record)}, where an image is the bytes of a file")
        try:
            pixels = _prepared(record, self._declared)
        except InputError as error:
            raise refused(index, str(error)) from None
        for side, size in zip(pixels.shape, self._size, strict=False):
            if isinstance(size, int) and side != size:
                wanted = " x ".join(str(size) if isinstance(size, int) else "any" for size in reversed(self._size))
                raise refused(index, f"is {_sides(pixels.shape)} pixels, where the model takes {wanted}")
        return pixels


def _values(declared: Image, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what each of the 256 values of a pixel becomes, by channel.

    The product is a double that is rounded to single precision, which for 1/255 gives what division by 255 does;
    the difference and the quotient are single precision.
    """
    channels = 1 if declared.channels == "gray" else 3
    if dtype == np.uint8:
        if declared.scale != 1 or declared.mean or declared.std:
            raise InputError(
                "processing.input: the tensor is UINT8, which takes pixels as they are; remove scale, mean and std"
            )
        return np.tile(np.arange(256, dtype=np.uint8), (channels, 1))
    mean = np.array(declared.mean or (0,) * channels, np.float32)[:, None]
    std = np.array(declared.std or (1,) * channels, np.float32)[:, None]
    with np.errstate(all="ignore"):
        scaled = (np.arange(256) * declared.scale).astype(np.float32)
        values: NDArray[Any] = ((scaled - mean) / std).astype(dtype)
    if not np.isfinite(values).all():
        raise InputError("processing.input: scale, mean and std give more than the tensor can hold; check them")
    return values


def _pillow() -> None:
    """Load the four decoders now, and no other: Pillow would load all of its own at the first WebP."""
    try:
        from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin  # noqa: F401
    except ImportError:
        raise InputError("images need Pillow; install opdeploy[image]") from None


def _prepared(data: bytes, declared: Image) -> Pixels:
    if len(data) > MAX_BYTES:
        raise InputError(f"has more than {MAX_BYTES // 10**6} MB")
    picture = _decoded(data, turned=declared.exif == "apply", mode="L" if declared.channels == "gray" else "RGB")
    if declared.resize is not None:
        picture = _resized(picture, declared.resize)
    pixels: Pixels = np.asarray(picture)
    pixels = pixels.reshape(picture.height, picture.width, -1)
    if declared.crop is not None:
        pixels = _cropped(pixels, declared.crop)
    return pixels[..., ::-1] if declared.channels == "bgr" else pixels


def _decoded(data: bytes, *, turned: bool, mode: str) -> Picture:
    """Return the first picture of a file, in the mode RGB or L."""
    from PIL import Image, ImageOps

    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large() from None
    except Exception:  # noqa: BLE001 - what decoders raise has no base class
        raise InputError(f"is no image that can be read; give one of {', '.join(FORMATS)}") from None
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large()
    try:
        picture.load()
        picture.info.pop("transparency", None)  # converting would warn of what it drops
        upright = ImageOps.exif_transpose(picture) if turned else picture
    except Exception:  # noqa: BLE001 - what decoders raise has no base class
        raise InputError("is damaged, or only a part of an image; send it again") from None
    return _converted(upright, mode)


def _too_large() -> InputError:
    return InputError(f"has more than {MAX_PIXELS // 10**6} million pixels")


def _converted(picture: Picture, mode: str) -> Picture:
    """Return it as RGB or L; of 16 bits the upper 8 stay, as Pillow does with colours, and alpha is dropped."""
    from PIL import Image

    if picture.mode not in _MODES:
        raise InputError(f"has pixels of the type {picture.mode}; save it as 8 bits RGB")
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return picture if picture.mode == mode else picture.convert(mode)


def _resized(picture: Picture, wanted: Resize) -> Picture:
    from PIL import Image

    width, height = resized_size(picture.width, picture.height, wanted)
    if width * height > MAX_PIXELS:
        raise InputError(f"would have more than {MAX_PIXELS // 10**6} million pixels when resized")
    if (width, height) == picture.size:
        return picture
    return picture.resize((width, height), Image.Resampling[wanted.interpolation.upper()])


def resized_size(width: int, height: int, wanted: Resize) -> tuple[int, int]:
    """Return width and height of a resized image; the longer side is rounded down, as torchvision's Resize does."""
    if wanted.shorter is None:
        return wanted.width or 1, wanted.height or 1
    longer = int(wanted.shorter * max(width, height) / min(width, height))
    return (wanted.shorter, longer) if width <= height else (longer, wanted.shorter)


def _cropped(pixels: Pixels, wanted: Crop) -> Pixels:
    """Return the centre, with black around it where the image is smaller, by the rules of torchvision's CenterCrop."""
    height, width = pixels.shape[:2]
    top, left = max(0, wanted.height - height), max(0, wanted.width - width)
    if top or left:
        around = ((top // 2, (top + 1) // 2), (left // 2, (left + 1) // 2), (0, 0))
        pixels = np.pad(pixels, around)
    down, right = (
        round((size - crop) / 2) for size, crop in zip(pixels.shape, (wanted.height, wanted.width), strict=False)
    )
    return pixels[down : down + wanted.height, right : right + wanted.width]


def _sides(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}"
