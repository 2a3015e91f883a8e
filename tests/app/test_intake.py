"""Intake: one canonical picture through every door, and clear refusals (rows 1 to 5 and 32)."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from PIL import ExifTags, Image

from app.intake import Picture, read
from app.settings import Settings
from model.errors import PictureError
from model.types import Size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
LOSSLESS = {"WEBP": {"lossless": True}}


def photo(width: int = 60, height: int = 40) -> Image.Image:
    """Returns a picture whose four corners differ, smooth enough for JPEG."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height))
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Returns the bytes of a picture file."""
    out = BytesIO()
    image.save(out, kind, **{**LOSSLESS.get(kind, {}), **options})
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """Returns the first bytes of a PNG that claims a size and holds nothing."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data = b"IDAT" + zlib.compress(b"")
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + struct.pack(">I", len(data) - 4)
        + data
        + struct.pack(">I", zlib.crc32(data))
    )


def pixels(picture: Picture) -> np.ndarray:
    """Returns uint8[H, W, 3]."""
    return np.asarray(picture.image)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_door_gives_the_same_picture(kind: str, tmp_path: Path) -> None:
    content = encoded(photo(), kind)
    path = tmp_path / "picture.dat"
    path.write_bytes(content)
    doors = [read(content), read(path), read(str(path)), read(Image.open(BytesIO(content)))]
    assert len({door.key for door in doors}) == 1
    assert all(door.image.mode == "RGB" and door.size == Size(60, 40) for door in doors)
    assert all(not door.image.info and not door.image.getexif() for door in doors)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_kinds_keep_every_pixel(kind: str) -> None:
    assert np.array_equal(pixels(read(encoded(photo(), kind))), np.asarray(photo()))


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "animation.gif"
    path.write_bytes(encoded(photo(), "PNG"))
    assert read(path).key == read(photo()).key


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_sets_pictures_upright(kind: str, orientation: int) -> None:
    upright = photo()
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    picture = read(encoded(stored, kind, exif=exif))
    assert picture.size == picture.original == Size(60, 40)
    apart = np.abs(pixels(picture).astype(int) - np.asarray(upright).astype(int))
    assert apart.mean() < 4  # JPEG is lossy; a wrong turn is an error of about 80
    assert read(Image.open(BytesIO(encoded(stored, kind, exif=exif)))).key == picture.key


def test_unreadable_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 99
    assert read(encoded(photo(), "PNG", exif=exif)).key == read(photo()).key


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64, dtype=np.uint16).reshape(1, 64).repeat(16, axis=0)
    shown = pixels(read(encoded(Image.fromarray(ramp), "PNG")))
    assert np.abs(shown[..., 0] - ramp / 257.0).max() <= 0.5
    assert shown[0, 0, 0] == 0
    assert shown[0, -1, 0] == 255


def test_hidden_pixels_behind_alpha_become_white_and_it_is_said() -> None:
    image = photo().convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    picture = read(encoded(image, "PNG"))
    assert (pixels(picture) == 255).all()
    assert "white" in picture.notes[0]
    half = photo().convert("RGBA")
    half.putalpha(128)
    expected = np.asarray(photo()) * (128 / 255) + 255 * (127 / 255)
    assert np.abs(pixels(read(half)) - expected).max() <= 1


@pytest.mark.parametrize(
    "image",
    [
        photo().convert("L"),
        photo().convert("1"),
        photo().convert("P"),
        photo().convert("LA"),
        photo().convert("RGBA"),
        photo().convert("CMYK"),
        photo().convert("YCbCr"),
    ],
    ids=lambda image: image.mode,
)
def test_every_common_mode_becomes_rgb(image: Image.Image) -> None:
    assert np.array_equal(pixels(read(image)), np.asarray(image.convert("RGB")))


def test_cmyk_jpeg_and_transparent_palette() -> None:
    shown = pixels(read(encoded(photo().convert("CMYK"), "JPEG", quality=95)))
    assert np.abs(shown.astype(int) - np.asarray(photo()).astype(int)).mean() < 6
    palette = photo().quantize(8)
    shown = pixels(read(encoded(palette, "GIF", transparency=palette.getpixel((0, 0)))))
    assert (shown[0, 0] == 255).all()


@pytest.mark.parametrize("mode", ["F", "LAB", "HSV", "I"])
def test_exotic_samples_are_refused_by_name(mode: str) -> None:
    with pytest.raises(PictureError, match=f"kind {mode}; save it"):
        read(Image.new(mode, (20, 20)))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_only_the_first_frame_of_an_animation_is_used(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    picture = read(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert tuple(pixels(picture)[0, 0]) == (255, 0, 0)
    assert picture.notes == ("Only the first frame is used.",)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_large_pictures_are_reduced_and_keep_their_proportions(kind: str) -> None:
    picture = read(encoded(photo(400, 200), kind), Settings(kept_side=100))
    assert picture.original == Size(400, 200)
    assert picture.size == Size(100, 50)
    assert picture.notes == ("Reduced from 400×200 to 100×50.",)
    small = np.asarray(photo(100, 50)).astype(int)
    assert np.abs(pixels(picture).astype(int) - small).mean() < 4


@effort(max_examples=40, deadline=None)
@given(st.integers(8, 400), st.integers(8, 400), st.sampled_from(["JPEG", "PNG"]))
def test_reduced_pictures_keep_the_unit_frame(width: int, height: int, kind: str) -> None:
    picture = read(encoded(photo(width, height), kind), Settings(kept_side=100))
    assert max(picture.image.size) <= 100
    scale = width / picture.size.width
    assert abs(height / picture.size.height - scale) <= scale / min(picture.image.size)


def test_the_key_depends_on_shape_as_well_as_bytes() -> None:
    grey = bytes(30 * 100 * 3)
    wide, tall = (Image.frombytes("RGB", size, grey) for size in ((100, 30), (30, 100)))
    assert read(wide).key != read(tall).key
    assert read(wide).key == read(wide.copy()).key


def test_other_kinds_are_refused_by_name() -> None:
    with pytest.raises(PictureError, match="HEIC"):
        read(b"\x00\x00\x00\x18ftypheic" + bytes(20))
    with pytest.raises(PictureError, match="empty"):
        read(b"")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("percent", range(0, 100, 5))
def test_truncated_files_are_refused(kind: str, percent: int) -> None:
    content = encoded(photo(97, 61), kind)
    with pytest.raises(PictureError):
        read(content[: len(content) * percent // 100])


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((1, 1), "1×1 pixels; each side needs at least 8"),
        ((1, 60_000), "1×60000"),
        ((60_000, 1), "60000×1"),
        ((10, 501), "10×501.*times the shorter"),
        ((13_000, 13_000), "million pixels"),
        ((20_000, 20_000), "million pixels"),
        ((2**31 - 1, 2**31 - 1), "million pixels"),
    ],
)
def test_sides_and_proportions(size: tuple[int, int], words: str) -> None:
    with pytest.raises(PictureError, match=words):
        read(png_header(*size))


@effort(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 700))
def test_small_pictures_pass_exactly_by_the_rules(width: int, height: int) -> None:
    allowed = min(width, height) >= 8 and max(width, height) <= 50 * min(width, height)
    image = Image.new("RGB", (width, height))
    if allowed:
        assert read(image).size == Size(width, height)
    else:
        with pytest.raises(PictureError):
            read(image)


@effort(max_examples=150, deadline=None)
@given(st.sampled_from(FORMATS), st.data())
def test_damaged_files_give_a_picture_or_a_refusal(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(photo(24, 16), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    try:
        picture = read(bytes(content), Settings(max_pixels=1_000_000))
    except PictureError:
        return
    assert picture.image.mode == "RGB"


@pytest.mark.parametrize("chunk", [b"VP8X", b"VP8L", b"VP8 "])
def test_webp_bombs_are_refused_before_pillow_allocates(chunk: bytes) -> None:
    body = {
        b"VP8X": bytes(4) + b"\xff\x3f\x00\xff\x3f\x00",
        b"VP8L": b"\x2f" + struct.pack("<I", 0x3FFF | 0x3FFF << 14) + bytes(5),
        b"VP8 ": b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 0x3FFF, 0x3FFF),
    }[chunk]
    with pytest.raises(PictureError, match=r"1638[34]×1638[34]"):
        read(b"RIFF\x00\x00\x00\x00WEBP" + chunk + struct.pack("<I", 10) + body + bytes(100))


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    content = encoded(photo(), "JPEG") + b"\xff\xda" * 100
    with pytest.raises(PictureError, match="scans"):
        read(content)


def test_a_tiff_with_huge_tiles_is_refused() -> None:
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: 60_000, 323: 60_000, 324: 8}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    counts = struct.pack("<HHII", 325, 4, 1, 100)
    directory = struct.pack("<H", len(tags) + 1) + entries + counts + bytes(4)
    with pytest.raises(PictureError, match="tiles are larger"):
        read(b"II*\x00" + struct.pack("<I", 8) + directory + bytes(200))


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.png", Path("/dev/zero"), "a\0b"):
        with pytest.raises(PictureError):
            read(path)


def test_long_files_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(PictureError, match=r"10000\.0 MB; at most 21\.0 MB"):
        read(path)
    with pytest.raises(PictureError, match="at most"):
        read(bytes(2_000), Settings(max_upload_bytes=1_000))


LIMITED = """
import resource, sys
from io import BytesIO
from PIL import Image
from app.intake import read
from app.settings import Settings
from model.errors import PictureError

def content(kind, mode, side, **options):
    out = BytesIO()
    Image.new(mode, (side, side)).save(out, kind, **options)
    return out.getvalue()

bombs = [content("PNG", "1", 13_000)]
large = [
    content("PNG", "RGBA", 6_300, compress_level=1),
    content("JPEG", "RGB", 6_300, progressive=True, subsampling=0),
    content("GIF", "P", 6_300),
    content("WEBP", "RGBA", 4_000, method=0),
]
read(content("PNG", "RGBA", 20))
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 300_000_000, now + 300_000_000))
for bomb in bombs:
    try:
        read(bomb)
    except PictureError as error:
        print("refused", error)
for picture in large:
    print("taken", *read(picture).image.size)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs RLIMIT_AS and /proc")
def test_memory_stays_bounded() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["refused"] + ["taken"] * 4
    assert "13000×13000 = 169 million" in lines[0]


def test_the_size_a_picture_is_shown_at_is_kept_for_the_next_answer() -> None:
    picture = read(photo(400, 200))
    shown = picture.at(100)
    assert shown.size == (100, 50)
    assert picture.at(100) is shown
    assert picture.at(800).size == (800, 400)
    assert picture.at(100) is not shown  # one size at a time
    assert picture.image.size == (400, 200)
