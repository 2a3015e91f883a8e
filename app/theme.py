"""Colours, fonts and the style sheet: one look for page, pictures and exports.

The palette is Okabe and Ito's (2008), made for colour-blind readers, with its black replaced by a
violet that shows on photographs. A colour is never the only cue: every phrase and box has a number.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from gradio import themes
from gradio.themes.utils import sizes

HERE = Path(__file__).parent

PALETTE = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#7A4FB5",
)
"""Fill colours of boxes and phrases, in the order they are given out."""

INK, PAPER = "#14161A", "#FFFFFF"

ACCENT = themes.Color(
    c50="#eef4ff",
    c100="#dbe7fe",
    c200="#bfd4fe",
    c300="#93b6fd",
    c400="#6a96f8",
    c500="#3f72ee",
    c600="#2457d6",
    c700="#1d47b3",
    c800="#1b3c8f",
    c900="#1a3570",
    c950="#122147",
    name="accent",
)
NEUTRAL = themes.Color(
    c50="#f7f7f5",
    c100="#efefec",
    c200="#e2e2dd",
    c300="#cbcbc5",
    c400="#9b9c98",
    c500="#6b6d6f",
    c600="#51545a",
    c700="#363a42",
    c800="#22262d",
    c900="#181b21",
    c950="#101217",
    name="neutral",
)


def colour(index: int) -> str:
    """Returns the palette's colour for the phrase at `index`, as #RRGGBB."""
    return PALETTE[index % len(PALETTE)]


@lru_cache(maxsize=256)
def ink(background: str) -> str:
    """Returns the text colour, dark or light, that contrasts more with a #RRGGBB background."""
    dark, light = contrast(background, INK), contrast(background, PAPER)
    return INK if dark >= light else PAPER


def contrast(one: str, other: str) -> float:
    """Returns the contrast ratio of two #RRGGBB colours, 1 to 21.

    Source: WCAG 2.2, "contrast ratio" and "relative luminance".
    """
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour_hex: str) -> float:
    channels = [int(colour_hex[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _theme() -> themes.Base:
    """Returns the Gradio theme; its fonts come with Gradio, so nothing is fetched elsewhere."""
    return themes.Base(
        primary_hue=ACCENT,
        secondary_hue=ACCENT,
        neutral_hue=NEUTRAL,
        radius_size=sizes.radius_md,
        font=[themes.LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[themes.LocalFont("IBM Plex Mono", weights=(400,)), "monospace"],
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_subdued="*neutral_500",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_700",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_900",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_secondary_background_fill="white",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_small_radius="999px",
        link_text_color="*primary_600",
        link_text_color_dark="*primary_300",
        block_shadow="none",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
    )


def mount_options() -> dict[str, Any]:
    """Returns what `gr.mount_gradio_app` needs to make the page look as it should."""
    css = "\n".join((HERE / name).read_text("utf-8") for name in ("page.css", "canvas/canvas.css"))
    return {"theme": _theme(), "css": css, "footer_links": ["api"], "run_history": False}
