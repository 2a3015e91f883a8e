"""The parser: documented outputs, any cut into pieces, garbage, and the way back into prompts."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from model.backends import families
from model.backends.families import (
    DEEPSEEK_VL2,
    FLORENCE_2,
    FLORENCE_2_OUTLINES,
    GEMMA_3,
    INTERNVL,
    KOSMOS_2,
    PALIGEMMA,
    QWEN2_VL,
    QWEN3_VL,
    QWEN25_VL,
)
from model.backends.grammar import Grammar, Parsed, Reader
from model.types import Box, Phrase, Size

GRAMMARS = [
    FLORENCE_2, FLORENCE_2_OUTLINES, KOSMOS_2, PALIGEMMA, QWEN3_VL, QWEN25_VL, GEMMA_3, INTERNVL,
    DEEPSEEK_VL2, QWEN2_VL,
]  # fmt: skip
SHOWN = Size(640, 480)


@dataclass(frozen=True)
class Case:
    """An output in a family's documented form, and what it says."""

    grammar: Grammar
    raw: str
    text: str
    phrases: dict[str, list[tuple[float, float, float, float]]]
    failures: int = 0


FENCED = """```json
[
\t{"bbox_2d": [100, 200, 300, 400], "label": "cat"},
\t{"bbox_2d": [500, 250, 750, 1000], "label": "dog \\"Rex\\""}
]
```<|im_end|>"""

CASES = {
    # Florence-2: the model card's <OD> and <CAPTION_TO_PHRASE_GROUNDING> examples in raw form.
    "florence_od": Case(
        FLORENCE_2,
        "</s><s>car<loc_52><loc_332><loc_932><loc_774>wheel<loc_708><loc_587><loc_862><loc_772>"
        "<loc_147><loc_580><loc_309><loc_775></s>",
        "car, wheel",
        {
            "car": [(0.0525, 0.3325, 0.9325, 0.7745)],
            "wheel": [(0.7085, 0.5875, 0.8625, 0.7725), (0.1475, 0.5805, 0.3095, 0.7755)],
        },
    ),
    "florence_caption": Case(FLORENCE_2, "<s>A green car; parked.</s>", "A green car; parked.", {}),
    "florence_cut": Case(
        FLORENCE_2,
        "car<loc_52><loc_332><loc_932><loc_774>wheel<loc_708><loc_58",
        "car, wheel",
        {"car": [(0.0525, 0.3325, 0.9325, 0.7745)]},
        2,
    ),
    # Kosmos-2: the docstring of Kosmos2ForConditionalGeneration.forward.
    "kosmos": Case(
        KOSMOS_2,
        "<grounding> An image of<phrase> a snowman</phrase><object><patch_index_0044>"
        "<patch_index_0863></object> warming himself by<phrase> a fire</phrase><object>"
        "<patch_index_0005><patch_index_0911></object>.",
        "An image of a snowman warming himself by a fire.",
        {
            "a snowman": [(0.390625, 0.046875, 0.984375, 0.828125)],
            "a fire": [(0.171875, 0.015625, 0.484375, 0.890625)],
        },
    ),
    "kosmos_many": Case(
        KOSMOS_2,
        "<phrase> two cats</phrase><object><patch_index_0000><patch_index_0033>"
        "</delimiter_of_multi_objects/><patch_index_0064><patch_index_0066></object>",
        "two cats",
        {"two cats": [(1 / 64, 1 / 64, 3 / 64, 3 / 64), (0, 2 / 32, 3 / 32, 3 / 32)]},
    ),
    # PaliGemma: the "detect" task of big_vision's README.
    "paligemma": Case(
        PALIGEMMA,
        "<loc0256><loc0128><loc0512><loc1023> cat ; <loc0000><loc0000><loc0512><loc0512> dog<eos>",
        "cat, dog",
        {"cat": [(0.125, 0.25, 1023 / 1024, 0.5)], "dog": [(0, 0, 0.5, 0.5)]},
    ),
    "paligemma_plain": Case(PALIGEMMA, "a cat; it sleeps", "a cat; it sleeps", {}),
    # Qwen-VL: the 2D grounding cookbooks.
    "qwen3": Case(
        QWEN3_VL,
        FENCED,
        'cat, dog "Rex"',
        {"cat": [(0.1, 0.2, 0.3, 0.4)], 'dog "Rex"': [(0.5, 0.25, 0.75, 1.0)]},
    ),
    "qwen25": Case(
        QWEN25_VL,
        '[{"bbox_2d": [64, 48, 320, 240], "label": "cat"}]',
        "cat",
        {"cat": [(0.1, 0.1, 0.5, 0.5)]},
    ),
    "qwen_words_first": Case(
        QWEN3_VL,
        'The cat sits near a tub.\n[{"bbox_2d": [100, 200, 300, 400], "label": "cat"}, '
        '{"bbox_2d": [1, 2, 30, 40], "label": "cat"}, {"bbox_2d": [0, 0, 9, 9], "label": "tap"}]',
        "The cat sits near a tub. tap",
        {"cat": [(0.1, 0.2, 0.3, 0.4), (0.001, 0.002, 0.03, 0.04)], "tap": [(0, 0, 0.009, 0.009)]},
    ),
    "qwen_cut": Case(
        QWEN3_VL,
        '[{"bbox_2d": [100, 200, 300, 400], "label": "cat"}, {"bbox_2d": [100, 2',
        "cat",
        {"cat": [(0.1, 0.2, 0.3, 0.4)]},
        1,
    ),
    "qwen_none": Case(QWEN3_VL, "```json\n[]\n```", "", {}),
    "qwen_bare": Case(QWEN3_VL, "[[100, 200, 300, 400]]", "", {"thing": [(0.1, 0.2, 0.3, 0.4)]}),
    "qwen_code": Case(
        QWEN3_VL, "Use `x = {1}` and [1, 2] if a < b.", "Use `x = {1}` and [1, 2] if a < b.", {}
    ),
    # Gemma 3 and Gemini: `box_2d` is y first; also read when another family borrows the key.
    "gemma": Case(
        GEMMA_3,
        '[{"box_2d": [200, 100, 400, 300], "label": "cat"}]',
        "cat",
        {"cat": [(0.1, 0.2, 0.3, 0.4)]},
    ),
    "borrowed_key": Case(
        QWEN3_VL,
        '{"boxes": [{"box_2d": [200, 100, 400, 300], "label": "cat"}]}',
        "cat",
        {"cat": [(0.1, 0.2, 0.3, 0.4)]},
    ),
    # InternVL, DeepSeek-VL2, Qwen2-VL: their documentation, see families.py.
    "internvl": Case(
        INTERNVL,
        "I see <ref>the cat</ref><box>[[100, 200, 300, 400], [0, 0, 500, 500]]</box> there.",
        "I see the cat there.",
        {"the cat": [(0.1, 0.2, 0.3, 0.4), (0, 0, 0.5, 0.5)]},
    ),
    "deepseek": Case(
        DEEPSEEK_VL2,
        "<|ref|>cat<|/ref|><|det|>[[0, 333, 666, 999]]<|/det|>",
        "cat",
        {"cat": [(0, 1 / 3, 2 / 3, 1)]},
    ),
    "qwen2": Case(
        QWEN2_VL,
        "<|object_ref_start|>cat<|object_ref_end|><|box_start|>(100,200),(300,400)<|box_end|>",
        "cat",
        {"cat": [(0.1, 0.2, 0.3, 0.4)]},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_documented_outputs_are_read(case: Case) -> None:
    parsed = case.grammar.read(case.raw, SHOWN, "thing")
    assert parsed.text == case.text
    assert parsed.failures == case.failures
    assert {f.phrase.text: len(f.boxes) for f in parsed.found} == {
        name: len(boxes) for name, boxes in case.phrases.items()
    }
    for found in parsed.found:
        for box, expected in zip(found.boxes, case.phrases[found.phrase.text], strict=True):
            assert box.as_tuple() == pytest.approx(expected)


def check(parsed: Parsed, raw: str) -> None:
    """Asserts what holds for every output whatsoever."""
    assert parsed.text == parsed.text.strip()
    assert parsed.failures >= 0
    for found in parsed.found:
        phrase = found.phrase
        if phrase.start is not None:
            assert parsed.text[phrase.start : phrase.end] == phrase.text != ""
        assert found.boxes
        assert len(found.boxes) == len(found.numbers)
        for spans in found.numbers:
            assert all(regex.fullmatch(r"-?[\d.]+", raw[a:b]) for a, b in spans)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_coordinates_are_found_again_in_the_raw_output(case: Case) -> None:
    check(case.grammar.read(case.raw, SHOWN, "thing"), case.raw)


MARKS = [
    "<loc_12>", "<loc_900>", "<loc0123>", "<loc1000>", "<patch_index_0044>", "<patch_index_0863>",
    "<phrase>", "</phrase>", "<object>", "</object>", "<ref>", "</ref>", "<box>[[1, 2, 30, 40]]",
    "</box>", "<|det|>", "<|/det|>", '{"bbox_2d": [1, 2, 300, 400], "label": "cat"}', "```json\n",
    '{"box_2d": [1, 2', "[[1,2,3,4]]", "```", "[", "]", "{", "}", "<", ";", ",", " ", "\n", "cat",
    "a b", "<|im_end|>", "(1,2),(3,4)", "<|box_start|>", "<|box_end|>", "\\", '"', "\0", "ß", "�",
    "<sep>", "12", "[1, 2, 3, 4]", '"label": "x"',
]  # fmt: skip
outputs = st.lists(st.sampled_from(MARKS) | st.text(max_size=6), max_size=30).map("".join)


@given(outputs, st.sampled_from(GRAMMARS), st.lists(st.integers(1, 8), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_any_cut_into_pieces_reads_the_same(raw: str, grammar: Grammar, cuts: list[int]) -> None:
    whole = grammar.read(raw, SHOWN, "thing")
    check(whole, raw)
    reader, rest, words = Reader(grammar, SHOWN, "thing"), raw, ""
    sizes = itertools.cycle(cuts)
    while rest:
        cut = next(sizes)
        words += reader.feed(rest[:cut])
        rest = rest[cut:]
    assert reader.close() == whole
    assert whole.text.startswith(words)


def fuzz(count: int) -> None:
    """Reads `count` random outputs, each in every grammar in turn."""
    dice = random.Random(7)
    for i in range(count):
        raw = "".join(dice.choice(MARKS) for _ in range(dice.randrange(40)))
        if i % 2:
            raw = "".join(dice.choice((c, c, c, chr(dice.randrange(32, 400)))) for c in raw)
        check(GRAMMARS[i % len(GRAMMARS)].read(raw, SHOWN, "thing"), raw)


def test_garbage_never_raises() -> None:
    fuzz(1_000)


@pytest.mark.slow
def test_a_hundred_thousand_garbled_outputs_never_raise() -> None:
    fuzz(100_000)


OPENINGS = ["<", "{", "[", "[1,", "```", '{"bbox_2d": [', "<box>", "<|det|>", "<phrase>", "a "]


def repeat_openings(grammar: Grammar, length: int) -> None:
    """Reads what makes a quadratic reader stall."""
    for opening in OPENINGS:
        raw = opening * (length // len(opening))
        check(grammar.read(raw, SHOWN), raw)


@pytest.mark.parametrize("grammar", [FLORENCE_2, QWEN3_VL, INTERNVL])
def test_repeated_openings_do_not_stall(grammar: Grammar) -> None:
    repeat_openings(grammar, 10_000)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("grammar", GRAMMARS)
def test_long_repeated_openings_stay_linear(grammar: Grammar) -> None:
    """Seconds for a linear reader, hours for a quadratic one."""
    repeat_openings(grammar, 300_000)


boxes = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)


@given(boxes, st.sampled_from(GRAMMARS))
@settings(max_examples=300, deadline=None)
def test_a_box_written_into_a_prompt_is_read_back(
    sides: tuple[float, float, float, float], grammar: Grammar
) -> None:
    if sides[2] - sides[0] < 0.1 or sides[3] - sides[1] < 0.1:
        return
    box = Box(*sides)
    (found,) = grammar.read(grammar.write(box, SHOWN), SHOWN, "thing").found
    # Within a bin; Kosmos-2 has 32 cells a side and reads corners as their middles.
    step = 1 / 32 if grammar is KOSMOS_2 else 1 / 480
    assert found.boxes[0].as_tuple() == pytest.approx(sides, abs=step)


def test_outlines_become_places_with_their_hull() -> None:
    raw = "<loc_100><loc_200><loc_900><loc_200><loc_500><loc_800>"
    (found,) = FLORENCE_2_OUTLINES.read(raw, SHOWN, "thing").found
    assert found.outlines[0] == ((0.1005, 0.2005), (0.9005, 0.2005), (0.5005, 0.8005))
    assert found.boxes[0] == Box(0.1005, 0.2005, 0.9005, 0.8005)


def test_boxes_without_words_take_the_given_name() -> None:
    (found,) = FLORENCE_2.read("<loc_1><loc_1><loc_9><loc_9>", SHOWN, "a cat").found
    assert found.phrase == Phrase("a cat")


def test_a_flat_box_is_counted_and_dropped() -> None:
    assert FLORENCE_2.read("x<loc_5><loc_1><loc_5><loc_9>", SHOWN).failures == 1


def test_remote_models_are_known_by_their_id() -> None:
    assert families.by_model_id("Qwen/Qwen2.5-VL-7B-Instruct") is QWEN25_VL
    assert families.by_model_id("Qwen/Qwen3-VL-2B-Instruct") is QWEN3_VL
    assert families.by_model_id("OpenGVLab/InternVL3_5-8B") is INTERNVL
    assert families.by_model_id("my-own-model") is QWEN3_VL
