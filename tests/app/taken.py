"""A turn to take home, and texts that should never run in whatever opens it."""

from __future__ import annotations

from model.types import Answer, Box, Grounding, Phrase, Region, Size, Turn

SIZE = Size(200, 100)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "${alert(1)}",
    "{{value}}",
    "<!--sections-->",
    "</script><script>alert(1)</script>",
    '=HYPERLINK("http://x","y")',
)


def turn(text: str = "A dog and a cat", name: str = "dog", question: str = "What?") -> Turn:
    """Returns a turn with two phrases, one of two boxes."""
    return Turn(
        question,
        Answer(
            text,
            (
                Grounding(Phrase(name, 2, 5), (Box(0.1, 0.2, 0.5, 0.6),), (0.9,)),
                Grounding(Phrase("cat"), (Box(0, 0, 1, 1), Box(0.5, 0.5, 0.75, 1)), (0.5, 0.25)),
            ),
        ),
        (Region("@1", Box(0, 0, 0.5, 0.5)),),
    )
