from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from model.errors import RecordError
from model.training.importers.draft import (
    MAX_REFUSALS,
    Draft,
    DraftObject,
    DraftPhrase,
    DraftRef,
    Rows,
)
from model.types import Size

FILE = PurePosixPath("a.json")


def _draft(**fields: object) -> Draft:
    return Draft(PurePosixPath("a.png"), FILE, "item 1", **fields)  # type: ignore[arg-type]


def _cat(x: float = 0, key: str | None = None) -> DraftObject:
    return DraftObject("cat", (x, 0, 5, 5), "item 1", key)


def test_two_places_about_one_picture_come_together() -> None:
    one = _draft(objects=[_cat()], captions=["a cat"], split="train")
    two = _draft(
        objects=[_cat(9), _cat()],
        captions=["one more", "a cat"],
        grounded=[DraftPhrase(1, 0, 5, [1, 0])],
        refs=[DraftRef("the cat", 0)],
        stated=Size(9, 9),
        split="test",
        exhaustive=True,
    )
    one.merge(two)
    assert [thing.bbox[0] for thing in one.objects] == [0, 9]
    assert one.captions == ["a cat", "one more"]
    assert one.grounded == [DraftPhrase(0, 0, 5, [0, 1])]
    assert one.refs == [DraftRef("the cat", 1)]
    assert (one.stated, one.split, one.exhaustive) == (Size(9, 9), "test", True)


def test_sizes_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(RecordError, match=r"9×9 in a\.json and 8×9 here"):
        _draft(stated=Size(9, 9)).merge(_draft(stated=Size(8, 9)))


def test_equal_boxes_with_other_ids_are_two_things() -> None:
    draft = _draft()
    assert [draft.add_object(_cat(key=key)) for key in ("1", "2", "1", None)] == [0, 1, 0, 0]


def test_the_book_counts_all_and_keeps_the_first_thousand() -> None:
    rows = Rows()
    for number in range(MAX_REFUSALS + 5):
        rows.refuse(FILE, f"line {number}", "x\ny" * 1000, lost=2)
    assert (rows.num_refused, rows.num_lost) == (MAX_REFUSALS + 5, 2 * (MAX_REFUSALS + 5))
    assert len(rows.refused) == MAX_REFUSALS
    assert "\n" not in rows.refused[0].reason
    assert len(rows.refused[0].reason) == 500


def test_a_guard_refuses_faults_of_the_row_and_lets_ours_through() -> None:
    rows = Rows()
    with rows.guard(FILE, "line 1"):
        raise KeyError("bbox")
    assert rows.refused[0].reason == "'bbox' is missing."
    with pytest.raises(MemoryError), rows.guard(FILE, "line 2"):
        raise MemoryError


def test_notes_are_counted() -> None:
    rows = Rows()
    for note in ("a", "b", "b"):
        rows.note(note)
    assert rows.notes == ("b (2 times)", "a")
