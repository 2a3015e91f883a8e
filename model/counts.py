"""Texts that count: they have a form for one, and another for any other number."""

from __future__ import annotations

Forms = tuple[str, str]
"""A text that counts: for one, and for any other number."""


def counted(forms: Forms, count: int | str, **more: object) -> str:
    """Returns a text with its count filled in.

    Args:
        forms: of the text.
        count: a number, or a sign where it is not known.
        more: what else is filled in.

    Example:
        >>> counted(("{count} box", "{count} boxes"), 1)
        '1 box'
        >>> counted(("{count} box", "{count} boxes"), 1200)
        '1,200 boxes'
    """
    shown = f"{count:,}" if isinstance(count, int) else count
    return forms[count != 1].format(count=shown, **more)
