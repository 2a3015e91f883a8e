from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from model import beam
from model.conversation import Conversation
from model.encoded import Encoded
from model.engine import Engine
from model.tokens import Special
from model.types import Answer, Delta, Finish
from tests.model import taught, tiny

QUESTION = "Describe this picture."


def _talk(engine: Engine) -> Conversation:
    encoded = engine.encode(tiny.picture()).state
    assert isinstance(encoded, Encoded)
    return Conversation(engine.model, engine.vocabulary, encoded, 0.3)


def _described(
    engine: Engine, beams: int, most: int = 12, stop: Callable[[], bool] | None = None
) -> tuple[str, Answer]:
    talk = _talk(engine)
    *deltas, whole = beam.describe(talk, talk.begin(QUESTION, [], []), most, stop, beams)
    assert isinstance(whole, Answer)
    return "".join(delta.text for delta in deltas if isinstance(delta, Delta)), whole


def _score(engine: Engine, text: str) -> float:
    """Returns the normalised log probability of a plain answer, in one pass."""
    encoded = engine.encode(tiny.picture()).state
    assert isinstance(encoded, Encoded)
    talk = _talk(engine)
    state = talk.ask(QUESTION, [], [])
    chance, ids = 0.0, [*engine.vocabulary.encode(text), Special.EOS.id]
    with torch.inference_mode():
        for token in ids:
            chance += float(talk.allowed(state).float().log_softmax(-1)[token])
            if token != Special.EOS.id:
                state, _ = talk.take(token)
    return chance / len(ids) ** beam.LENGTH_POWER


def test_one_beam_is_the_greedy_answer() -> None:
    engine = taught.engine()
    *_, greedy = _talk(engine).answer(QUESTION, [], [], 40, None)
    streamed, whole = _described(engine, 1, 40)
    assert whole == greedy
    assert streamed == whole.text == taught.CAPTION


@pytest.mark.parametrize("beams", [2, 3, 5])
def test_what_was_learned_is_said_and_streamed_whatever_the_beams(beams: int) -> None:
    streamed, whole = _described(taught.engine(), beams, 40)
    assert streamed == whole.text == taught.CAPTION
    assert [g.phrase.text for g in whole.groundings] == ["a red square", "a blue square"]
    assert whole.finish is Finish.STOP


def test_more_beams_find_a_likelier_answer() -> None:
    """Untrained models say what they like; with every token taken apart they like it more."""
    gains = []
    for seed in range(4):
        model, found = tiny.build(seed), {}
        engine = Engine(model, tiny.vocabulary(), name="tiny", version=str(seed), device="cpu")
        for beams in (1, 8):
            talk = _talk(engine)
            live, ended = [beam.Hypothesis(talk, talk.ask(QUESTION, [], []))], []
            with torch.inference_mode():
                for _ in range(4):
                    live = beam._step(live, ended, beams)
            found[beams] = max(each.chance for each in (*live, *ended))
        gains.append(found[8] - found[1])
    assert max(gains) > 1e-4, gains
    assert min(gains) > -1e-4, gains


def test_a_hypothesis_counts_what_it_says() -> None:
    engine = taught.engine()
    talk = _talk(engine)
    grown = beam.Hypothesis(talk, talk.ask(QUESTION, [], []))
    with torch.inference_mode():
        for token in (*engine.vocabulary.encode("red"), Special.EOS.id):
            chances = grown.talk.allowed(grown.state).float().log_softmax(-1)
            grown = grown.after(token, float(chances[token]))
    assert grown.score == pytest.approx(_score(engine, "red"), abs=1e-4)


def test_a_fork_goes_its_own_way() -> None:
    engine = taught.engine()
    talk, alone = _talk(engine), _talk(engine)
    state, wanted = talk.ask(QUESTION, [], []), alone.ask(QUESTION, [], [])
    first, second = engine.vocabulary.encode("and a")
    with torch.inference_mode():
        other = talk.fork()
        other.take(Special.PHRASE.id)
        other.take(second)
        other.take(second)
        assert tiny.close(talk.take(first)[0], alone.take(first)[0], 1e-5)
    assert tiny.close(state, wanted, 0)
    assert (talk.writer.text, other.writer.text) == ("and", "a a")


def test_no_phrase_is_said_twice() -> None:
    engine = taught.engine()
    talk = _talk(engine)
    grown = beam.Hypothesis(talk, talk.ask(QUESTION, [], []))
    words = engine.vocabulary.encode("a red square")
    once = [Special.PHRASE.id, *words, Special.PHRASE_END.id, Special.GRD.id]
    with torch.inference_mode():
        for token in (*once, Special.PHRASE.id, *words):
            grown = grown.after(token, 0.0)
        assert grown.talk.repeats()
        ended: list[beam.Hypothesis] = []
        for each in beam._step([grown], ended, 400):
            assert each.talk.writer.opened is not None, "the phrase is still open"


def test_stop_and_length_end_a_description() -> None:
    assert _described(taught.engine(), 3, 4)[1].finish is Finish.LENGTH
    calls = iter(range(100))
    streamed, whole = _described(taught.engine(), 3, 40, lambda: next(calls) >= 5)
    assert whole.finish is Finish.CANCELLED
    assert streamed == whole.text
    assert taught.CAPTION.startswith(whole.text)
