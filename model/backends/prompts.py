"""From a question with regions to the words a family is asked in: checks, intent, coordinates."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.errors import CapabilityError, QuestionError, RegionError
from model.tokens import REGION_NAME, check_question, referred
from model.types import Box, Capability, Mask, Points, Region, Scribble, Shape, Turn

MAX_QUESTION = 4000
"""Characters; the page asks for less, and this holds for every other caller."""
CLICK_SIDE = 0.1
"""Side of the square that stands for a click where a family knows boxes only."""

_SEGMENT = re.compile(r"\b(segment|mask|outline|cut out)\b", re.IGNORECASE)
_CAPTION = re.compile(
    r"\b(describe|caption)\b|what(?:'s| is| do you see| can you see)?\s+(?:in|on)?\s*"
    r"(?:this|the)\s+(?:picture|image|photo)\b|what do you see",
    re.IGNORECASE,
)
_DENSE = re.compile(r"\b(everything|all (?:things|objects)|each thing|one by one)\b", re.IGNORECASE)
_LEAD = re.compile(
    r"^\s*(?:(?:please|can you|could you)\s+)*(?:find|locate|detect|show(?: me)?"
    r"|point (?:at|to|out)|mark|box|where(?: is| are|'s)|is there|are there"
    r"|do you see|which is|count)\b\s*"
    r"(?:all|every|each|any)?\s*(?:of\s+)?(?:the|an?)?\s+",
    re.IGNORECASE,
)
_PART = re.compile(r"\s*[,;]\s*|\s+(?:and|or)\s+|\s*[.?!]+\s*", re.IGNORECASE)
_BETWEEN = re.compile(
    r"[,;:.!?]|\b(?:and|or|but|while|with|without|in|on|at|by|near|under|over|behind|beside|above"
    r"|below|between|against|from|to|into|onto|next to|in front of|is|are|was|were|has|have|there"
    r"|it|they|holding|wearing|riding|sitting|standing|walking|eating|looking|playing|carrying"
    r"|lying|using|watching|parked)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r"\b(?:all|every|each|count|how many)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|an?|all|any|some)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked question.

    Attributes:
        text: without space around it.
        task: what is to be done.
        regions: those the question is about, in the order they are named.
        history: earlier turns.
        known: every region that has a name, earlier turns included.
    """

    text: str
    task: Capability
    regions: tuple[Region, ...] = ()
    history: tuple[Turn, ...] = ()
    known: Mapping[str, Region] = field(default_factory=dict)


def understand(
    question: str,
    regions: Sequence[Region],
    history: Sequence[Turn],
    task: Capability | None,
    capabilities: Collection[Capability],
) -> Asked:
    """Returns the checked question and what is to be done with it.

    Raises:
        QuestionError: the text is empty or too long.
        RegionError: a region is named that was never drawn, or one is needed and there is none.
        CapabilityError: the model can do none of what the words may mean.
    """
    text = check_question(question, MAX_QUESTION)
    known = {region.name: region for turn in history for region in turn.regions}
    drawn = {region.name: region for region in regions}
    names = referred(text, list(drawn), list(known))
    known |= drawn
    meant = tuple(known[name] for name in dict.fromkeys(names))
    task = task or intent(text, bool(meant), capabilities)
    if task in (Capability.REGION, Capability.CLICK) and not meant:
        raise RegionError("Draw a point or a box first, or name one such as @1.")
    return Asked(text, task, meant, tuple(history), known)


def intent(text: str, pointed: bool, capabilities: Collection[Capability]) -> Capability:
    """Returns what a question without a pinned task asks for, as far as the model can do it.

    A model that chats decides by itself.

    Raises:
        CapabilityError: it can do nothing that fits.
    """
    wishes = [Capability.CHAT]
    if _SEGMENT.search(text):
        wishes.insert(0, Capability.SEGMENT)
    if pointed:
        wishes += [Capability.REGION, Capability.CLICK, Capability.DETECT, Capability.SEGMENT]
    elif _DENSE.search(text):
        wishes += [Capability.DENSE]
    elif _CAPTION.search(text):
        wishes += [Capability.CAPTION]
    if not pointed:
        several = len(names_in(text)) > 1 or _SEVERAL.search(text)
        wishes += [Capability.DETECT, Capability.REFER] if several else [Capability.REFER]
        wishes += [Capability.DETECT, Capability.CAPTION]
    for wish in wishes:
        if wish in capabilities:
            return wish
    able = ", ".join(sorted(capabilities))
    raise CapabilityError(f"This model cannot answer {text!r:.80}. It can: {able}.")


def names_in(text: str) -> list[str]:
    """Returns the things a question names, without the words around them.

    Example:
        >>> names_in("Where are the dogs, cats and a red car?")
        ['dogs', 'cats', 'red car']
    """
    parts = (_ARTICLE.sub("", part.strip()) for part in _PART.split(expression_in(text)))
    return list(dict.fromkeys(part for part in parts if part)) or [text.strip()]


def expression_in(text: str) -> str:
    """Returns the expression a question refers with.

    Example:
        >>> expression_in("Where is the man left of the bench?")
        'man left of the bench'
    """
    return _LEAD.sub("", text, count=1).strip(" \t\n.?!") or text.strip()


def phrases_in(caption: str) -> list[str]:
    """Returns the stretches of a caption between its small words: roughly its noun phrases.

    Example:
        >>> phrases_in("A man in a red hat is holding a cup.")
        ['A man', 'a red hat', 'a cup']
    """
    parts = (part.strip() for part in _BETWEEN.split(caption))
    return list(dict.fromkeys(part for part in parts if len(_ARTICLE.sub("", part)) > 1))


def check_names(names: Iterable[str]) -> list[str]:
    """Returns class names without space or doubles; raises QuestionError if none is left."""
    clean = list(dict.fromkeys(" ".join(name.split()) for name in names if name.strip()))
    if not clean:
        raise QuestionError("No name was given; type what should be found, such as: dog, red car.")
    if longest := next((name for name in clean if len(name) > 200), None):
        raise QuestionError(f"A name has {len(longest):,} characters; at most 200 fit.")
    return clean


def box_of(shape: Shape) -> Box:
    """Returns the box that stands for a drawn shape; a click becomes a small square around it."""
    match shape:
        case Box():
            return shape
        case Mask(pixels):
            rows, columns = np.flatnonzero(pixels.any(1)), np.flatnonzero(pixels.any(0))
            if not len(rows):
                raise RegionError("The mask marks nothing; draw it again.")
            high, wide = pixels.shape
            return Box.parse(
                (columns[0] / wide, rows[0] / high, (columns[-1] + 1) / wide, (rows[-1] + 1) / high)
            )
        case Scribble(path, width):
            return _hull(path, width / 2)
        case Points(points):
            places = [(point.x, point.y) for point in points if point.positive]
            return _hull(places, CLICK_SIDE / 2 if len(places) == 1 else CLICK_SIDE / 10)


def _hull(places: Iterable[tuple[float, float]], margin: float) -> Box:
    xs, ys = zip(*places, strict=True)
    margin = max(margin, 1e-3)
    return Box.parse((min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin))


def name_regions(text: str, spoken: Mapping[str, str]) -> str:
    """Returns a question with every `@1` replaced by how the family speaks of that region.

    Args:
        text: the question.
        spoken: words for each region; those the text does not name, as in "What is this?", follow
            at its end.
    """
    named = {match.group() for match in REGION_NAME.finditer(text)}
    rest = "".join(f" ({words})" for name, words in spoken.items() if name not in named)
    return REGION_NAME.sub(lambda match: spoken.get(match.group(), match.group()), text) + rest


def literal(text: str, control: re.Pattern[str] | None) -> str:
    """Returns text in which no control token is left: each is broken by a space.

    People may type `<image>` or `</s>`; it must stay text, also for tokenizers that would read
    it as a token of their own.
    """
    return (
        control.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", text)
        if control
        else text
    )


def control_tokens(tokens: Iterable[str]) -> re.Pattern[str] | None:
    """Returns a pattern of the tokens that people must not spell; None if there are none.

    Single characters and white space are text in every tokenizer.
    """
    spelled = sorted((t for t in tokens if len(t.strip()) > 2), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, spelled))) if spelled else None
