"""A conversation as one HTML file that needs no network, from `export`'s entries.

Names, questions and answers are hostile text: all of it is escaped before it becomes HTML.
"""

from __future__ import annotations

import hashlib
import html
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from PIL import Image

from app import render, words
from app.export import Entry, Found, founds
from app.phrases import numbered, phrase_html
from app.theme import colour, ink
from model.types import Answer, Turn

TEMPLATE = Path(__file__).with_suffix(".html")


def page(
    entries: Sequence[Entry], pictures: Mapping[str, Image.Image], title: str = words.NAME
) -> str:
    """Returns one HTML file that needs no network: pictures inside, phrases and boxes linked.

    Its own policy lets nothing run but the template's script, and nothing load at all. Turns whose
    picture is not among `pictures` are left out.
    """
    template = TEMPLATE.read_text("utf-8")
    script = template.partition("<script>")[2].partition("</script>")[0]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = ("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'")
    sections = [
        _section(name, pictures[name], [entry.turn for entry in group])
        for name, group in groupby(sorted(entries, key=itemgetter(0)), key=itemgetter(0))
        if name in pictures
    ]
    # What people wrote is escaped, so it cannot hold a marker that comes later.
    for marker, text in (
        ("policy", "; ".join((*policy, f"script-src 'sha256-{digest}'"))),
        ("title", html.escape(title)),
        ("foot", html.escape(words.EXPORT_FOOT)),
        ("sections", "".join(sections)),
    ):
        template = template.replace(f"<!--{marker}-->", text)
    return template


def _section(name: str, picture: Image.Image, turns: Sequence[Turn]) -> str:
    """Returns a picture with its boxes beside its conversation."""
    boxes, talk = [], []
    for number, turn in enumerate(turns, start=1):
        boxes += [
            _rectangle(found, number, group, grounding.phrase.text)
            for group, grounding in numbered(turn.answer)
            for found in founds(grounding)
        ]
        said = phrase_html(turn.answer, number) + _names(turn.answer, number)
        talk.append(f"<dt>{html.escape(turn.question)}</dt><dd>{said}</dd>")
    # The largest boxes first, so that small ones on top of them can be pointed at.
    boxes.sort(key=lambda pair: -pair[0])
    return (
        f'<section><figure><img alt="{html.escape(name)}" src="{render.data_url(picture)}">'
        f'<svg viewBox="0 0 1 1" preserveAspectRatio="none">{"".join(b for _, b in boxes)}</svg>'
        f"</figure><div><h2>{html.escape(name)}</h2><dl>{''.join(talk)}</dl></div></section>"
    )


def _names(answer: Answer, turn: int) -> str:
    """Returns class names, which have no place in the text, as phrases of their own."""
    return "".join(
        f' <span class="ph x{turn} g{group}" tabindex="0" role="button" '
        f'style="--c:{colour(group - 1)};--i:{ink(colour(group - 1))}">'
        f'{html.escape(grounding.phrase.text)}<span class="id">{group}</span></span>'
        for group, grounding in numbered(answer)
        if grounding.phrase.start is None
    )


def _rectangle(found: Found, turn: int, group: int, text: str) -> tuple[float, str]:
    """Returns a box's area and its SVG."""
    box, fill = found.box, colour(group - 1)
    label = html.escape(f"{group} {text} {found.score:.2f}")
    return box.area, (
        f'<rect class="x{turn} g{group}" style="--c:{fill};--i:{ink(fill)}" tabindex="0" '
        f'role="button" aria-label="{label}" x="{box.x0:.5f}" y="{box.y0:.5f}" '
        f'width="{box.x1 - box.x0:.5f}" height="{box.y1 - box.y0:.5f}">'
        f"<title>{label}</title></rect>"
    )
