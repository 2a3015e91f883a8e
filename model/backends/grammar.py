# Over 300 lines: one parser for every family; to split it would part a grammar from its kin.
"""Reads and writes places as generative models do: the one parser for every family.

A `Grammar` says which marks a family uses; a `Reader` walks over the marks once, piece by piece
as text arrives, and never raises: what cannot be read is dropped and counted. `families.py` holds
the entries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# The standard `re` cannot tell "no match" from "not yet a match", which streaming needs.
import regex

from model.backends.answers import locate
from model.backends.frames import Frame
from model.errors import RegionError
from model.types import Box, Capability, Phrase, Size

Span = tuple[int, int]
Outline = tuple[tuple[float, float], ...]

_NUMBER = regex.compile(r"-?\d{1,6}(?:\.\d{1,9})?")
_BOX_KEY = regex.compile(r"""["'](bbox_2d|bbox|box_2d|box)["']\s{0,3}:""")
_LABEL = regex.compile(
    r'"(?:label|name|caption|description|text_content)"\s{0,3}:\s{0,3}("(?:[^"\\]|\\.){0,300}")'
)
_OPENERS = regex.compile(r"[<{\[`;]")
"""Characters a mark may begin with."""
_GLUE = ",]} \t\r\n"
"""What may stand between and after JSON objects."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How one family is asked, and how it writes phrases and boxes.

    Attributes:
        family: name for people.
        marks: everything that is not plain words. The group that matches says what it is:
            `number` one coordinate, `list` several, `object` JSON, `open` and `close` around a
            phrase, `item` between items, `drop` of no meaning to people. A mark begins with one
            of `_OPENERS`, is bounded in length (so that reading is linear), and none is the
            beginning of another (so that it can be read as soon as it is whole).
        frame: what the numbers mean.
        phrase: where the phrase of a box stands: `before` or `after` its numbers, `tagged`
            between open and close, or `inside` the JSON object.
        box: how one box is written in a prompt; `{0}`, `{1}`... are the frame's numbers.
        region: how a drawn region is spoken of in a prompt; `{box}` is the box.
        prompts: wording for each thing the family can do; `{text}` and `{region}` are filled in.
        system: standing instruction of chat families; empty if none.
        outlines: a long run of numbers is the outline of a mask rather than boxes.
        cuts: the family reads no places, so what is asked about a region is asked about a cut-out
            of the picture.
    """

    family: str
    marks: regex.Pattern[str]
    frame: Frame
    phrase: Literal["before", "after", "tagged", "inside"]
    box: str
    region: str = "{box}"
    prompts: Mapping[Capability, str] = field(default_factory=dict)
    system: str = ""
    outlines: bool = False
    cuts: bool = False

    def write(self, box: Box, shown: Size) -> str:
        """Returns a box as the family writes it."""
        return self.box.format(*self.frame.write(box, shown))

    def read(self, raw: str, shown: Size, name: str = "") -> Parsed:
        """Returns what a whole output says; see `Reader`."""
        reader = Reader(self, shown, name)
        reader.feed(raw)
        return reader.close()


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase with boxes as it was written.

    Attributes:
        phrase: span into `Parsed.text`; without span if the phrase is not in the text.
        boxes: in the unit frame.
        numbers: for each box, the spans of its coordinates in the raw output.
        outlines: for each box, its outline; empty unless the grammar has outlines.
    """

    phrase: Phrase
    boxes: tuple[Box, ...]
    numbers: tuple[tuple[Span, ...], ...]
    outlines: tuple[Outline, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an output says.

    Attributes:
        text: plain words without marks.
        found: phrases with boxes, in the order written.
        failures: marks that could not be read.
    """

    text: str
    found: tuple[Found, ...] = ()
    failures: int = 0


@dataclass(slots=True, eq=False)
class _Item:
    start: int | None = None
    end: int | None = None
    boxes: list[Box] = field(default_factory=list)
    numbers: list[tuple[Span, ...]] = field(default_factory=list)
    outlines: list[Outline] = field(default_factory=list)


class Reader:
    """Reads an output as it arrives; `feed` and `close` never raise and take linear time.

    However an output is cut into pieces, the result is the same, and the words only grow.
    """

    def __init__(self, grammar: Grammar, shown: Size, name: str = "") -> None:
        """Starts a new output.

        Args:
            grammar: the family's.
            shown: pixel size of the picture as the model saw it, for families that count pixels.
            name: phrase of boxes that come without one.
        """
        self.text = ""
        self._grammar, self._shown, self._name = grammar, shown, name
        self._held, self._offset = "", 0
        self._gap, self._marked, self._separate, self._glue = "", False, False, False
        self._items: list[_Item] = []
        self._labels: dict[str, _Item] = {}
        self._current: _Item | None = None
        self._start = self._listed = 0
        self._run: list[tuple[float, Span]] = []
        self._failures = 0

    def feed(self, piece: str) -> str:
        """Takes a further piece of output and returns the plain words it adds."""
        before = len(self.text)
        self._held += piece
        self._walk(partial=True)
        return self.text[before:]

    def close(self) -> Parsed:
        """Returns everything, after the last piece."""
        if self._cut():
            self._failures += 1
        else:
            # A mark that waits to see what follows it is settled by a line end.
            self._held += "\n"
            self._walk(partial=False)
        self._flush()
        if self._grammar.phrase == "tagged" and self._current and self._current.end is None:
            self._failures += 1
        return Parsed(self.text, tuple(map(self._finish, self._items)), self._failures)

    def _cut(self) -> bool:
        """Returns whether the output ends within a mark with coordinates."""
        if self._held.startswith("{"):
            return _BOX_KEY.search(self._held) is not None
        return any(character.isdigit() for character in self._held)

    def _walk(self, *, partial: bool) -> None:
        held, done = self._held, 0
        opener = _OPENERS.search(held)
        while opener is not None:
            start = opener.start()
            # Tried at each place in turn: a search would prefer a whole mark over an earlier
            # one that is still growing.
            match = self._grammar.marks.match(held, start, partial=partial)
            if match is not None:
                self._say(held[done:start])
                done = start
                if match.partial:
                    break
                getattr(self, f"_on_{match.lastgroup}")(match)
                self._marked = True
                done = match.end()
            opener = _OPENERS.search(held, max(done, start + 1))
        else:
            self._say(held[done:])
            done = len(held)
        self._held = held[done:]
        self._offset += done

    def _say(self, text: str) -> None:
        """Adds plain words; space at the end waits for the next word."""
        if self._glue:
            text = text.lstrip(_GLUE)
            if not text:
                return
            self._glue, self._gap, self._marked = False, " ", False
        core = text.strip()
        if not core:
            self._gap += text
            return
        self._flush()
        gap = self._gap + text[: len(text) - len(text.lstrip())]
        self._append(core, self._settle(core, gap))
        self._gap, self._marked = text[len(text.rstrip()) :], False

    def _settle(self, core: str, gap: str) -> str:
        """Returns the space before `core`, now that it is known what comes before and after."""
        if self._marked and gap:
            gap = "\n" * min(gap.count("\n"), 2) or " "
        if self._grammar.phrase == "before" and self._current is not None:
            self._current, self._start = None, len(self.text)
            self._separate = core[0].isalnum() and self.text[-1:].isalnum()
        if self._separate:
            self._separate, gap = False, ", "
        return gap

    def _append(self, core: str, gap: str) -> None:
        self.text += (gap if self.text else "") + core

    def _on_drop(self, match: regex.Match[str]) -> None:
        if self._grammar.outlines:
            self._flush()

    def _on_item(self, match: regex.Match[str]) -> None:
        self._flush()
        if self._current is None:
            self._say(match.group())
            return
        self._current.end = len(self.text)
        self._current, self._separate = None, bool(self.text)

    def _on_open(self, match: regex.Match[str]) -> None:
        self._flush()
        self._failures += self._current is not None and self._current.end is None
        self._current = _Item(len(self.text))

    def _on_close(self, match: regex.Match[str]) -> None:
        if self._current is None or self._current.end is not None:
            self._failures += 1
        else:
            self._current.end = len(self.text)

    def _on_number(self, match: regex.Match[str]) -> None:
        self._run.append((float(match["number"]), self._place(*match.span("number"))))

    def _on_list(self, match: regex.Match[str]) -> None:
        self._flush()
        if self._grammar.phrase == "inside":
            self._current = None
        self._run = self._numbers(match["list"], match.start("list"))
        self._flush()

    def _on_object(self, match: regex.Match[str]) -> None:
        raw, start = match["object"], match.start("object")
        key = _BOX_KEY.search(raw)
        if key is None:
            self._say(raw)
            return
        label, end = _LABEL.search(raw), raw.find("]", key.end())
        self._name_item(_unquote(label[1]) if label else "")
        run = self._numbers(raw[key.end() : end], start + key.end()) if end > 0 else []
        # `box_2d` is the Gemini and Gemma key, always y first, whatever the family's own order is.
        turned = (key[1] == "box_2d") is not self._grammar.frame.y_first
        self._run = [run[i] for i in (1, 0, 3, 2)] if turned and len(run) == 4 else run
        self._failures += not run
        self._flush()
        self._glue = True

    def _name_item(self, label: str) -> None:
        """Makes the item of a label current: known, in the words before, or appended to them."""
        label = " ".join(label.split())
        self._current = self._labels.get(label)
        if self._current is not None:
            return
        self._current = self._labels[label] = _Item()
        if not label:
            return
        span = locate(label, self.text)
        if span is None:
            self._append(label, ", " if self._listed == len(self.text) else " ")
            self._gap, self._listed = "", len(self.text)
            span = (self._listed - len(label), self._listed)
        self._current.start, self._current.end = span

    def _numbers(self, text: str, start: int) -> list[tuple[float, Span]]:
        return [
            (float(number.group()), self._place(start + number.start(), start + number.end()))
            for number in _NUMBER.finditer(text)
        ]

    def _place(self, start: int, end: int) -> Span:
        return start + self._offset, end + self._offset

    def _flush(self) -> None:
        """Turns the numbers since the last words into boxes of the phrase they belong to."""
        run, self._run = self._run, []
        if not run:
            return
        item, count = self._owner(), self._grammar.frame.count
        size = len(run) // 2 * 2 if self._grammar.outlines and len(run) >= 6 else count
        self._failures += len(run) % size != 0
        for i in range(0, len(run) - size + 1, size):
            self._add(item, run[i : i + size])

    def _owner(self) -> _Item:
        """Returns the item that numbers written now belong to."""
        style, item = self._grammar.phrase, self._current
        if style == "after" and item is not None:
            item.end, item = len(self.text), None
        if style == "tagged" and item is not None and item.end is None:
            item.end = len(self.text)
            self._failures += 1
        if item is None:
            spans = {"before": (self._start, len(self.text)), "after": (len(self.text), None)}
            item = self._current = _Item(*spans.get(style, (None, None)))
        return item

    def _add(self, item: _Item, run: list[tuple[float, Span]]) -> None:
        values = [value for value, _ in run]
        outline = self._outline(values) if len(values) > self._grammar.frame.count else ()
        try:
            if outline:
                xs, ys = zip(*outline, strict=True)
                box = Box.parse((min(xs), min(ys), max(xs), max(ys)))
            else:
                box = Box.parse(self._grammar.frame.read(values, self._shown))
        except RegionError:
            self._failures += 1
            return
        if not item.boxes:
            self._items.append(item)
        item.boxes.append(box)
        if self._grammar.outlines:
            item.outlines.append(outline or _corners(box))
        item.numbers.append(tuple(span for _, span in run))

    def _outline(self, values: list[float]) -> Outline:
        places = zip(values[::2], values[1::2], strict=True)
        corners = (self._grammar.frame.read([x, y, x, y], self._shown) for x, y in places)
        return tuple((min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y, *_ in corners)

    def _finish(self, item: _Item) -> Found:
        """Returns an item with its phrase cut out of the text, without space around it."""
        phrase = Phrase(self._name)
        if item.start is not None:
            end = len(self.text) if item.end is None else item.end
            words = self.text[item.start : end]
            start = item.start + len(words) - len(words.lstrip(", \n\t"))
            if words := words.strip(", \n\t"):
                phrase = Phrase(words, start, start + len(words))
        return Found(phrase, tuple(item.boxes), tuple(item.numbers), tuple(item.outlines))


def _corners(box: Box) -> Outline:
    return (box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)


def _unquote(literal: str) -> str:
    """Returns the text of a JSON string, as it stands if its escapes are broken."""
    try:
        return str(json.loads(literal))
    except ValueError:
        return literal.strip('"')
