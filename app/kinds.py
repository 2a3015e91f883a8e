"""What a file is, read from its first bytes; its name is never asked."""

from __future__ import annotations

import struct

from app import words
from model.errors import PictureError

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"8BPS", "a Photoshop (PSD) file"),
    (b"%!PS", "an EPS file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"%PDF", "a PDF file"),
    (b"\x00\x00\x01\x00", "an icon (ICO) file"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"II+\x00", "a BigTIFF picture"),
    (b"MM\x00+", "a BigTIFF picture"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"\x1aE\xdf\xa3", "a video"),
)
_BRANDS = {b"avif": "an AVIF picture", b"avis": "an AVIF picture"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "a HEIC picture"
)


def kind_of(content: bytes) -> str:
    """Returns Pillow's name of an allowed kind of picture, read from its first bytes.

    Raises:
        PictureError: the kind is not allowed; the message names it.
    """
    if not content:
        raise PictureError(words.PICTURE_EMPTY)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    foreign = _foreign_kind(content)
    raise PictureError(words.PICTURE_FOREIGN.format(kind=foreign, allowed=words.PICTURE_KINDS))


def _foreign_kind(content: bytes) -> str:
    """Returns what a file that is not allowed seems to be."""
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12], "a video")
    for magic, name in _REFUSED:
        if content.startswith(magic):
            return name
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "a web page or XML file"
    return "not a picture of a known kind"


def webp_size(content: bytes) -> tuple[int, int]:
    """Returns the canvas of a WebP file; Pillow would allocate it four times before telling.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    chunk, body = content[12:16], content[20:30]
    if len(body) == 10 and chunk == b"VP8X":
        return (
            1 + int.from_bytes(body[4:7], "little"),
            1 + int.from_bytes(body[7:10], "little"),
        )
    if len(body) == 10 and chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if len(body) == 10 and chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return max(1, width & 0x3FFF), max(1, height & 0x3FFF)
    raise PictureError(words.PICTURE_DAMAGED.format(kind="WebP"))
