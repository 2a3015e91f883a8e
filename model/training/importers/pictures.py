"""Pictures of a data set: judged by their header, decoded once, stored upright as 8-bit RGB.

The rules are those of the page: white behind transparency, 16 bit scaled to 8, the first frame,
EXIF orientation applied. A file that is all this already is copied byte by byte.
"""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from model.errors import RecordError
from model.types import Size

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
MAX_PIXELS = 40_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_KEPT = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
"""Kinds that are copied as they are; the others are stored as PNG."""
_SIDEWAYS = {5, 6, 7, 8}
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


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A picture in its data set.

    Attributes:
        name: of the file.
        size: upright, in pixels.
        pixels: sha256 over size and pixels; equal for equal pictures.
    """

    name: str
    size: Size
    pixels: str


def upright_size(path: Path) -> Size:
    """Returns a picture's size after its EXIF orientation, from the header alone.

    Raises:
        RecordError: it is no picture of an allowed kind.
    """
    with _opened(path) as picture:
        width, height = picture.size
        return Size(height, width) if _orientation(picture) in _SIDEWAYS else Size(width, height)


def store(path: Path, folder: Path, stem: str, stated: Size | None, limit: int) -> StoredPicture:
    """Writes a picture into a data set.

    Args:
        path: the original.
        folder: where to.
        stem: name of the new file, without ending.
        stated: size its annotations were made for, if known.
        limit: pixels, width × height.

    Raises:
        RecordError: it is damaged, too large, of a kind that is not allowed, or not of the size
            its annotations were made for, so that boxes would be misplaced.
    """
    with _opened(path) as picture:
        if picture.width * picture.height > limit:
            raise RecordError(
                f"the picture has {picture.width}×{picture.height} pixels; at most "
                f"{limit / 1e6:.0f} million are allowed."
            )
        _check_stated(picture, stated)
        # Decoded here, where an error counts: reading EXIF decodes a PNG too, and what goes wrong
        # there is forgiven.
        picture.load()
        turned = _orientation(picture) != 1
        _check_stated(picture, stated)
        image = _canonical(picture)
        as_is = picture.mode in {"RGB", "L"} and not turned and picture.format in _KEPT
        as_is &= not picture.has_transparency_data and getattr(picture, "n_frames", 1) == 1
        name = f"{stem}{_KEPT[picture.format] if as_is and picture.format else '.png'}"
    if as_is:
        shutil.copyfile(path, folder / name)
    else:
        image.save(folder / name)
    digest = hashlib.sha256(f"RGB {image.width} {image.height} ".encode())
    digest.update(image.tobytes())
    return StoredPicture(name, Size(*image.size), digest.hexdigest())


def _check_stated(picture: Image.Image, stated: Size | None) -> None:
    """Raises RecordError unless the annotations were made for the picture as it is shown."""
    size = picture.size
    upright = size[::-1] if _orientation(picture) in _SIDEWAYS else size
    if stated is None or upright == (stated.width, stated.height):
        return
    if size == (stated.width, stated.height):
        raise RecordError(
            f"the picture is turned by its EXIF orientation, but its boxes were drawn on the "
            f"unturned {size[0]}×{size[1]}; save it upright and draw them again."
        )
    raise RecordError(
        f"the picture has {upright[0]}×{upright[1]} pixels, but its boxes were drawn on "
        f"{stated.width}×{stated.height}; resize both or neither."
    )


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Opens a picture of an allowed kind; whatever a decoder raises becomes a RecordError."""
    try:
        with warnings.catch_warnings():
            # Sizes are checked by name below; damaged EXIF is no reason to refuse a picture.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_FORMATS) as picture:
                yield picture
    except RecordError:
        raise
    except Exception as error:  # decoders raise nearly anything on hostile bytes
        raise RecordError(
            f"the picture cannot be read ({type(error).__name__}: {error})."
        ) from error


def _orientation(picture: Image.Image) -> int:
    """Returns the EXIF orientation that is still to be applied; 1 where there is none."""
    if picture.format == "TIFF":  # Pillow turns these itself while loading
        return 1
    if picture.format == "PNG" and "exif" not in picture.info:
        return 1  # asking further would decode it
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # EXIF is hostile bytes too; without it a picture is still a picture
        return 1


def _canonical(picture: Image.Image) -> Image.Image:
    """Returns the upright RGB picture."""
    if picture.mode.startswith("I;16"):
        scaled = (np.asarray(picture).astype(np.uint32) * 255 + 32_767) // 65_535
        image = Image.fromarray(scaled.astype(np.uint8))
    elif picture.mode in {"F", "I", "LAB", "HSV"}:
        raise RecordError(f"its samples are of kind {picture.mode}; save it with 8 bits a channel.")
    elif picture.has_transparency_data:
        layered = picture.convert("RGBA")
        image = Image.new("RGBA", layered.size, "white")
        image.alpha_composite(layered)
    else:
        image = picture.convert("RGB")
    turn = _TURNS.get(_orientation(picture))
    return (image.transpose(turn) if turn is not None else image).convert("RGB")
