"""What families are taught: written in their documented form, and read back the same."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model.backends.families import FLORENCE_2, KOSMOS_2, PALIGEMMA, QWEN3_VL, QWEN25_VL
from model.backends.grammar import Grammar
from model.backends.targets import UnwritableError, write_answer
from model.types import Box, Size

SHOWN = Size(640, 480)
CAT, DOG = Box(0.1, 0.2, 0.3, 0.4), Box(0.5, 0.25, 0.75, 1.0)
PLACES = [("cat", [CAT, DOG]), ('dog "Rex"', [DOG])]
TAUGHT = [FLORENCE_2, PALIGEMMA, QWEN3_VL, QWEN25_VL]
WRITTEN = {
    FLORENCE_2.family: "cat<loc_100><loc_200><loc_300><loc_400><loc_500><loc_250><loc_750><loc_999>"
    'dog "Rex"<loc_500><loc_250><loc_750><loc_999>',
    PALIGEMMA.family: "<loc0205><loc0102><loc0410><loc0307> cat ; "
    "<loc0256><loc0512><loc1023><loc0768> cat ; "
    '<loc0256><loc0512><loc1023><loc0768> dog "Rex"',
    QWEN3_VL.family: "```json\n[\n"
    '\t{"bbox_2d": [100, 200, 300, 400], "label": "cat"},\n'
    '\t{"bbox_2d": [500, 250, 750, 1000], "label": "cat"},\n'
    '\t{"bbox_2d": [500, 250, 750, 1000], "label": "dog \\"Rex\\""}\n]\n```',
    QWEN25_VL.family: "```json\n[\n"
    '\t{"bbox_2d": [64, 96, 192, 192], "label": "cat"},\n'
    '\t{"bbox_2d": [320, 120, 480, 480], "label": "cat"},\n'
    '\t{"bbox_2d": [320, 120, 480, 480], "label": "dog \\"Rex\\""}\n]\n```',
}


@pytest.mark.parametrize("grammar", TAUGHT, ids=lambda grammar: grammar.family)
def test_places_are_written_in_the_documented_form(grammar: Grammar) -> None:
    assert write_answer(grammar, "", PLACES, SHOWN) == WRITTEN[grammar.family]


sides = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)
names = st.text("abc XYZß'-", min_size=1, max_size=12).filter(lambda name: name.strip(" "))


@given(st.lists(st.tuples(names, sides), min_size=1, max_size=4), st.sampled_from(TAUGHT))
@settings(max_examples=200, deadline=None)
def test_what_is_written_reads_the_same_within_a_step(
    things: list[tuple[str, tuple[float, float, float, float]]], grammar: Grammar
) -> None:
    assume(all(s[2] - s[0] > 0.01 and s[3] - s[1] > 0.01 for _, s in things))
    try:
        raw = write_answer(grammar, "", [(name, [Box(*s)]) for name, s in things], SHOWN)
    except UnwritableError:
        # Only a name that another one holds, or that is punctuation, cannot be told apart.
        assert len(things) > 1 or not things[0][0].strip(" '-").isalpha()
        return
    read = [
        (found.phrase.text, box) for found in grammar.read(raw, SHOWN).found for box in found.boxes
    ]
    across, down = grammar.frame.step(SHOWN)
    for name, expected in things:
        assert any(
            words == " ".join(name.split())
            and box.as_tuple()[::2] == pytest.approx(expected[::2], abs=across + 1e-9)
            and box.as_tuple()[1::2] == pytest.approx(expected[1::2], abs=down + 1e-9)
            for words, box in read
        )


def test_words_come_before_the_list_of_a_chat_family() -> None:
    raw = write_answer(QWEN3_VL, "A cat sleeps.", [("cat", [CAT])], SHOWN)
    parsed = QWEN3_VL.read(raw, SHOWN)
    assert raw.startswith("A cat sleeps.\n```json")
    assert parsed.text == "A cat sleeps."
    assert parsed.text[parsed.found[0].phrase.start : parsed.found[0].phrase.end] == "cat"


def test_nothing_is_written_as_nothing() -> None:
    assert write_answer(QWEN3_VL, "", [("cat", [])], SHOWN) == "[]"
    assert write_answer(PALIGEMMA, "", [], SHOWN) == ""
    assert write_answer(FLORENCE_2, "a cat", [], SHOWN) == "a cat"


@pytest.mark.parametrize("grammar", TAUGHT, ids=lambda grammar: grammar.family)
def test_a_box_thinner_than_the_coordinates_is_refused(grammar: Grammar) -> None:
    thin = Box(0.5, 0.2, 0.50001, 0.9)
    with pytest.raises(UnwritableError):
        write_answer(grammar, "", [("cat", [thin])], SHOWN)


@pytest.mark.parametrize("grammar", TAUGHT, ids=lambda grammar: grammar.family)
def test_a_phrase_that_holds_a_mark_is_refused(grammar: Grammar) -> None:
    mark = "<loc_1>" if grammar is FLORENCE_2 else "<loc0001>" if grammar is PALIGEMMA else "}]{"
    with pytest.raises(UnwritableError):
        write_answer(grammar, "", [(f"cat {mark}", [CAT])], SHOWN)


def test_a_family_without_a_way_to_write_says_so() -> None:
    with pytest.raises(UnwritableError, match="Kosmos-2"):
        write_answer(KOSMOS_2, "", [("cat", [CAT])], SHOWN)
