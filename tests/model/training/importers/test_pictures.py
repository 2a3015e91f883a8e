from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app import intake
from model.errors import RecordError
from model.training.importers.pictures import store, upright_size
from model.types import Size

LIMIT = 1_000_000


def _gradient(width: int = 30, height: int = 20) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None]
    pixels = np.broadcast_to(across // 2 + down // 2, (height, width, 3)).copy()
    pixels[:4, :9, 0] = 255  # no two turns of it are alike
    return Image.fromarray(pixels)


def _odd_pictures() -> dict[str, bytes]:
    """Returns a picture in every odd form that data sets come in, by file name."""
    picture = _gradient()
    layered = picture.convert("RGBA")
    layered.putalpha(Image.fromarray(np.tile(np.arange(30, dtype=np.uint8) * 8, (20, 1))))
    deep = Image.fromarray(np.asarray(picture)[:, :, 0].astype(np.uint16) * 257)
    forms = {
        "plain.jpg": (picture, {"quality": 95}),
        "plain.png": (picture, {}),
        "plain.webp": (picture, {"lossless": True}),
        "plain.bmp": (picture, {}),
        "plain.tif": (picture, {}),
        "grey.jpg": (picture.convert("L"), {}),
        "palette.gif": (picture.convert("P"), {}),
        "moving.gif": (picture.convert("P"), {"save_all": True, "append_images": [picture]}),
        "alpha.png": (layered, {}),
        "greyalpha.png": (layered.convert("LA"), {}),
        "deep.png": (deep, {}),
        "four.jpg": (picture.convert("CMYK"), {}),
        "bits.png": (picture.convert("1"), {}),
    }
    out = {}
    for name, (form, options) in forms.items():
        buffer = BytesIO()
        suffix = name.rsplit(".", 1)[1]
        kind = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
        form.save(buffer, kind, **options)  # type: ignore[arg-type]
        out[name] = buffer.getvalue()
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix, kind in (("jpg", "JPEG"), ("png", "PNG"), ("tif", "TIFF"), ("webp", "WEBP")):
            buffer = BytesIO()
            picture.save(buffer, kind, exif=exif)
            out[f"turned{orientation}.{suffix}"] = buffer.getvalue()
    return out


ODD = _odd_pictures()


@pytest.mark.parametrize("name", ODD)
def test_training_sees_the_pixels_that_the_page_shows(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ODD[name])
    (tmp_path / "out").mkdir()
    stored = store(tmp_path / name, tmp_path / "out", "a", None, LIMIT)
    shown = intake.read(ODD[name])
    assert stored.size == shown.size == upright_size(tmp_path / name)
    assert stored.pixels == shown.key
    with Image.open(tmp_path / "out" / stored.name) as kept:
        assert kept.getexif().get(0x0112, 1) == 1
        assert np.array_equal(np.asarray(kept.convert("RGB")), np.asarray(shown.image))


def test_a_plain_picture_is_copied_byte_by_byte(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(ODD["plain.jpg"])
    stored = store(tmp_path / "a.jpg", tmp_path, "b", Size(30, 20), LIMIT)
    assert stored.name == "b.jpg"
    assert (tmp_path / "b.jpg").read_bytes() == ODD["plain.jpg"]


def test_a_lying_extension_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(ODD["palette.gif"])
    assert store(tmp_path / "a.jpg", tmp_path, "b", None, LIMIT).name == "b.png"


def test_equal_pixels_in_other_bytes_are_equal(tmp_path: Path) -> None:
    keys = set()
    for name in ("plain.png", "plain.bmp", "plain.webp"):
        (tmp_path / name).write_bytes(ODD[name])
        keys.add(store(tmp_path / name, tmp_path, f"{name}-copy", None, LIMIT).pixels)
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("content", "stated", "limit", "reason"),
    [
        (ODD["plain.jpg"][:300], None, LIMIT, "cannot be read"),
        (ODD["plain.png"][:-40], None, LIMIT, "cannot be read"),
        (ODD["plain.png"][:50] + b"\0" * 9 + ODD["plain.png"][59:], None, LIMIT, "cannot be"),
        (b"<svg/>", None, LIMIT, "cannot be read"),
        (b"", None, LIMIT, "cannot be read"),
        (ODD["plain.png"], None, 599, "has 30×20 pixels; at most"),
        (ODD["plain.png"], Size(60, 40), LIMIT, "has 30×20 pixels, but its boxes were drawn on 60"),
        (ODD["turned6.jpg"], Size(30, 20), LIMIT, "turned by its EXIF orientation"),
        (ODD["turned6.png"], Size(30, 20), LIMIT, "turned by its EXIF orientation"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(
    content: bytes, stated: Size | None, limit: int, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RecordError, match=reason):
        store(tmp_path / "a.png", tmp_path, "b", stated, limit)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png"}


def test_a_pixel_bomb_is_judged_by_its_header(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    with pytest.raises(RecordError, match=r"20000×20000 pixels|exceeds limit"):
        store(tmp_path / "a.png", tmp_path, "b", None, 40_000_000)
