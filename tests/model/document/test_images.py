import hashlib
import io
import math
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageOps
from PIL.ExifTags import Base as ExifTag

from model.document.formats import NAMES, format_of
from model.document.images import crop, for_browsers, image_key, load_image
from model.errors import ImageError

LIMITS = {"max_bytes": 5_000_000, "max_pixels": 1_000_000}
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "WEBP": {"lossless": True, "exact": True}}
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)

pixels = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


def encoded(image, file_format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def four_colours(width=40, height=24):
    """Red and green above, blue and white below: each of the eight orientations looks different."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    return image


@given(pixels, st.sampled_from(sorted(LOSSLESS)))
@settings(deadline=None)
def test_what_a_lossless_format_keeps_comes_back(image, file_format):
    data = encoded(Image.fromarray(image), file_format, **LOSSLESS[file_format])
    assert np.array_equal(load_image(data, **LIMITS), image)


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_a_lossy_format_comes_back_nearly(file_format):
    loaded = load_image(encoded(four_colours(), file_format, quality=95), **LIMITS)
    assert np.abs(loaded.astype(int) - np.asarray(four_colours())).mean() < 8


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(file_format, orientation):
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {"quality": 95} if file_format == "JPEG" else {}
    stored = four_colours()
    expected = np.asarray(_turned(stored, orientation))
    loaded = load_image(encoded(stored, file_format, exif=exif, **options), **LIMITS)
    assert loaded.shape == expected.shape
    assert np.abs(loaded.astype(int) - expected).mean() < 8


def _turned(image, orientation):
    """Return what the EXIF standard says that a viewer shows."""
    tagged = image.copy()
    tagged.getexif()[ExifTag.Orientation] = orientation
    return ImageOps.exif_transpose(tagged)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation):
    exif = Image.Exif()
    exif[ExifTag.Orientation] = orientation
    loaded = load_image(encoded(four_colours(), exif=exif), **LIMITS)
    assert np.array_equal(loaded, np.asarray(four_colours()))


def test_broken_metadata_does_not_spoil_the_pixels():
    data = encoded(four_colours(), "JPEG", quality=95)
    broken = b"Exif\0\0" + b"MM\0\x2a" + b"\xff" * 20
    segment = b"\xff\xe1" + struct.pack(">H", len(broken) + 2) + broken
    loaded = load_image(data[:2] + segment + data[2:], **LIMITS)
    assert np.array_equal(loaded, load_image(data, **LIMITS))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_becomes_rgb(file_format):
    loaded = load_image(encoded(four_colours().convert("CMYK"), file_format), **LIMITS)
    assert np.abs(loaded[6, 10].astype(int) - RED).max() < 40
    assert np.abs(loaded[18, 30].astype(int) - WHITE).max() < 10


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
@given(values=arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
@settings(deadline=None)
def test_sixteen_bit_grey_keeps_its_upper_eight_bits(file_format, values):
    # Without one of the upper two bits they would be samples of fewer bits.
    values[0, 0] |= 1 << 15
    loaded = load_image(encoded(Image.fromarray(values), file_format), **LIMITS)
    assert np.array_equal(loaded, np.repeat((values >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_big_endian_sixteen_bit_grey_is_not_byte_swapped():
    image = Image.fromarray(np.array([[0, 0x1234], [0x8000, 0xFFFF]], ">u2"))
    assert image.mode == "I;16B"
    assert load_image(encoded(image, "TIFF"), **LIMITS)[:, :, 0].tolist() == [[0, 0x12], [0x80, 0xFF]]


GRADIENT = np.linspace(0, 1, 64).reshape(4, 16)


def deep(samples, suffix):
    """Return colours of 16 bits as a PNG or TIFF, which Pillow cannot write."""
    return cv2.imencode(".png", samples[:, :, ::-1] if samples.shape[2] == 3 else samples[:, :, [2, 1, 0, 3]])[
        1
    ].tobytes()


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_samples_of_fewer_bits_than_their_file_has_are_as_bright_as_they_were(bits):
    grey = np.round(GRADIENT * (2**bits - 1)).astype(np.uint16)
    expected = (grey >> (bits - 8)).astype(int)
    colours = np.stack([grey, grey[::-1], grey[:, ::-1]], axis=2)
    opaque = np.dstack([colours, np.full_like(grey, 65535)])
    for data in (encoded(Image.fromarray(grey)), encoded(Image.fromarray(grey), "TIFF")):
        assert np.abs(load_image(data, **LIMITS)[:, :, 0] - expected).max() <= 1
    for data in (deep(colours, ".png"), deep(opaque, ".png"), deep(colours, ".tiff")):
        loaded = load_image(data, **LIMITS).astype(int)
        assert np.abs(loaded[:, :, 0] - expected).max() <= 1
        assert np.abs(loaded[:, :, 1] - expected[::-1]).max() <= 1


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_thirty_two_bit_grey_is_stretched(dtype):
    image = Image.fromarray(np.array([[-5, 0], [5, 15]], dtype))
    assert load_image(encoded(image, "TIFF"), **LIMITS)[:, :, 0].tolist() == [[0, 63], [127, 255]]


def test_thirty_two_bit_grey_of_one_value_is_no_division_by_zero():
    assert load_image(encoded(Image.new("F", (3, 2), 7.0), "TIFF"), **LIMITS).shape == (2, 3, 3)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_transparency_is_laid_on_white(file_format):
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 4, 8))
    image.paste((0, 0, 0, 128), (4, 0, 8, 4))
    loaded = load_image(encoded(image, file_format, **LOSSLESS.get(file_format, {})), **LIMITS)
    assert tuple(loaded[7, 0]) == RED
    assert tuple(loaded[7, 7]) == WHITE
    assert np.abs(loaded[0, 7].astype(int) - 127).max() <= 1


def test_grey_with_transparency_is_laid_on_white():
    image = Image.new("LA", (4, 4), (0, 0))
    assert (load_image(encoded(image), **LIMITS) == 255).all()


def test_a_palette_is_resolved_and_its_transparent_colour_is_white():
    image = four_colours().quantize(4)
    assert np.array_equal(load_image(encoded(image), **LIMITS), np.asarray(four_colours()))
    red = image.getpixel((0, 0))
    loaded = load_image(encoded(image, transparency=red), **LIMITS)
    assert tuple(loaded[0, 0]) == WHITE
    assert tuple(loaded[0, 39]) == GREEN


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_black_and_white(file_format):
    image = Image.new("1", (9, 3), 1)
    image.putpixel((4, 1), 0)
    loaded = load_image(encoded(image, file_format), **LIMITS)
    assert tuple(loaded[1, 4]) == (0, 0, 0)
    assert (loaded == 255).sum() == (27 - 1) * 3


@pytest.mark.parametrize("file_format", ["TIFF", "WEBP"])
def test_of_several_pages_the_first_is_taken(file_format):
    data = encoded(
        Image.new("RGB", (8, 8), BLUE),
        file_format,
        save_all=True,
        append_images=[Image.new("RGB", (8, 8), RED)],
        **LOSSLESS[file_format],
    )
    assert tuple(load_image(data, **LIMITS)[0, 0]) == BLUE


def test_the_pixels_can_be_written_to():
    image = load_image(encoded(four_colours()), **LIMITS)
    image[0, 0] = 1
    assert image.flags.c_contiguous


def test_a_file_above_the_limit_of_bytes_is_refused():
    data = encoded(four_colours())
    assert load_image(data, max_bytes=len(data), max_pixels=10_000).shape == (24, 40, 3)
    with pytest.raises(ImageError, match="MAX_IMAGE_BYTES"):
        load_image(data, max_bytes=len(data) - 1, max_pixels=10_000)


def test_an_image_above_the_limit_of_pixels_is_refused():
    data = encoded(four_colours(40, 24))
    assert load_image(data, max_bytes=10_000, max_pixels=960).shape == (24, 40, 3)
    with pytest.raises(ImageError, match="40 × 24"):
        load_image(data, max_bytes=10_000, max_pixels=959)


@pytest.mark.parametrize("side", [9_000, 30_000, 1_000_000])
def test_a_small_file_that_would_unfold_into_gigabytes_is_refused_without_decoding(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="pixels"):
            load_image(data, max_bytes=5_000_000, max_pixels=60_000_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"no image at all", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"RIFF"])
def test_what_is_no_image_is_an_image_error(data):
    with pytest.raises(ImageError):
        load_image(data, **LIMITS)


@pytest.mark.parametrize("file_format", ["PPM", "ICO", "TGA", "PCX"])
def test_other_formats_are_refused(file_format):
    with pytest.raises(ImageError, match="PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, JPEG 2000, HEIC"):
        load_image(encoded(four_colours(), file_format), **LIMITS)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("GIF", {}),
        ("AVIF", {"quality": 95}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
        ("MPO", {"quality": 95}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_what_browsers_show_and_phones_write_is_read(file_format, options, mode):
    image = four_colours().convert(mode)
    loaded = load_image(encoded(image, file_format, **options), **LIMITS)
    assert np.abs(loaded.astype(int) - np.asarray(image.convert("RGB"))).mean() < 8


def test_a_photograph_in_heic_is_read():
    loaded = load_image((Path(__file__).parent / "rose_garden.heic").read_bytes(), **LIMITS)
    assert loaded.shape == (64, 320, 3)
    assert loaded[:8].min() > 240
    assert loaded.min() < 60


def test_of_an_animation_the_first_picture_is_taken():
    frames = [Image.new("RGB", (9, 9), RED), Image.new("RGB", (9, 9), BLUE)]
    for file_format in ("GIF", "AVIF"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert np.abs(load_image(data, **LIMITS)[4, 4].astype(int) - RED).max() < 12


@pytest.mark.parametrize(
    ("file_format", "options"),
    [*((name, {}) for name in NAMES if name != "HEIF"), ("JPEG2000", {"no_jp2": True}), ("TIFF", {"big_tiff": True})],
)
def test_files_are_told_by_how_they_begin(file_format, options):
    kind = format_of(encoded(four_colours(), file_format, **options))
    assert kind is not None
    assert kind.name == file_format


def test_a_heic_file_is_told_by_how_it_begins_and_a_film_is_none():
    kind = format_of((Path(__file__).parent / "rose_garden.heic").read_bytes())
    assert kind is not None
    assert (kind.name, kind.media_type, kind.shown) == ("HEIF", "image/heic", False)
    assert format_of(b"\0\0\0\x18ftypisom\0\0\2\0isommp41" + bytes(40)) is None
    assert format_of(b"") is None


def test_what_browsers_do_not_show_is_made_a_picture_that_they_do():
    shown = encoded(four_colours(), "GIF")
    assert for_browsers(shown, **LIMITS) is shown
    for file_format in ("TIFF", "JPEG2000", "AVIF"):
        data = encoded(four_colours(), file_format)
        made = for_browsers(data, **LIMITS)
        assert made.startswith(b"\x89PNG")
        assert np.array_equal(load_image(made, **LIMITS), load_image(data, **LIMITS))


def printed(ink, size=(160, 60), mode="RGBA"):
    """Return transparency with bars of an ink on it, half of it with soft edges."""
    image = Image.new(mode, size, (0,) * len(ink))
    for left in range(10, size[0] - 10, 20):
        image.paste(ink, (left, 10, left + 6, 50))
        image.paste((*ink[:-1], 120), (left + 6, 10, left + 8, 50))
    return image


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "backdrop"),
    [
        ((255, 255, 255, 255), 0),
        ((240, 235, 200, 255), 0),
        ((255, 255, 0, 255), 0),
        ((0, 0, 0, 255), 255),
        ((20, 40, 120, 255), 255),
        ((200, 30, 30, 255), 255),
    ],
)
def test_transparency_is_laid_on_what_the_print_stands_out_from(file_format, ink, backdrop):
    loaded = load_image(encoded(printed(ink), file_format, **LOSSLESS.get(file_format, {})), **LIMITS)
    assert tuple(loaded[0, 0]) == (backdrop,) * 3
    assert tuple(loaded[30, 12]) == ink[:3]


def test_light_grey_print_on_transparency_is_laid_on_black():
    assert load_image(encoded(printed((250, 255), mode="LA")), **LIMITS)[0, 0, 0] == 0


def test_light_and_dark_print_on_transparency_both_stand_out():
    image = printed((255, 255, 255, 255))
    image.paste(printed((0, 0, 0, 255), (80, 60)), (0, 0))
    loaded = load_image(encoded(image), **LIMITS).astype(int)
    assert abs(loaded[0, 0, 0] - loaded[30, 12, 0]) > 64
    assert abs(loaded[0, 0, 0] - loaded[30, 152 - 20, 0]) > 64


def test_round_corners_of_a_light_card_stay_white():
    card = Image.new("RGBA", (100, 60), (0, 0, 0, 0))
    ImageDraw.Draw(card).rounded_rectangle((0, 0, 99, 59), 8, fill=(250, 250, 250, 255))
    assert tuple(load_image(encoded(card), **LIMITS)[0, 0]) == WHITE


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2, 10, 400])
def test_a_jpeg_whose_end_is_missing_is_read_as_far_as_it_goes(progressive, missing, caplog):
    noise = np.random.default_rng(1).integers(0, 256, (60, 80, 3), np.uint8)
    exif = Image.Exif()
    exif[ExifTag.Orientation] = 6
    data = encoded(Image.fromarray(noise), "JPEG", progressive=progressive, exif=exif)
    whole, cut = load_image(data, **LIMITS), load_image(data[:-missing], **LIMITS)
    assert cut.shape == whole.shape == (80, 60, 3)
    # Turned by a quarter: the upper half of the file is the right half of the picture.
    assert np.abs(cut[:, 40:].astype(int) - whole[:, 40:]).mean() < (40 if progressive else 1)
    if missing > 2:
        assert "cut off" in caplog.text


def test_a_jpeg_that_holds_no_picture_is_refused():
    data = encoded(four_colours(), "JPEG")
    start = data.index(b"\xff\xda")
    for end in (20, start, start + 14):
        with pytest.raises(ImageError):
            load_image(data[:end], **LIMITS)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_truncated_file_is_an_image_error(file_format, share):
    noise = np.random.default_rng(1).integers(0, 256, (60, 60, 3), np.uint8)
    data = encoded(Image.fromarray(noise), file_format)
    with pytest.raises(ImageError):
        load_image(data[: int(len(data) * share)], **LIMITS)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
@given(st.data())
@settings(deadline=None, max_examples=60)
def test_a_damaged_file_gives_pixels_or_an_image_error(file_format, data):
    file = bytearray(encoded(four_colours(), file_format))
    for _ in range(data.draw(st.integers(1, 8))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = load_image(bytes(file), **LIMITS)
    except ImageError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype == np.uint8


def test_the_key_of_a_file_is_its_sha256():
    assert image_key(b"card") == hashlib.sha256(b"card").hexdigest()


@given(pixels, st.data())
def test_the_crop_of_an_upright_box_is_that_part_of_the_image(image, data):
    height, width = image.shape[:2]
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    cut = crop(image, ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
    assert np.array_equal(cut, image[y0:y1, x0:x1])


@pytest.mark.parametrize("turns", range(4))
def test_a_crop_begins_where_its_polygon_begins(turns):
    corners = ((0.0, 0.0), (40.0, 0.0), (40.0, 24.0), (0.0, 24.0))
    cut = crop(np.asarray(four_colours()), corners[turns:] + corners[:turns])
    expected = np.rot90(np.asarray(four_colours()), turns)
    assert cut.shape == expected.shape
    # The warp of a turned crop reads half a pixel beside the edges.
    assert np.abs(cut.astype(int) - expected).mean() < 12


@given(st.floats(-40, 40))
@settings(deadline=None)
def test_a_tilted_polygon_is_straightened(degrees):
    angle = math.radians(degrees)
    along, across = (math.cos(angle), math.sin(angle)), (-math.sin(angle), math.cos(angle))
    image = Image.new("RGB", (200, 200), WHITE)
    corners = [
        (100 + a * along[0] + b * across[0], 100 + a * along[1] + b * across[1])
        for a, b in ((-50, -15), (50, -15), (50, 15), (-50, 15))
    ]
    ImageDraw.Draw(image).polygon(corners, fill=BLUE)
    cut = crop(np.asarray(image), tuple(corners))
    assert abs(cut.shape[1] - 100) <= 1
    assert abs(cut.shape[0] - 30) <= 1
    assert (cut[3:-3, 3:-3] == BLUE).all()


def test_of_many_points_the_smallest_rectangle_is_cut():
    octagon = ((10, 8), (20, 6), (30, 8), (32, 12), (30, 16), (20, 18), (10, 16), (8, 12))
    assert crop(np.asarray(four_colours()), octagon).shape == (12, 24, 3)


def test_what_lies_outside_the_page_repeats_its_border():
    cut = crop(np.asarray(four_colours()), ((-10, -10), (10, -10), (10, 10), (-10, 10)))
    assert cut.shape == (20, 20, 3)
    assert (cut == RED).all()


@pytest.mark.parametrize(
    "polygon",
    [(), ((0, 0), (5, 0), (5, 5)), ((1, 1), (1, 1), (1, 1), (1, 1)), ((0, 0), (5, 5), (9, 9), (3, 3))],
)
def test_a_polygon_without_area_cannot_be_cut_out(polygon):
    with pytest.raises(ValueError, match="cut out"):
        crop(np.asarray(four_colours()), polygon)
