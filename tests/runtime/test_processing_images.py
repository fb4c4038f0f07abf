"""Images become the tensors that Pillow and torchvision make of them, to the bit; what is no image is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from opdeploy.errors import InputError
from opdeploy.runtime.processing.images import MAX_BYTES, resized_size
from opdeploy.runtime.processing.spec import Processing, Resize
from tests.runtime import torchvision_reference
from tests.runtime.processed import processor, tensor
from tests.runtime.torchvision_reference import CROP, MEAN, SHORTER, STD, picture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from opdeploy.runtime.tensors import TensorSpec

IMAGENET = {
    "kind": "image",
    "tensor": "x",
    "resize": {"shorter": 64},
    "crop": {"width": 56, "height": 56},
    "scale": 1 / 255,
    "mean": MEAN,
    "std": STD,
}
"""As torchvision's models take images, on a quarter of the size."""
FREE = [tensor("x", "FP32", "n", 3, "h", "w")]


def noise(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return an image of noise on a slope, so that each pixel and each edge counts."""
    shape = (height, width) if mode in {"L", "P"} else (height, width, len(mode))
    values = np.random.default_rng(seed).integers(0, 200, shape)
    slope = np.linspace(0, 55, width).astype(int).reshape((1, -1) + (1,) * (values.ndim - 2))
    return Image.frombytes(mode, (width, height), (values + slope).astype(np.uint8).tobytes())


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:  # noqa: ANN401 - options of Pillow
    """Return the file of an image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels(data: bytes, **declared: Any) -> NDArray[Any]:  # noqa: ANN401 - fields of any type
    """Return what one image becomes, by row, column and channel; pixels as they are where nothing else is said."""
    fields = {"kind": "image", "tensor": "x", "layout": "nhwc"} | declared
    count = 1 if fields.get("channels") == "gray" else 3
    made: NDArray[Any] = processor(fields, [tensor("x", "UINT8", "n", "h", "w", count)]).tensors([data])["x"][0]
    return made


@pytest.mark.parametrize(
    ("width", "height", "shorter", "expected"),
    [
        (400, 300, 256, (341, 256)),  # 256 * 400 / 300 = 341.33
        (300, 400, 256, (256, 341)),
        (500, 375, 256, (341, 256)),
        (640, 427, 224, (335, 224)),  # 335.73: rounded down
        (256, 256, 256, (256, 256)),
        (100, 1, 3, (300, 3)),
        (3, 7, 5, (5, 11)),
    ],
)
def test_the_shorter_side_by_torchvisions_rule(
    width: int, height: int, shorter: int, expected: tuple[int, int]
) -> None:
    """Documentation of Resize, torchvision 0.28: "if height > width, rescaled to (size * height / width, size)"."""
    assert resized_size(width, height, Resize(shorter=shorter)) == expected


@pytest.mark.parametrize(
    ("size", "crop", "left", "top"),
    [
        ((8, 8), (4, 4), 2, 2),
        ((7, 8), (4, 4), 2, 2),  # 1.5 goes to the even neighbour, 2
        ((5, 9), (4, 4), 0, 2),  # 0.5 to 0, 2.5 to 2
        ((9, 7), (2, 2), 4, 2),  # 3.5 to 4, 2.5 to 2
        ((4, 4), (4, 4), 0, 0),
        ((3, 4), (4, 4), 0, 0),  # a column is missing: it is added on the right
        ((2, 2), (5, 5), -1, -1),  # 3 are missing: 1 before, 2 after
        ((2, 9), (5, 4), -1, 2),
    ],
)
def test_the_crop_by_torchvisions_rule(size: tuple[int, int], crop: tuple[int, int], left: int, top: int) -> None:
    """The corner is at round((size - crop) / 2), of halves the even one; what is missing is black."""
    picture = noise(*size)
    corner = (left, top, left + crop[0], top + crop[1])
    made = pixels(saved(picture), crop={"width": crop[0], "height": crop[1]})
    assert np.array_equal(made, np.asarray(picture.crop(corner)))


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
def test_decoding_and_resizing_are_pillows(kind: str, interpolation: str) -> None:
    """Pixels are those that Pillow decodes and resizes."""
    data = saved(noise(61, 47), kind)
    reference = Image.open(io.BytesIO(data)).convert("RGB").resize((40, 30), Image.Resampling[interpolation.upper()])
    made = pixels(data, resize={"width": 40, "height": 30, "interpolation": interpolation})
    assert np.array_equal(made, np.asarray(reference))


@pytest.mark.parametrize(("width", "height"), torchvision_reference.SIZES)
def test_normalised_images_are_those_of_torchvision(width: int, height: int) -> None:
    """Resize, CenterCrop, ToTensor and Normalize of torchvision gave the same numbers, to the bit."""
    declared = IMAGENET | {"resize": {"shorter": SHORTER}, "crop": {"width": CROP, "height": CROP}}
    made = processor(declared, FREE).tensors([saved(picture(width, height))])["x"][0]
    with np.load(Path(__file__).with_name("torchvision.npz")) as references:
        assert made.tobytes() == references[f"{width}x{height}"].tobytes()


def test_normalising_is_single_precision_in_the_stated_order() -> None:
    """Each number is (float(pixel * scale) - mean) / std; for 1/255 the product is what the quotient would be."""
    picture = Image.frombytes("RGB", (256, 1), bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
    made = processor(IMAGENET | {"resize": None, "crop": None}, FREE).tensors([saved(picture)])["x"][0, :, 0]
    unit = np.arange(256, dtype=np.float32) / np.float32(255)
    for channel in range(3):
        reference = (unit - np.float32(MEAN[channel])) / np.float32(STD[channel])
        assert made[channel].tobytes() == reference.tobytes()


def test_half_precision_is_rounded_at_the_end() -> None:
    """A tensor of FP16 holds the single precision numbers, rounded once."""
    data = saved(noise(70, 70))
    half = processor(IMAGENET, [tensor("x", "FP16", "n", 3, 56, 56)]).tensors([data])["x"]
    assert np.array_equal(half, processor(IMAGENET, FREE).tensors([data])["x"].astype(np.float16))


def test_layout_and_channels() -> None:
    """Channels come in the declared order, before or behind the pixels; grey is Pillow's."""
    picture = noise(5, 4)
    data, rgb = saved(picture), np.asarray(picture)
    assert np.array_equal(pixels(data), rgb)
    assert np.array_equal(pixels(data, channels="bgr"), rgb[..., ::-1])
    assert np.array_equal(pixels(data, channels="gray")[..., 0], np.asarray(picture.convert("L")))
    first = processor({"kind": "image", "tensor": "x"}, [tensor("x", "UINT8", "n", 3, 4, 5)]).tensors([data])["x"]
    assert np.array_equal(first[0], rgb.transpose(2, 0, 1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_counts_only_where_it_is_declared(orientation: int) -> None:
    """An image is turned as EXIF says with `apply`, and not without."""
    picture = noise(6, 4)
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # to a method of transpose, by the EXIF standard
    turned = picture.transpose(Image.Transpose(turns[orientation])) if orientation > 1 else picture
    data = saved(picture, exif=exif)
    assert np.array_equal(pixels(data), np.asarray(picture))
    assert np.array_equal(pixels(data, exif="apply"), np.asarray(turned))


def test_what_is_not_rgb_becomes_it() -> None:
    """Palettes are looked up, alpha is dropped, black ink is converted by Pillow, and of 16 bits the upper 8 stay."""
    rgb = noise(5, 4)
    alpha = noise(5, 4, "RGBA")
    palette = rgb.quantize(8)
    ink = saved(noise(5, 4, "CMYK"), "JPEG")
    deep = np.arange(20, dtype=np.uint16).reshape(4, 5) * 3001
    cases = {
        "alpha": (saved(alpha), np.asarray(alpha)[..., :3]),
        "palette": (saved(palette), np.asarray(palette.convert("RGB"))),
        "palette with alpha": (saved(palette, transparency=bytes([0, 9])), np.asarray(palette.convert("RGB"))),
        "grey": (saved(rgb.convert("L")), np.repeat(np.asarray(rgb.convert("L"))[..., None], 3, 2)),
        "ink": (ink, np.asarray(Image.open(io.BytesIO(ink)).convert("RGB"))),
        "16 bits": (saved(Image.fromarray(deep)), np.repeat((deep >> 8)[..., None], 3, 2)),
    }
    assert {name for name, (data, reference) in cases.items() if not np.array_equal(pixels(data), reference)} == set()


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that says it has so many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


JPEG = saved(noise(40, 30), "JPEG")
PNG = saved(noise(40, 30))

WIDE_WEBP = bytes.fromhex("524946461a000000574542505650384c0e0000002ffebfff0f071011fd0f4444ff03")
"""16383 by 16383 pixels of black."""


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"", "record 0: is no image that can be read; give one of BMP, JPEG, PNG, WEBP"),
        (b"GIF89a", "record 0: is no image"),
        (saved(noise(4, 4), "GIF"), "record 0: is no image"),
        (saved(noise(4, 4), "TIFF"), "record 0: is no image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "record 0: is no image"),
        (JPEG[: len(JPEG) // 2], "record 0: is damaged"),
        (PNG[: len(PNG) // 2], "record 0: is damaged"),
        (PNG[:30], "record 0: is"),
        (bomb(8000, 8000), "record 0: has more than 50 million pixels"),
        (bomb(12_000, 12_000), "record 0: has more than 50 million pixels"),
        (WIDE_WEBP, "record 0: has more than 50 million pixels"),
        (bomb(2**31 - 1, 2**31 - 1), "record 0: has more than 50 million pixels"),
        (bomb(0, 7), "record 0: is"),
        (bytes(MAX_BYTES + 1), "record 0: has more than 50 MB"),
        (saved(noise(16_000, 1)), "record 0: would have more than 50 million pixels when resized"),
        ("text", "record 0: is 'text', where an image is the bytes of a file"),
        ({"a": 1}, "record 0: is an object"),
        (None, "record 0: is null"),
    ],
)
def test_what_is_no_image_is_refused(record: Any, message: str) -> None:  # noqa: ANN401 - anything
    """A file that is none, damaged or too large is refused in a sentence."""
    with pytest.raises(InputError) as caught:
        processor(IMAGENET, FREE).tensors([record])
    assert str(caught.value).startswith(message)


def test_the_record_that_is_refused_is_named() -> None:
    """Its place in the batch stands in the message, and two sizes in a batch are refused."""
    free = processor({"kind": "image", "tensor": "x"}, [tensor("x", "UINT8", "n", 3, None, None)])
    with pytest.raises(InputError, match=r"^record 1: is no image"):
        free.tensors([PNG, b"no"])
    with pytest.raises(InputError, match=r"^record 2: is 4 x 3 pixels after resizing, and the first .* is 40 x 30;"):
        free.tensors([PNG, PNG, saved(noise(4, 3))])
    fixed = processor({"kind": "image", "tensor": "x"}, [tensor("x", "UINT8", "n", 3, 30, "w")])
    with pytest.raises(InputError, match=r"^record 0: is 4 x 3 pixels, where the model takes any x 30$"):
        fixed.tensors([saved(noise(4, 3))])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([JPEG, PNG, saved(noise(9, 9), "WEBP"), saved(noise(9, 9), "BMP")]), st.data())
def test_damage_ends_in_pixels_or_a_refusal(data: bytes, draw: st.DataObject) -> None:
    """Whatever bytes are changed, the image is read or refused in one line."""
    changed = bytearray(data)
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), min_size=1, max_size=6)):
        changed[place] = draw.draw(st.integers(0, 255))
    try:
        pixels(bytes(changed))
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 - it need not be refused


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90), st.integers(0, 9)), min_size=1, max_size=5))
def test_a_batch_is_its_records_one_by_one(sizes: list[tuple[int, int, int]]) -> None:
    """No image changes another's numbers."""
    records = [saved(noise(width, height, seed=seed)) for width, height, seed in sizes]
    images = processor(IMAGENET, FREE)
    single = [images.tensors([record])["x"] for record in records]
    assert images.tensors(records)["x"].tobytes() == np.concatenate(single).tobytes()


@pytest.mark.parametrize(
    ("change", "spec", "message"),
    [
        ({"tensor": "X"}, FREE[0], "processing.input.tensor: the model has no tensor 'X' there; did you mean \"x\"?"),
        ({}, tensor("x", "INT64", "n", 3, 9, 9), "processing.input.tensor: 'x' is INT64, where this takes"),
        ({}, tensor("x", "FP32", "n", 9), "processing.input.tensor: 'x' has 2 axes, where this takes 4"),
        ({}, tensor("x", "FP32", "n", 1, 56, 56), "processing.input.channels: gives 3, where axis 1 of 'x' has 1"),
        ({}, tensor("x", "FP32", "n", 3, 56, 57), "processing.input.crop.width: gives 56, where axis 3 of 'x' has 57"),
        ({"layout": "nhwc"}, tensor("x", "FP32", "n", 55, 56, 3), "processing.input.crop.height: gives 56, where axis"),
        ({}, tensor("x", "UINT8", "n", 3, 56, 56), "processing.input: the tensor is UINT8, which takes pixels as they"),
        ({"std": [1e-9] * 3}, tensor("x", "FP16", "n", 3, 56, 56), "processing.input: scale, mean and std give more"),
    ],
)
def test_a_declaration_that_does_not_fit_the_model_names_the_field(
    change: dict[str, Any],
    spec: TensorSpec,
    message: str,
) -> None:
    """The check is made before any record is read."""
    with pytest.raises(InputError) as caught:
        processor(IMAGENET | change, [spec])
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": [0.5]}, "mean has 1 numbers, where rgb has 3 channels"),
        ({"std": [1, 0, 1]}, "scale and std are not 0"),
        ({"scale": float("nan")}, "scale, mean and std are finite numbers"),
        ({"resize": {}}, "give either shorter, or width and height"),
        ({"resize": {"width": 3}}, "give either shorter, or width and height"),
        ({"resize": {"shorter": 3, "width": 3, "height": 3}}, "give either shorter, or width and height"),
        ({"resize": {"shorter": 10**6}}, "Expected `int` <= 16384"),
        ({"crop": {"width": 3}}, "missing required field `height`"),
        ({"colour": "rgb"}, "unknown field `colour`"),
        ({"layout": "chwn"}, "Invalid enum value 'chwn'"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(change: dict[str, Any], message: str) -> None:
    """It is refused as it is read, with the path of the field."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"input": IMAGENET | change}, Processing)
    assert message in str(caught.value)
