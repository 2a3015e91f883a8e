from __future__ import annotations

from model.counts import counted

CUPS = ("{count} cup on {what}", "{count} cups on {what}")


def test_one_has_a_form_of_its_own() -> None:
    assert counted(CUPS, 1, what="a table") == "1 cup on a table"
    assert counted(CUPS, 0, what="a table") == "0 cups on a table"
    assert counted(CUPS, 12_345, what="tables") == "12,345 cups on tables"


def test_a_number_that_is_not_known_is_a_sign() -> None:
    assert counted(CUPS, "?", what="a table") == "? cups on a table"


def test_what_is_filled_in_is_not_read_as_a_form() -> None:
    assert counted(CUPS, 1, what="{count} tables") == "1 cup on {count} tables"
