"""Chat data in ShareGPT's form, with boxes written into the text as Qwen-VL and others do.

The marks decide how the text is read: `<|box_start|>(x0,y0),(x1,y1)<|box_end|>` (Qwen2-VL),
`<ref>..</ref><box>..</box>` (Qwen-VL, InternVL), JSON with `bbox_2d` (Qwen2.5-VL, Qwen3-VL), or
plain `[x0, y0, x1, y1]`. What the numbers mean is not written anywhere. Marked boxes count from 0
to 1000; of the others, numbers up to 1 are shares of the picture, numbers that reach beyond the
picture but not beyond 1000 are thousandths, and the rest are pixels. `sharegpt-pixels`,
`sharegpt-1000` and `sharegpt-unit` settle it by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from model.backends.families import INTERNVL, QWEN2_VL, QWEN3_VL
from model.backends.frames import Bins
from model.backends.grammar import Grammar
from model.counts import Forms, counted
from model.errors import RecordError
from model.training.importers.draft import Draft, Json, Rows, drafts_of_rows, fits_first
from model.training.importers.examples import draft_of
from model.training.importers.source import Source, split_of
from model.training.importers.values import shown, size_of, text_of
from model.types import Answer, Example, Finish, Grounding, Region, Size, Turn

MAX_CHARACTERS = 20_000
_PERSON = {"human", "user"}
_MODEL = {"gpt", "assistant", "chatgpt", "model", "bing", "bard"}
_IMAGE_MARK = re.compile(
    r"\s*(<image>|<\|image_pad\|>|<\|vision_(start|end)\|>|<img>.{0,500}?</img>)\s*"
)
_FOUR = re.compile(r"\[\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*\]")
_ASKS = re.compile(
    r"^(please )?(where (is|are)|locate|find|detect|point (to|at|out)|show me"
    r"|(give|provide|output|report)( me)? the bounding box(es)?( coordinates?)? (of|for))\b", re.I,
)  # fmt: skip
"""How a box is asked for; what follows is the name of an answer that is nothing but a box."""

_UNREAD: Forms = (
    "{count} box in the text cannot be read.",
    "{count} boxes in the text cannot be read.",
)
_UNITS = {"unit": 1, "1000": 1000, "pixels": 0}
"""Bins of each way to count; 0 means pixels."""


def _fits(row: Json) -> bool:
    return isinstance(row.get("conversations", row.get("messages")), list)


@dataclass(frozen=True)
class ShareGpt:
    """Reads chats.

    Attributes:
        name: as typed on the command line.
        unit: what plain numbers mean: `unit`, `1000` or `pixels`; empty to look at them.
    """

    name: str = "sharegpt"
    unit: str = ""
    needs: str = "a .json or .jsonl file of rows with `image` and `conversations` or `messages`"

    def recognises(self, source: Source) -> bool:
        """Returns whether a file's first rows are chats; the unit is never guessed by name."""
        return not self.unit and fits_first(source, _fits)

    def read(self, source: Source, rows: Rows) -> Iterator[Draft]:
        """Yields a picture for each chat."""
        unit = self.unit or _guess_unit(source, rows)

        def make(row: Json, file: PurePosixPath, place: str) -> Draft:
            picture = source.picture(_picture_name(row), file)
            size = source.size(picture)
            turns, failures = _turns(row, size, unit)
            if failures:
                raise RecordError(counted(_UNREAD, failures))
            draft = draft_of(Example(str(picture), size, turns), picture, file, place)
            draft.stated = size_of(row.get("width"), row.get("height"))
            draft.split = split_of(file)
            return draft

        yield from drafts_of_rows(source, rows, _fits, make)


def _guess_unit(source: Source, rows: Rows) -> str:
    """Returns what plain numbers mean in the whole data set, and notes it."""
    highest, beyond = 0.0, False
    for file, first in source.first_rows():
        if not any(_fits(row) for row in first):
            continue
        for _, row in source.rows(file):
            try:
                values, size = (
                    _plain_numbers(row),
                    source.size(source.picture(_picture_name(row), file)),
                )
            except (RecordError, KeyError, TypeError, ValueError, IndexError, AttributeError):
                continue  # refused with its reason when it is read
            highest = max([highest, *values])
            beyond |= any(v > (size.height if i % 2 else size.width) for i, v in enumerate(values))
    if not highest:
        return "1000"
    unit = "unit" if highest <= 1 else "1000" if beyond and highest <= 1000 else "pixels"
    words = {"unit": "shares of the picture", "1000": "thousandths", "pixels": "pixels"}[unit]
    rows.note(
        f"Plain numbers in the text were read as {words}; if the contact sheet looks wrong, import "
        f"again as one of {', '.join(f'sharegpt-{name}' for name in _UNITS)}."
    )
    return unit


def _plain_numbers(row: Json) -> list[float]:
    texts = [text for _, text in _messages(row)]
    return [float(n) for text in texts for four in _FOUR.findall(text) for n in four]


def _picture_name(row: Json) -> object:
    """Returns the one picture of a chat; raises RecordError if it has several."""
    names = row.get("image", row.get("images"))
    if names is None:
        names = [
            part.get("image") or part.get("image_url")
            for message in row["messages"]
            if isinstance(message["content"], list)
            for part in message["content"]
            if part.get("type") in {"image", "image_url"}
        ]
    if isinstance(names, list):
        if len(names) != 1:
            raise RecordError(f"the chat is about {len(names)} pictures; only one is possible.")
        names = names[0]
    return names.get("path") if isinstance(names, dict) else names


def _messages(row: Json) -> list[tuple[str, str]]:
    """Returns who said what, in order."""
    said = []
    for message in row["conversations"] if "conversations" in row else row["messages"]:
        who = message.get("from", message.get("role"))
        content = message.get("value", message.get("content"))
        if isinstance(content, list):
            content = "\n".join(p["text"] for p in content if p.get("type") == "text")
        said.append((who, text_of(content, MAX_CHARACTERS)))
    return said


def _turns(row: Json, size: Size, unit: str) -> tuple[tuple[Turn, ...], int]:
    """Returns a chat's turns and how many boxes in it could not be read."""
    said = [(who, text) for who, text in _messages(row) if who != "system"]
    if not said or len(said) % 2:
        raise RecordError(
            f"a chat is pairs of question and answer; this one has {len(said)} texts."
        )
    turns, failures = [], 0
    for (asker, asked), (answerer, answered) in zip(said[::2], said[1::2], strict=True):
        if asker not in _PERSON or answerer not in _MODEL:
            raise RecordError(f"{shown(asker)} and {shown(answerer)} are not person and model.")
        question, regions = _question(_IMAGE_MARK.sub(" ", asked).strip(), size, unit)
        name = _ASKS.sub("", question).strip(" .?!:")
        parsed = _grammar(answered, unit).read(answered, size, name)
        groundings = [Grounding(f.phrase, f.boxes, (1.0,) * len(f.boxes)) for f in parsed.found]
        text = parsed.text or ", ".join(grounding.phrase.text for grounding in groundings)
        turns.append(Turn(question, Answer(text, tuple(groundings), finish=Finish.STOP), regions))
        failures += parsed.failures
    return tuple(turns), failures


def _question(text: str, size: Size, unit: str) -> tuple[str, tuple[Region, ...]]:
    """Returns a question with `@1`, `@2`... where boxes were written, and those regions."""
    grammar, regions, words, done = _grammar(text, unit), [], "", 0
    for mark in grammar.marks.finditer(text):
        words += text[done : mark.start()]
        done = mark.end()
        for found in grammar.read(mark.group(), size).found:
            for box in found.boxes:
                regions.append(Region(f"@{len(regions) + 1}", box))
                words += f"{regions[-1].name} "
    words += text[done:]
    return " ".join(words.split()) or "Describe this picture.", tuple(regions)


def _grammar(text: str, unit: str) -> Grammar:
    """Returns how a text is to be read, judged by the marks in it."""
    if "<|box_start|>" in text:
        return QWEN2_VL
    if "<box>" in text:
        return INTERNVL
    return replace(QWEN3_VL, frame=Bins(_UNITS[unit]))
