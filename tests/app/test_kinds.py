from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from app.kinds import kind_of, webp_size
from model.errors import PictureError


def encoded(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Returns the bytes of a picture file of 33×17 pixels."""
    out = BytesIO()
    Image.new(mode, (33, 17), "red").save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_allowed_kinds_are_named_as_pillow_names_them(kind: str) -> None:
    content = encoded(kind)
    assert kind_of(content) == kind
    with Image.open(BytesIO(content)) as opened:
        assert opened.format == kind


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), "HEIC"),
        (b"\x00\x00\x00\x18ftypmif1" + bytes(20), "HEIC"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(20), "AVIF"),
        (b"\x00\x00\x00\x18ftypisom" + bytes(20), "video"),
        (b"8BPS\x00\x01", "PSD"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS"),
        (b"\xc5\xd0\xd3\xc6rest", "EPS"),
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "SVG"),
        (b'\xef\xbb\xbf <?xml version="1.0"?><!-- x --><svg>', "SVG"),
        (b"<!DOCTYPE html><script>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"#!/bin/sh", "known kind"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "known kind"),
    ],
)
def test_other_kinds_are_refused_by_name(content: bytes, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        kind_of(content)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exact": True}])
def test_webp_sizes_are_read_as_pillow_reads_them(mode: str, options: dict[str, bool]) -> None:
    assert webp_size(encoded("WEBP", mode, **options)) == (33, 17)


def test_a_webp_without_a_known_first_chunk_is_damaged() -> None:
    with pytest.raises(PictureError, match="damaged"):
        webp_size(b"RIFF\x00\x00\x00\x00WEBPICCP" + bytes(20))
