"""Questions before they reach a family: checks, intent, names, shapes as boxes, literal text."""

from __future__ import annotations

import numpy as np
import pytest

from model.backends.prompts import (
    MAX_QUESTION,
    box_of,
    check_names,
    control_tokens,
    expression_in,
    intent,
    literal,
    name_regions,
    names_in,
    phrases_in,
    understand,
)
from model.errors import CapabilityError, QuestionError, RegionError
from model.types import (
    Answer,
    Box,
    Capability,
    Mask,
    Point,
    Points,
    Region,
    Scribble,
    Shape,
    Turn,
)

ALL = frozenset(Capability)
SILENT = ALL - {Capability.CHAT}
HERE = Region("@1", Box(0, 0, 0.5, 0.5))
THERE = Region("@2", Box(0.5, 0.5, 1, 1))


@pytest.mark.parametrize(
    ("question", "pointed", "task"),
    [
        ("What is @1?", True, Capability.REGION),
        ("Segment the dog", False, Capability.SEGMENT),
        ("Describe this picture.", False, Capability.CAPTION),
        ("Describe everything you see, one by one.", False, Capability.DENSE),
        ("Where is the man left of the bench?", False, Capability.REFER),
        ("find dogs, cats and birds", False, Capability.DETECT),
        ("find all dogs", False, Capability.DETECT),
    ],
)
def test_a_model_that_cannot_chat_is_routed(question: str, pointed: bool, task: Capability) -> None:
    assert intent(question, pointed, SILENT) is task


def test_a_model_that_chats_decides_by_itself() -> None:
    assert intent("Where is the dog?", False, ALL) is Capability.CHAT


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(CapabilityError, match="pose"):
        intent("Where is the dog?", False, {Capability.POSE})


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Where are the dogs, cats and a red car?", ["dogs", "cats", "red car"]),
        ("dog", ["dog"]),
        ("Find all people", ["people"]),
        ("cat. dog. cat.", ["cat", "dog"]),
        ("?", ["?"]),
    ],
)
def test_names_are_found_in_a_question(text: str, names: list[str]) -> None:
    assert names_in(text) == names


def test_an_expression_keeps_its_words() -> None:
    assert expression_in("Where is the man left of the bench?") == "man left of the bench"


def test_phrases_stand_between_small_words() -> None:
    caption = "A man in a red hat is holding a cup, near two dogs."
    assert phrases_in(caption) == ["A man", "a red hat", "a cup", "two dogs"]


def test_regions_of_earlier_turns_can_be_spoken_of() -> None:
    earlier = Turn("What is @1?", Answer("a cat"), (HERE,))
    asked = understand("Is @1 left of @2?", [THERE], [earlier], None, ALL)
    assert asked.regions == (HERE, THERE)


@pytest.mark.parametrize(
    ("question", "error"),
    [("", QuestionError), ("x" * (MAX_QUESTION + 1), QuestionError), ("@9?", RegionError)],
)
def test_bad_questions_are_refused(question: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        understand(question, [], [], None, ALL)


def test_a_region_task_needs_a_region() -> None:
    with pytest.raises(RegionError, match="Draw"):
        understand("What is this?", [], [], Capability.REGION, ALL)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (Box(0.1, 0.2, 0.3, 0.4), (0.1, 0.2, 0.3, 0.4)),
        (Points((Point(0.5, 0.5), Point(0.9, 0.9, positive=False))), (0.45, 0.45, 0.55, 0.55)),
        (Points((Point(0.2, 0.2), Point(0.4, 0.6))), (0.19, 0.19, 0.41, 0.61)),
        (Points((Point(0, 0),)), (0, 0, 0.05, 0.05)),
        (Scribble(((0.2, 0.2), (0.4, 0.6)), width=0.1), (0.15, 0.15, 0.45, 0.65)),
        (Mask(np.eye(4, dtype=bool)[:2]), (0, 0, 0.5, 1)),
    ],
)
def test_every_shape_has_a_box(shape: Shape, box: tuple[float, ...]) -> None:
    assert box_of(shape).as_tuple() == pytest.approx(box)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(RegionError, match="nothing"):
        box_of(Mask(np.zeros((2, 2), bool)))


def test_regions_are_named_in_place_or_at_the_end() -> None:
    assert name_regions("Is @1 here?", {"@1": "[box]"}) == "Is [box] here?"
    assert name_regions("What is this?", {"@1": "[box]"}) == "What is this? ([box])"


def test_control_tokens_stay_text() -> None:
    control = control_tokens(["<image>", "</s>", "<|im_end|>", " ", "\n\n", "x"])
    text = literal("a <image> b</s><|im_end|> x\n\n", control)
    assert text == "a < image> b< /s>< |im_end|> x\n\n"
    assert control is not None
    assert control.search(text) is None


def test_names_are_tidied_and_checked() -> None:
    assert check_names([" red   car ", "dog", "dog", ""]) == ["red car", "dog"]
    with pytest.raises(QuestionError):
        check_names([" "])
    with pytest.raises(QuestionError):
        check_names(["x" * 201])
