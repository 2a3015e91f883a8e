"""Local generative families: greedy decoding in a thread, with probabilities, stoppable."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from model.backends.base import Card, EncodedPicture
from model.backends.draft import Step
from model.backends.prompts import control_tokens
from model.backends.published import Foreign, PublishedBackend, release
from model.backends.streams import Sink, Stop, pump
from model.backends.writing import WritingBackend
from model.errors import BackendError
from model.types import Capability, Finish

if TYPE_CHECKING:
    import torch

Token = tuple[int, float]


class GenerativeBackend(PublishedBackend, WritingBackend):
    """A published model that generates text from a picture and a prompt."""

    mechanism = "coordinates"
    auto = "AutoModelForImageTextToText"
    scores = "token probability"
    # What such a model writes, it means; there is no score to choose a threshold on.
    threshold = 0.0
    regions = "as coordinates in the prompt"
    max_tokens: ClassVar[int] = 512

    def __init__(self, model: Foreign, processor: Foreign, card: Card) -> None:
        """Takes a loaded model; see `PublishedBackend.load`."""
        super().__init__(model, processor, card)
        self.tokenizer = processor.tokenizer
        self.control = control_tokens(self.tokenizer.get_added_vocab())
        self.writer = self._writer()
        _make_greedy(self.writer.generation_config)
        self._silent = _control_ids(self.tokenizer, self.writer.generation_config)

    @classmethod
    def capabilities(cls) -> frozenset[Capability]:
        """Returns what the family has a prompt for."""
        return frozenset(cls.grammar.prompts)

    @abstractmethod
    def inputs(
        self, encoded: EncodedPicture, prompt: str, turns: Sequence[tuple[str, str]]
    ) -> dict[str, Any]:
        """Returns what `generate` takes; called under the lock, right before it."""

    def _writer(self) -> Foreign:
        """Returns the part of the model that generates text."""
        return self.model

    def steps(
        self,
        encoded: EncodedPicture,
        prompt: str,
        turns: Sequence[tuple[str, str]],
        stop: Stop | None,
    ) -> Iterator[Step]:
        """Yields the raw output; see `WritingBackend.steps`."""
        spell = _Speller(self.tokenizer)

        def work(sink: Sink[Token]) -> None:
            self._work(encoded, prompt, turns, sink)

        for token, probability in pump(work, stop):
            ended = token in self._ends
            piece = "" if token in self._silent else spell.add(token)
            yield Step(piece, probability, Finish.STOP if ended else None)

    @property
    def _ends(self) -> set[int]:
        return _as_set(self.writer.generation_config.eos_token_id)

    def _work(
        self,
        encoded: EncodedPicture,
        prompt: str,
        turns: Sequence[tuple[str, str]],
        sink: Sink[Token],
    ) -> None:
        import torch

        with self._lock, torch.inference_mode():
            for attempt in (1, 2):
                watch = _watch(sink)
                try:
                    if not sink.gone:
                        self._generate(self.inputs(encoded, prompt, turns), watch)
                    return
                except torch.OutOfMemoryError:
                    # Worth one more try with the cache freed, unless words are already out.
                    if watch.told or attempt == 2:
                        raise BackendError(
                            f"{self.card.device} ran out of memory while answering; ask about a "
                            "smaller picture, or choose a smaller model."
                        ) from None
                release()

    def _generate(self, inputs: dict[str, Any], watch: Foreign) -> None:
        from transformers import LogitsProcessorList, StoppingCriteriaList

        self.model.generate(
            **inputs,
            max_new_tokens=self.max_tokens,
            logits_processor=LogitsProcessorList([watch.measure]),
            stopping_criteria=StoppingCriteriaList([watch]),
        )


def _watch(sink: Sink[Token]) -> Foreign:
    """Returns a stopping criterion that hands on each token with its probability.

    The classes are made here because their bases come with the library.
    """
    import torch
    from transformers import LogitsProcessor, StoppingCriteria

    class Measure(LogitsProcessor):
        """Notes how probable the next token is; decoding is greedy, so it is the likeliest."""

        probability = 1.0

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            self.probability = float(scores[0].float().softmax(-1).max())
            return scores

    class Watch(StoppingCriteria):
        """Called after each token."""

        measure = Measure()
        told = False

        def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            self.told = True
            sink.put((int(input_ids[0, -1]), self.measure.probability))
            return torch.full((len(input_ids),), sink.gone, device=input_ids.device)

    return Watch()


class _Speller:
    """Turns tokens into characters one by one, waiting where one needs several tokens."""

    def __init__(self, tokenizer: Foreign) -> None:
        from tokenizers.decoders import DecodeStream

        self._tokenizer = tokenizer.backend_tokenizer
        self._stream = DecodeStream(skip_special_tokens=False)

    def add(self, token: int) -> str:
        """Returns the characters that are certain with this token."""
        return self._stream.step(self._tokenizer, token) or ""


def _make_greedy(config: Foreign) -> None:
    """Turns off sampling and beams: answers repeat, stream, and have probabilities."""
    config.do_sample, config.num_beams, config.early_stopping = False, 1, False
    config.temperature = config.top_p = config.top_k = config.max_length = None


def _control_ids(tokenizer: Foreign, config: Foreign) -> set[int]:
    """Returns the tokens that begin, end and fill an output, and are no part of it."""
    ids = _as_set(config.eos_token_id)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        ids |= _as_set(getattr(tokenizer, name, None))
    return ids


def _as_set(ids: int | list[int] | None) -> set[int]:
    return set() if ids is None else {ids} if isinstance(ids, int) else set(ids)
