"""Whatever a person sends becomes one upright RGB picture, or a clear refusal.

The first bytes decide what a file is, never its name. Sides are read from the header before a
pixel is decoded, so a small file that claims 13,000² pixels costs nothing. What is returned is what
the page shows *and* what the model sees; colour profiles and other metadata are dropped.
"""

from __future__ import annotations

import hashlib
import stat
import threading
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from app import words
from app.kinds import kind_of, webp_size
from app.settings import Settings
from model.errors import PictureError
from model.types import Size

BYTES_PER_PIXEL = {"WEBP": 17, "TIFF": 9, "CMYK": 9}
"""Peak bytes a pixel costs decoders that hold more than the picture; measured, not documented."""

DECODE_BYTES = 280_000_000
"""Memory one picture may take while it is decoded by such a decoder."""

MAX_SCANS = 64
"""Scans of one JPEG; an encoder writes 1 to 12, an attacker thousands, each decoded whole."""

_STRIP = 128
"""Rows converted at a time, so that a conversion never needs a second whole picture."""

_DECODERS = threading.BoundedSemaphore(2)
"""Pictures decoded at the same time; bounds memory when many people upload at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as everybody behind this door sees it.

    Attributes:
        image: RGB, 8 bit, upright, longer side at most `Settings.kept_side`.
        original: upright size in the file, before any reduction.
        key: sha256 over size and pixels, in hexadecimal; names the picture.
        notes: sentences that say what was changed, to be shown to the person.
    """

    image: Image.Image
    original: Size
    key: str
    notes: tuple[str, ...] = ()
    _shown: dict[int, Image.Image] = field(default_factory=dict, init=False, repr=False)

    @property
    def size(self) -> Size:
        """Size of `image`."""
        return Size(*self.image.size)

    def at(self, side: int) -> Image.Image:
        """Returns the picture with a longer side of that many pixels; not to be drawn on.

        The last such size is kept, for answers are drawn at one size again and again.
        """
        shown = self._shown.get(side)
        if shown is None:
            shown = resized(self.image, side, side)
            self._shown.clear()
            self._shown[side] = shown
        return shown


def resized(picture: Image.Image, least: int, most: int) -> Image.Image:
    """Returns a copy whose longer side is at least `least` and at most `most`, ratio kept."""
    longer = max(picture.size)
    scale = min(max(longer, least), most) / longer
    if scale == 1:
        return picture.copy()
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS)


def read(source: bytes | str | Path | Image.Image, settings: Settings | None = None) -> Picture:
    """Returns the canonical form of a picture.

    Transparent parts become white; 16-bit samples are scaled to 8 bit; of an animation the first
    frame is kept; a mirrored or turned picture is set upright by its EXIF orientation.

    Args:
        source: a file's bytes, its path, or a picture already opened.
        settings: limits; None takes the defaults.

    Raises:
        PictureError: the picture cannot be used; the message says why and what to do.
    """
    settings = settings or Settings()
    if isinstance(source, Image.Image):
        return _canonical(source, settings)
    content = source if isinstance(source, bytes) else _content(Path(source), settings)
    if len(content) > settings.max_upload_bytes:
        raise _too_long(len(content), settings)
    kind = kind_of(content)
    _check_header(content, kind, settings)
    try:
        with Image.open(BytesIO(content), formats=[kind]) as opened:
            return _canonical(opened, settings)
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        most = settings.max_pixels / 1e6
        raise PictureError(words.PICTURE_HUGE.format(most=most)) from error
    except Exception as error:  # decoders raise nearly anything on hostile bytes
        raise PictureError(words.PICTURE_DAMAGED.format(kind=kind)) from error


def _content(path: Path, settings: Settings) -> bytes:
    """Returns the bytes of a regular file that is not too long."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise PictureError(words.PICTURE_NO_FILE)
        if status.st_size > settings.max_upload_bytes:
            raise _too_long(status.st_size, settings)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise PictureError(words.PICTURE_UNREADABLE) from error


def _too_long(length: int, settings: Settings) -> PictureError:
    most = settings.max_upload_bytes / 1e6
    return PictureError(words.PICTURE_LONG.format(length=length / 1e6, most=most))


def _check_header(content: bytes, kind: str, settings: Settings) -> None:
    """Raises PictureError for what would cost memory or time as soon as Pillow opens it."""
    if kind == "WEBP":
        _check_size(webp_size(content), "WEBP", settings)
    if kind == "JPEG" and content.count(b"\xff\xda") > MAX_SCANS:
        raise PictureError(words.PICTURE_SCANS.format(most=MAX_SCANS))


def _check_size(size: tuple[int, int], kind: str | None, settings: Settings) -> None:
    """Raises PictureError unless both sides, their ratio and their product are allowed."""
    width, height = size
    pixels = min(settings.max_pixels, DECODE_BYTES // BYTES_PER_PIXEL.get(kind or "", 1))
    if min(size) < settings.min_side:
        raise PictureError(words.PICTURE_SMALL.format(w=width, h=height, least=settings.min_side))
    if width * height > pixels:
        count, most = width * height / 1e6, pixels / 1e6
        raise PictureError(words.PICTURE_LARGE.format(w=width, h=height, count=count, most=most))
    if max(size) > settings.max_side_ratio * min(size):
        ratio = settings.max_side_ratio
        raise PictureError(words.PICTURE_NARROW.format(w=width, h=height, ratio=ratio))


def _canonical(opened: Image.Image, settings: Settings) -> Picture:
    """Returns the canonical form of a picture that Pillow has opened but perhaps not decoded."""
    _check_size(opened.size, "CMYK" if opened.mode == "CMYK" else opened.format, settings)
    _check_tiles(opened, settings)
    with _DECODERS:
        original = opened.size
        factor = -(-max(original) // settings.kept_side)
        # A JPEG decoder can leave out what a smaller picture does not need.
        opened.draft("RGB", (original[0] // factor, original[1] // factor))
        opened.load()
        image = _rgb(opened, -(-max(opened.size) // settings.kept_side))
        orientation = _orientation(opened)
        if orientation in _TURNS:
            image = image.transpose(_TURNS[orientation])
        if orientation in _SIDEWAYS:
            original = original[::-1]
        size = Size(*original)
        return Picture(image, size, _key(image), _notes(opened, size, Size(*image.size)))


def _check_tiles(opened: Image.Image, settings: Settings) -> None:
    """Raises PictureError for a TIFF tile larger than a picture may be: a bomb of its own."""
    tags = getattr(opened, "tag_v2", {})
    if tags.get(322, 1) * tags.get(323, 1) > settings.max_pixels:
        raise PictureError(words.PICTURE_TILES)


def _rgb(opened: Image.Image, factor: int) -> Image.Image:
    """Returns a new RGB picture, `factor` times smaller, with white behind transparent parts."""
    if opened.mode in {"F", "LAB", "HSV", "I"}:
        raise PictureError(words.PICTURE_SAMPLES.format(mode=opened.mode))
    out = Image.new("RGB", (-(-opened.width // factor), -(-opened.height // factor)))
    rows = factor * _STRIP
    for top in range(0, opened.height, rows):
        strip = opened.crop((0, top, opened.width, min(top + rows, opened.height)))
        out.paste(_opaque(strip).reduce(factor), (0, top // factor))
    return out


def _opaque(strip: Image.Image) -> Image.Image:
    """Returns a strip as RGB: samples of 16 bit scaled, white behind transparent parts."""
    if strip.mode.startswith("I;16"):
        scaled = np.asarray(strip).astype(np.uint32) * 255 + 32_767
        strip = Image.fromarray((scaled // 65_535).astype(np.uint8))
    if not strip.has_transparency_data:
        return strip.convert("RGB")
    strip = strip.convert("RGBA")
    white = Image.new("RGB", strip.size, "white")
    white.paste(strip.convert("RGB"), mask=strip.getchannel("A"))
    return white


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets a picture upright, by EXIF orientation."""

_SIDEWAYS = {5, 6, 7, 8}
"""Orientations that swap width and height."""


def _orientation(opened: Image.Image) -> int:
    """Returns the EXIF orientation of a loaded picture; 1 where it is missing or unreadable."""
    if opened.format == "TIFF":  # Pillow turns these itself while loading
        return 1
    try:
        return int(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is hostile bytes too; without it a picture is still a picture
        return 1


def _notes(opened: Image.Image, original: Size, kept: Size) -> tuple[str, ...]:
    """Returns what was changed, a sentence each."""
    notes = []
    if opened.has_transparency_data:
        notes.append(words.PICTURE_ON_WHITE)
    if opened.format != "MPO" and getattr(opened, "n_frames", 1) > 1:
        notes.append(words.PICTURE_FRAME)
    if kept != original:
        before, after = (f"{size.width}×{size.height}" for size in (original, kept))
        notes.append(words.PICTURE_REDUCED.format(before=before, after=after))
    return tuple(notes)


def _key(image: Image.Image) -> str:
    """Returns sha256 over size and pixels, so that 30×100 and 100×30 never agree."""
    digest = hashlib.sha256(f"RGB {image.width} {image.height} ".encode())
    for top in range(0, image.height, _STRIP):
        rows = (0, top, image.width, min(top + _STRIP, image.height))
        digest.update(image.crop(rows).tobytes())
    return digest.hexdigest()
