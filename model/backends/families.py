"""One entry for every published family: how it is asked, how it writes, where its numbers lie.

Sources are named at each entry; the test fixtures quote the output format from the same place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import regex

from model.backends.frames import Bins, Grid
from model.backends.grammar import Grammar
from model.types import Capability

_JUNK = (
    r"</?(?:s|pad|unk|bos|eos|mask|doc|image|chunk|line)>|<end_of_turn>|<\|(?:im_start|im_end"
    r"|endoftext|vision_start|vision_end|image_pad|begin_of_box|end_of_box|grounding|eot_id)\|>"
)
"""Control tokens that mean nothing to people."""

FLORENCE_2 = Grammar(
    family="Florence-2",
    marks=regex.compile(
        rf"<loc_(?P<number>\d{{1,4}})>|(?P<drop>{_JUNK}|</?poly>|<sep>|<and>|</?[a-z]{{2,9}}>)"
    ),
    # Source: Florence2PostProcessor.dequantize takes the middle of 1000 bins.
    frame=Bins(1000, centre=0.5, top=999),
    phrase="before",
    box="<loc_{0}><loc_{1}><loc_{2}><loc_{3}>",
    # Source: Florence2Processor.task_prompts_without_inputs and task_prompts_with_input.
    prompts={
        Capability.CAPTION: "Describe in detail what is shown in the image.",
        Capability.DENSE: "Locate the objects in the image, with their descriptions.",
        Capability.DETECT: "Locate {text} in the image.",
        Capability.REFER: "Locate the phrases in the caption: {text}",
        Capability.GROUND: "Locate the phrases in the caption: {text}",
        Capability.REGION: "What does the region {region} describe?",
        Capability.CLICK: "What is the region {region}?",
        Capability.SEGMENT: "What is the polygon mask of region {region}",
    },
)
FLORENCE_2_OUTLINES = replace(FLORENCE_2, outlines=True)

KOSMOS_2 = Grammar(
    family="Kosmos-2",
    marks=regex.compile(
        r"<patch_index_(?P<number>\d{4})>|(?P<open><phrase>)|(?P<close></phrase>)"
        rf"|(?P<drop></?object>|</delimiter_of_multi_objects/>|<grounding>|{_JUNK})"
    ),
    frame=Grid(32),
    phrase="tagged",
    box="<object><patch_index_{0:04d}><patch_index_{1:04d}></object>",
    region="<phrase>it</phrase>{box}",
    # Source: the model card of microsoft/kosmos-2-patch14-224, "Tasks".
    prompts={
        Capability.CAPTION: "<grounding> An image of",
        Capability.DENSE: "<grounding> Describe this image in detail:",
        Capability.DETECT: "<grounding><phrase> {text}</phrase>",
        Capability.REFER: "<grounding><phrase> {text}</phrase>",
        Capability.REGION: "<grounding><phrase> It</phrase>{region} is",
        Capability.CLICK: "<grounding><phrase> It</phrase>{region} is",
        Capability.CHAT: "<grounding> Question: {text} Answer:",
    },
)

PALIGEMMA = Grammar(
    family="PaliGemma",
    marks=regex.compile(rf"<loc(?P<number>\d{{4}})>|(?P<item>;)|(?P<drop><seg\d{{3}}>|{_JUNK})"),
    # Source: big_vision's PaliGemma README: <locYYYY> is y0, x0, y1, x1 in 1024ths.
    frame=Bins(1024, top=1023, y_first=True),
    phrase="after",
    box="<loc{0:04d}><loc{1:04d}><loc{2:04d}><loc{3:04d}>",
    prompts={
        Capability.CAPTION: "caption en",
        Capability.DETECT: "detect {text}",
        Capability.REFER: "detect {text}",
        Capability.REGION: "caption {region}",
        Capability.CLICK: "caption {region}",
        Capability.CHAT: "answer en {text}",
    },
)

_NUMBERS = r"\d{1,5}(?:\.\d{1,9})?(?:\s{0,3},\s{0,3}\d{1,5}(?:\.\d{1,9})?){3}"
_JSON = regex.compile(
    r"(?P<object>\{[^{}]{0,1000}\})"
    rf"|(?P<list>\[\s{{0,3}}{_NUMBERS}\s{{0,3}}\]|\[\s{{0,3}}\[[^\[\]{{}}]{{0,60}}\]\s{{0,3}}\])"
    r"|(?P<drop>```(?:json|JSON)?(?=[\s\[{<])|\[\s{0,9}(?=\{)|\[\s{0,9}\]"
    rf'|\{{\s{{0,9}}"\w{{1,30}}"\s{{0,3}}:\s{{0,3}}(?=\[\s{{0,9}}\{{)|{_JUNK})'
)
_CITE = (
    "Answer in plain words. If the answer names things that can be seen in the picture, list them "
    'after it as JSON, in the very words of the answer: [{"%s": [%s], "label": "..."}]. '
    "Coordinates %s."
)
_PER_MILLE = "run from 0 to 1000 across and down the picture"

_CHAT_PROMPTS: Mapping[Capability, str] = {
    Capability.CHAT: "{text}",
    Capability.CAPTION: "Describe this picture in one or two sentences. Then list every thing you "
    "named, in the same words, with its bbox coordinates in JSON format.",
    Capability.DENSE: "List every object in this picture with its bbox coordinates in JSON format; "
    "the label is a short description of it.",
    # Source: the 2D grounding cookbook of Qwen3-VL.
    Capability.DETECT: "Locate every instance that belongs to the following categories: "
    '"{text}". Report bbox coordinates in JSON format.',
    Capability.REFER: "Locate {text}, output its bbox coordinates using JSON format.",
    Capability.GROUND: "For each thing named in this sentence, report bbox coordinates in JSON "
    'format, with its words in the sentence as label: "{text}"',
    Capability.REGION: "Describe {region} in a few words, without coordinates.",
    Capability.CLICK: "What is at {region}? Answer in a few words, without coordinates.",
}

QWEN3_VL = Grammar(
    family="Qwen3-VL",
    marks=_JSON,
    frame=Bins(1000),
    phrase="inside",
    box="[{0}, {1}, {2}, {3}]",
    region="the thing in the box {box}",
    prompts=_CHAT_PROMPTS,
    system=_CITE % ("bbox_2d", "x0, y0, x1, y1", _PER_MILLE),
)
"""Also Qwen3.5, GLM-V and the default for an unknown chat model."""

QWEN25_VL = replace(
    QWEN3_VL,
    family="Qwen2.5-VL",
    # Source: the Qwen2.5-VL report, section 2.1.4: pixels of the picture after resizing.
    frame=Bins(0),
    system=_CITE % ("bbox_2d", "x0, y0, x1, y1", "are pixels"),
)

GEMMA_3 = replace(
    QWEN3_VL,
    family="Gemma 3",
    box="[{0}, {1}, {2}, {3}]",
    frame=Bins(1000, y_first=True),
    system=_CITE % ("box_2d", "y0, x0, y1, x1", _PER_MILLE),
)

INTERNVL = replace(
    QWEN3_VL,
    family="InternVL",
    # Source: the InternVL documentation: <ref>words</ref><box>[[x0, y0, x1, y1]]</box>.
    marks=regex.compile(
        r"(?P<open><ref>)|(?P<close></ref>)|<box>(?P<list>[^<]{0,2000})</box>"
        rf"|(?P<drop>```(?:json|JSON)?(?=[\s\[{{<])|{_JUNK})"
    ),
    phrase="tagged",
    box="<box>[[{0}, {1}, {2}, {3}]]</box>",
    prompts={
        **_CHAT_PROMPTS,
        Capability.CAPTION: "Describe this picture in one or two sentences and detect and label "
        "everything you name.",
        Capability.DETECT: "Please detect and label all objects of these kinds in the image: "
        "{text}.",
        Capability.REFER: "Please provide the bounding box coordinate of the region this sentence "
        "describes: <ref>{text}</ref>",
    },
    system="",
)

DEEPSEEK_VL2 = replace(
    INTERNVL,
    family="DeepSeek-VL2",
    # Source: the DeepSeek-VL2 README: <|ref|>words<|/ref|><|det|>[[x0, y0, x1, y1]]<|/det|>, 0-999.
    marks=regex.compile(
        r"(?P<open><\|ref\|>)|(?P<close><\|/ref\|>)|<\|det\|>(?P<list>[^<]{0,2000})<\|/det\|>"
        rf"|(?P<drop>{_JUNK})"
    ),
    frame=Bins(999, top=999),
    box="<|det|>[[{0}, {1}, {2}, {3}]]<|/det|>",
    prompts={
        **_CHAT_PROMPTS,
        Capability.CAPTION: "<|grounding|>Describe this picture in one or two sentences.",
        Capability.DETECT: "<|ref|>{text}<|/ref|>.",
        Capability.REFER: "<|ref|>{text}<|/ref|>.",
    },
)

_QWEN2_PROMPT = "Detect the bounding box of <|object_ref_start|>{text}<|object_ref_end|>."

QWEN2_VL = replace(
    INTERNVL,
    family="Qwen2-VL",
    # Source: the Qwen2-VL report, table 2: <|object_ref_start|>...<|box_start|>(x0,y0),(x1,y1)...
    marks=regex.compile(
        r"(?P<open><\|object_ref_start\|>)|(?P<close><\|object_ref_end\|>)"
        rf"|<\|box_start\|>(?P<list>[^<]{{0,2000}})<\|box_end\|>|(?P<drop>{_JUNK})"
    ),
    frame=Bins(1000),
    box="<|box_start|>({0},{1}),({2},{3})<|box_end|>",
    prompts={
        **_CHAT_PROMPTS,
        Capability.CAPTION: "Describe this picture in one or two sentences with grounding.",
        Capability.DETECT: _QWEN2_PROMPT,
        Capability.REFER: _QWEN2_PROMPT,
    },
)

PLAIN = Grammar(
    family="chat without places",
    marks=regex.compile(rf"(?P<drop>{_JUNK})"),
    frame=Bins(1000),
    phrase="inside",
    box="",
    region="what the picture shows",
    prompts={
        Capability.CHAT: "{text}",
        Capability.CAPTION: "Describe this picture in one or two sentences.",
        Capability.REGION: "What does the picture show? Answer in a few words.",
        Capability.CLICK: "What does the picture show? Answer in a few words.",
    },
    cuts=True,
)
"""Chat models that were not taught to write or read places; a detector beside them finds them."""

REMOTE: tuple[tuple[str, Grammar], ...] = (
    ("qwen2.5-vl", QWEN25_VL),
    ("qwen2-vl", QWEN2_VL),
    ("internvl", INTERNVL),
    ("deepseek-vl2", DEEPSEEK_VL2),
    ("gemma", GEMMA_3),
    ("gemini", GEMMA_3),
    *((word, PLAIN) for word in ("llava", "llama", "pixtral", "smolvlm", "idefics", "phi-")),
    ("", QWEN3_VL),
)
"""Which grammar a remote model is spoken to in: the first whose word its id contains."""


def by_model_id(model_id: str) -> Grammar:
    """Returns the grammar of a remote model, judged by its id."""
    known = model_id.lower().replace("_", "-")
    return next(grammar for word, grammar in REMOTE if word in known)
