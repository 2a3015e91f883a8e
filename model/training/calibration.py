"""One threshold for everything: where it lies, and how scores of names are moved to share it.

The threshold belongs to referring expressions: from it on, their boxes have the highest F1. Names
are detected many at once and score differently, so their scores are shifted until the same
threshold fits them: half way, in logits, between where "not present" has its highest F1 (low: one
weak box is enough) and where the boxes have theirs (high). Shipped and taught checkpoints are
treated alike.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from tqdm import tqdm

from model import checkpoint
from model.config import ModelConfig
from model.engine import Engine, load
from model.records import Record
from model.training import exam
from model.turns import box_to_json
from model.types import Capability

LOWEST_SCORE = 0.01
USUAL_CUT, USUAL_BOXES = 0.25, 8
"""Where names that were just taught score best, and the boxes by which that is outvoted.

A handful of held-out boxes says little about where others will score: of two pictures it often said
so high a cut that a quarter of what had been ranked right was shown.
"""
TRUSTS = (0.0, 0.25, 0.5, 1.0)


def calibrate(folder: Path, records: Sequence[Record]) -> ModelConfig:
    """Chooses trust, threshold and shifts of a checkpoint, writes them into it, returns them."""
    engine = load(folder)
    trust, result = choose_trust(engine, records, _bar)
    engine.trust = trust
    tree = engine.model.tree
    threshold = round(expression_cut(engine, records) or tree.threshold, 3)
    tree = calibrated(replace(tree, trust=trust, threshold=threshold), result, tree.taught)
    model, vocabulary, _ = checkpoint.load(folder)
    model.config.sections = tree.to_json()
    checkpoint.save(model, vocabulary, folder, half=True)
    return tree


def _bar(title: str, lines: Iterable[Any], total: int) -> Iterator[Any]:
    yield from tqdm(lines, total=total, desc=title, file=sys.stderr)


def choose_trust(
    engine: Engine,
    records: Sequence[Record],
    show: Callable[[str, Iterable[Any], int], Iterator[Any]] = lambda _, lines, __: iter(lines),
) -> tuple[float, exam.Result]:
    """Returns how far corrections of the trunk's own names should count, and the exam with it.

    Args:
        engine: its own trust is tried, too.
        records: to choose by; the highest AP50 wins.
        show: sees the predictions of each exam go by, with its title and their number.
    """
    results: dict[float, exam.Result] = {}
    for trust in dict.fromkeys((engine.trust, *TRUSTS)):
        engine.trust = trust

        def watch(lines: Iterator[Any], title: str = f"trust {trust}") -> Iterator[Any]:
            return show(title, lines, len(records))

        results[trust] = exam.hold_with(engine, records, watch)
    best = max(results, key=lambda trust: results[trust].value)
    return best, results[best]


def calibrated(tree: ModelConfig, result: exam.Result, new_names: Sequence[str]) -> ModelConfig:
    """Returns a configuration whose threshold fits the names of an exam, known ones and new ones.

    Args:
        tree: its threshold stays.
        result: the exam.
        new_names: the names in it that are none of the trunk's classes.
    """
    taught = tuple(dict.fromkeys((*tree.taught, *new_names)))
    known = _of_kind(result, lambda name: name not in taught)
    new = _of_kind(result, lambda name: name in taught)
    return replace(
        tree,
        shift=_moved(tree, tree.shift, known),
        new_shift=_moved(tree, tree.new_shift, new, USUAL_BOXES),
        taught=taught,
    )


def _of_kind(result: exam.Result, fits: Callable[[str], bool]) -> exam.Result:
    """Returns an exam as if only names of one kind had been asked for."""
    pictures = [
        picture
        | {
            key: [shown for shown in picture[key] if fits(shown["label"])]
            for key in ("truth", "prediction")
        }
        for picture in result.pictures
    ]
    presence = tuple(asked for asked in result.presence if fits(asked.name))
    return replace(result, cut=exam.best_cut(pictures), pictures=pictures, presence=presence)


def _moved(tree: ModelConfig, shift: float, result: exam.Result, usual: int = 0) -> float:
    """Returns the shift with which the threshold fits; the old one if nothing was to be found.

    Args:
        tree: its threshold stays.
        shift: that the exam's scores have.
        result: the exam.
        usual: boxes that vote for the usual cut.
    """
    absent = [asked.score for asked in result.presence if not asked.present]
    present = [asked.score for asked in result.presence if asked.present]
    cuts = [result.cut, presence_cut(absent, present)]
    fitting = [exam.logit(cut) for cut in cuts if cut is not None]
    if result.cut is None or not fitting:
        return shift
    count = sum(len(picture["truth"]) for picture in result.pictures)
    votes = count * sum(fitting) / len(fitting) + usual * (exam.logit(USUAL_CUT) + shift)
    return round(shift + exam.logit(tree.threshold) - votes / (count + usual), 3)


def presence_cut(absent: Sequence[float], present: Sequence[float]) -> float | None:
    """Returns the score below which "not present" has the highest F1; None without both kinds.

    Example:
        >>> presence_cut(absent=[0.1, 0.2], present=[0.6, 0.9])
        0.4
    """
    if not absent or not present:
        return None
    scores = sorted({0.0, 1.0, *absent, *present})
    cuts = [(a + b) / 2 for a, b in pairwise(scores)]

    def f1(cut: float) -> float:
        right = sum(score < cut for score in absent)
        wrong = sum(score < cut for score in present)
        return 2 * right / max(1, right + wrong + len(absent))

    return round(max(cuts, key=f1), 4)


def expression_cut(engine: Engine, records: Sequence[Record]) -> float | None:
    """Returns the score from which boxes of referring expressions have the highest F1.

    Each expression means one thing. None if no record has any.
    """
    asked: list[dict[str, Any]] = []
    for record in tqdm(records, desc="threshold", unit="picture", file=sys.stderr):
        encoded = engine.encode(record.read_picture())
        for ref in record.refs:
            answer = engine.answer(encoded, ref.text, task=Capability.REFER, threshold=LOWEST_SCORE)
            found = [
                pair for g in answer.groundings for pair in zip(g.boxes, g.scores, strict=True)
            ]
            prediction = [{"label": "", "box": box_to_json(b), "score": s} for b, s in found]
            truth = [{"label": "", "box": box_to_json(record.objects[ref.object].box)}]
            asked.append({"truth": truth, "prediction": prediction})
    return exam.best_cut(asked)
