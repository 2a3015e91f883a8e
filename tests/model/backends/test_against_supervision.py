"""The parser agrees with supervision's wherever that can read a family."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import supervision as sv

from model.backends.families import (
    DEEPSEEK_VL2,
    FLORENCE_2,
    GEMMA_3,
    KOSMOS_2,
    PALIGEMMA,
    QWEN3_VL,
    QWEN25_VL,
)
from model.backends.grammar import Grammar
from model.backends.loading import load_processor
from model.types import Size
from tests.model.backends.conftest import Tiny

SIZE = Size(640, 480)
WH = (640, 480)
JSON = """```json
[
\t{"%s": [100, 200, 300, 400], "label": "cat"},
\t{"%s": [50, 25, 75, 430], "label": "brown dog"}
]
```"""

CASES: dict[str, tuple[Grammar, sv.VLM, str, dict[str, Any]]] = {
    "paligemma": (
        PALIGEMMA,
        sv.VLM.PALIGEMMA,
        "<loc0256><loc0128><loc0512><loc1023> cat ; <loc0010><loc0020><loc0512><loc0512> brown dog",
        {},
    ),
    "qwen2.5": (QWEN25_VL, sv.VLM.QWEN_2_5_VL, JSON % (("bbox_2d",) * 2), {"input_wh": WH}),
    "qwen3": (QWEN3_VL, sv.VLM.QWEN_3_VL, JSON % (("bbox_2d",) * 2), {}),
    "qwen3 cut": (QWEN3_VL, sv.VLM.QWEN_3_VL, (JSON % (("bbox_2d",) * 2))[:-40], {}),
    "gemma": (GEMMA_3, sv.VLM.GOOGLE_GEMINI_2_0, JSON % (("box_2d",) * 2), {}),
    "deepseek": (
        DEEPSEEK_VL2,
        sv.VLM.DEEPSEEK_VL_2,
        "<|ref|>cat<|/ref|><|det|>[[580, 270, 999, 904], [1, 2, 30, 40]]<|/det|>"
        "<|ref|>brown dog<|/ref|><|det|>[[26, 31, 632, 998]]<|/det|>",
        {},
    ),
}


@pytest.mark.parametrize(("grammar", "vlm", "raw", "extra"), CASES.values(), ids=CASES)
def test_boxes_and_names_agree(
    grammar: Grammar, vlm: sv.VLM, raw: str, extra: dict[str, Any]
) -> None:
    agree(grammar, raw, sv.Detections.from_vlm(vlm, raw, resolution_wh=WH, **extra))


def test_florence_2_agrees_by_way_of_its_own_processor(tiny: Tiny) -> None:
    raw = "cat<loc_100><loc_200><loc_500><loc_900>brown dog<loc_1><loc_2><loc_998><loc_999>"
    processor = load_processor(tiny("florence2"))
    read = processor.post_process_generation(raw, task="<OD>", image_size=WH)
    theirs = sv.Detections.from_vlm(sv.VLM.FLORENCE_2, read, resolution_wh=WH)
    agree(FLORENCE_2, raw, theirs, atol=1.0)  # that processor cuts off what is behind the point


def test_kosmos_2_agrees_by_way_of_its_own_processor(tiny: Tiny) -> None:
    raw = (
        "<phrase>a cat</phrase><object><patch_index_0033><patch_index_0500>"
        "</delimiter_of_multi_objects/><patch_index_0000><patch_index_1023></object> by"
        "<phrase>a brown dog</phrase><object><patch_index_0100><patch_index_0910></object>"
    )
    read = load_processor(tiny("kosmos2")).post_process_generation(raw)
    agree(KOSMOS_2, raw, sv.Detections.from_vlm(sv.VLM.KOSMOS_2, read, resolution_wh=WH))


def agree(grammar: Grammar, raw: str, theirs: sv.Detections, atol: float = 1e-3) -> None:
    """Compares names and boxes in pixels."""
    ours = [
        (item.phrase.text, box.as_tuple())
        for item in grammar.read(raw, SIZE).found
        for box in item.boxes
    ]
    assert [name for name, _ in ours] == list(theirs.data["class_name"])
    scale = np.array([640, 480, 640, 480])
    np.testing.assert_allclose(np.array([b for _, b in ours]) * scale, theirs.xyxy, atol=atol)
