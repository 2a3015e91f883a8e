"""Beam search: a description is the likeliest of several, not the first that offers itself.

What all hypotheses agree upon is told at once, so that a description still streams. Source: the
shrinking beam of Sutskever et al. 2014; normalised by length as in Wu et al. 2016, eq. 14.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor

from model.conversation import Conversation
from model.tokens import Special
from model.types import Delta, Event, Finish

BEAMS = 3
LENGTH_POWER = 0.7
"""How far longer texts are forgiven for being less likely: 0 not at all, 1 the mean."""


@dataclass(slots=True)
class Hypothesis:
    """An answer as far as it is written.

    Attributes:
        talk: the conversation that writes it.
        state: float[1, D], behind its last token.
        chance: sum of the log probabilities of its tokens.
        length: number of its tokens.
    """

    talk: Conversation
    state: Tensor
    chance: float = 0.0
    length: int = 0

    @property
    def score(self) -> float:
        """Log probability, normalised by length."""
        return self.chance / max(1, self.length) ** LENGTH_POWER

    def after(self, token: int, chance: float) -> Hypothesis:
        """Returns a new hypothesis with one more token; this one stays as it is."""
        talk = self.talk.fork()
        state = self.state if token == Special.EOS.id else talk.take(token)[0]
        return Hypothesis(talk, state, self.chance + chance, self.length + 1)


@torch.inference_mode()
def describe(
    talk: Conversation,
    state: Tensor,
    max_tokens: int,
    stop: Callable[[], bool] | None,
    beams: int = BEAMS,
) -> Iterator[Event]:
    """Yields text as soon as all hypotheses agree upon it, then the likeliest answer as a whole.

    Args:
        talk: which has read its question.
        state: float[1, D], behind it.
        max_tokens: most tokens of an answer.
        stop: whether somebody asked to stop.
        beams: hypotheses.
    """
    live = [Hypothesis(talk, state)]
    ended: list[Hypothesis] = []
    told, finish = "", Finish.STOP
    for _ in range(max_tokens):
        if stop is not None and stop():
            finish = Finish.CANCELLED
            break
        live = _step(live, ended, beams)
        agreed = _agreed([each.talk.writer.text for each in (*live, *ended)])
        if len(agreed) > len(told):
            yield Delta(agreed[len(told) :])
            told = agreed
        if not live:
            break
    else:
        finish = Finish.STOP if ended else Finish.LENGTH
    # Stopped early, an end that nobody would have chosen is no better than a good beginning.
    choice = ended if finish is Finish.STOP else (*live, *ended)
    best = max(choice, key=lambda each: each.score).talk
    if len(best.writer.text) > len(told):
        yield Delta(best.writer.text[len(told) :])
    yield best.whole(finish)


def _step(live: list[Hypothesis], ended: list[Hypothesis], beams: int) -> list[Hypothesis]:
    """Returns the best continuations; those that come to an end go to `ended`, for good.

    No hypothesis says the same phrase twice: "a bus with a bus on it" is what likelihood makes of
    a picture with one bus.
    """
    room = beams - len(ended)
    offers = []
    for each in live:
        logits = each.talk.allowed(each.state).float().log_softmax(-1)
        if each.talk.repeats():
            logits[Special.PHRASE_END.id] = -torch.inf
        chances = logits.topk(room)
        offers += [
            (each.chance + chance, each, token, chance)
            for chance, token in zip(chances.values.tolist(), chances.indices.tolist(), strict=True)
        ]
    offers.sort(key=lambda offer: -offer[0])
    going: list[Hypothesis] = []
    for _, each, token, chance in offers[:room]:
        grown = each.after(token, chance)
        (ended if token == Special.EOS.id else going).append(grown)
    return going


def _agreed(texts: list[str]) -> str:
    """Returns what all texts begin with."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*texts, strict=False))
    return "".join(letters[0] for letters in same)
