from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.training.importers import stored_turns
from model.types import Box
from tests.model.training.importers.small_sets import imported, sharegpt, write_json, write_picture


def _chat(question: str, answer: str, **more: object) -> dict[str, Any]:
    said = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"image": "0.png", "conversations": said, **more}


def _one(tmp_path: Path, row: object, **options: Any) -> Any:
    write_picture(tmp_path / "set" / "0.png")
    write_json(tmp_path / "set" / "chats.json", [row])
    return imported(tmp_path / "set", tmp_path / "out", **options)


def test_the_marks_of_three_families_mean_the_same_box(tmp_path: Path) -> None:
    _, records = imported(sharegpt(tmp_path / "set"), tmp_path / "out")
    assert [record["objects"][0]["bbox"] for record in records] == [[8, 12, 32, 24]] * 3
    assert [record["objects"][0]["label"] for record in records] == ["cat"] * 3
    assert records[0]["captions"] == ["A cat sits."]
    assert records[0]["grounded"][0]["phrase"] == "A cat"
    turn = stored_turns(records[0])[0]
    assert turn.question == "Describe this."
    assert turn.answer.text == "A cat sits."


@pytest.mark.parametrize(
    ("numbers", "options", "words"),
    [
        ("[0.125, 0.25, 0.625, 0.75]", {}, "shares"),
        ("[125, 250, 625, 750]", {}, "thousandths"),
        ("[8, 12, 40, 36]", {}, "pixels"),
        ("[8, 12, 40, 36]", {"format": "sharegpt-pixels"}, ""),
        ("[125, 250, 625, 750]", {"format": "sharegpt-1000"}, ""),
    ],
)
def test_what_plain_numbers_mean_is_seen_or_said(
    numbers: str, options: dict[str, str], words: str, tmp_path: Path
) -> None:
    report, (record,) = _one(tmp_path, _chat("Where is the cat?", numbers), **options)
    assert record["objects"][0]["bbox"] == pytest.approx([8, 12, 32, 24], abs=0.01)
    assert record["objects"][0]["label"] == "cat"
    assert any(f"read as {words}" in note for note in report.notes) == bool(words)


def test_boxes_in_a_question_become_regions(tmp_path: Path) -> None:
    chat = _chat("<image>\nWhat is <box>(125,250),(625,750)</box>?", "A sleeping cat.")
    _, (record,) = _one(tmp_path, chat)
    (turn,) = stored_turns(record)
    assert turn.question == "What is @1 ?"
    assert turn.regions[0].shape == Box(0.125, 0.25, 0.625, 0.75)
    assert record["objects"][0]["label"] == "sleeping cat"


def test_messages_with_parts_are_read_too(tmp_path: Path) -> None:
    parts = [{"type": "image", "image": "0.png"}, {"type": "text", "text": "What do you see?"}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "A cat."},
        {"role": "user", "content": "Is it asleep?"},
        {"role": "assistant", "content": "Yes."},
    ]
    report, (record,) = _one(tmp_path, {"messages": messages})
    assert report.refused == ()
    assert [turn.answer.text for turn in stored_turns(record)] == ["A cat.", "Yes."]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (_chat("Hi", "<ref>cat</ref><box>(1,2),(3</box>"), "cannot be read"),
        ({"image": "0.png", "conversations": [{"from": "human", "value": "Hi"}]}, "pairs"),
        ({**_chat("Hi", "Ho"), "image": ["0.png", "1.png"]}, "about 2 pictures"),
        ({**_chat("Hi", "Ho"), "image": "../0.png"}, "not a path inside"),
        (_chat("Hi", "Ho" * 20_000), "a text has 40000 characters"),
        ({"image": "0.png", "conversations": [{"from": "dog", "value": "x"}] * 2}, "not person"),
        ({"image": "0.png", "conversations": [{"value": 3}, None]}, "no text"),
    ],
)
def test_a_chat_that_cannot_be_read_is_refused(row: object, reason: str, tmp_path: Path) -> None:
    report, records = _one(tmp_path, row)
    assert records == []
    assert reason in report.refused[0].reason
