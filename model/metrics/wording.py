"""Are the words right: names of regions and clicked things, captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model.metrics.bootstrap import Values, mean
from model.metrics.cider import cider_d, tokenize
from model.metrics.items import Item
from model.metrics.localization import is_hit
from model.metrics.measures import Measure
from model.naming import Lexicon

LARGE_PX = 32 * 32
"""Area in pixels of the packed picture from which a box is not small any more."""

Names = Mapping[str, Sequence[str]]


def _lexicon(items: Sequence[Item], names: Names) -> Lexicon:
    labels = {thing.label for item in items for thing in item.record.objects}
    return Lexicon(sorted(labels.union(*names.values())))


def names_given(items: Sequence[Item], names: Names) -> dict[str, Measure]:
    """Returns how often the head noun of the text names the object's class.

    Args:
        items: one for each object.
        names: class names of each label space, see `records.class_names`; together with their
            synonyms they are the words that are understood.
    """
    lexicon = _lexicon(items, names)
    every: Values = []
    large: Values = []
    for item in items:
        right = (item.record.id, float(item.thing.label in lexicon.classes(item.text)))
        every.append(right)
        size = item.record.size
        if item.thing.box.area * size.width * size.height >= LARGE_PX:
            large.append(right)
    return {"top1": mean(every), "top1_large": mean(large)}


def captions(items: Sequence[Item], names: Names) -> dict[str, Measure]:
    """Returns CIDEr-D times 100, and what captions are like: long, varied, grounded."""
    scores = cider_d([i.text for i in items], [i.record.captions for i in items])
    answers = [item.prediction.answer if item.prediction else None for item in items]
    # The last picture that got a caption stands for it, the others repeat it.
    holder = {item.text: item.record.id for item in items}
    columns: dict[str, tuple[list[float], bool]] = {
        "cider": ([100 * score for score in scores], False),
        "words": ([len(tokenize(item.text)) for item in items], False),
        "phrases": ([len(a.groundings) if a else 0 for a in answers], False),
        "distinct": ([float(holder[item.text] == item.record.id) for item in items], True),
    }
    pictures = [item.record.id for item in items]
    out = {
        name: mean(list(zip(pictures, values, strict=True)), share)
        for name, (values, share) in columns.items()
    }
    return out | {"phrase_precision": mean(_phrases_right(items, _lexicon(items, names)))}


def _phrases_right(items: Sequence[Item], lexicon: Lexicon) -> Values:
    """Returns, for each phrase that names a known class, whether its box is on such an object."""
    right: Values = []
    for item in items:
        answer = item.prediction.answer if item.prediction else None
        for grounding in answer.groundings if answer and item.record.exhaustive else ():
            classes = lexicon.classes(grounding.phrase.text)
            if classes and grounding.boxes:
                truths = [o.box for o in item.record.objects if o.label in classes]
                right.append((item.record.id, is_hit(grounding.boxes[0], truths)))
    return right
