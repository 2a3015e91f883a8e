"""Local generative families: greedy decoding in a thread, in batches, with probabilities."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from model.backends.base import Card, EncodedPicture
from model.backends.batching import Job, Token, Waiting, padded
from model.backends.draft import Step
from model.backends.loading import Foreign
from model.backends.prompts import control_tokens
from model.backends.published import PublishedBackend, release
from model.backends.streams import Sink, Stop, pump
from model.backends.writing import WritingBackend
from model.errors import BackendError, CapabilityError
from model.types import Capability, Finish, Size

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


IGNORED = -100
"""The label of tokens that are not learned."""


class GenerativeBackend(PublishedBackend, WritingBackend):
    """A published model that generates text from a picture and a prompt."""

    mechanism = "coordinates"
    auto = "AutoModelForImageTextToText"
    scores = "token probability"
    # What such a model writes, it means; there is no score to choose a threshold on.
    threshold = 0.0
    regions = "as coordinates in the prompt"
    max_tokens: ClassVar[int] = 512
    batch: int = 8
    """Most questions answered at once."""
    pads_left: ClassVar[bool] = True

    def __init__(self, model: Foreign, processor: Foreign, card: Card) -> None:
        """Takes a loaded model; see `PublishedBackend.load`."""
        super().__init__(model, processor, replace(card, together=self.batch))
        self.tokenizer = processor.tokenizer
        self.control = control_tokens(self.tokenizer.get_added_vocab())
        self.waiting = Waiting()
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
        """Returns what `together` takes for one question; called under the lock."""

    def lesson(self, picture: Image, prompt: str, answer: str) -> dict[str, Any]:
        """Returns what the model's forward pass takes to learn an answer: one row with labels.

        Raises:
            CapabilityError: the family is not taught here.
        """
        raise CapabilityError(
            f"{self.card.name} cannot be fine-tuned here; Florence-2, Qwen-VL and PaliGemma can."
        )

    def shown_of(self, picture: Image) -> Size:
        """Returns the pixel size of a picture as the model sees it, without encoding it."""
        return Size(*picture.size)

    def frozen(self, picture: Image) -> EncodedPicture:
        """Returns a picture's features for learning: the part that sees is not changed."""
        import torch

        # Not `encode`: what inference mode made cannot take part in a backward pass.
        with self._lock, torch.no_grad():
            return EncodedPicture("", Size(*picture.size), self._encode(picture))

    def together(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Returns what `generate` takes, for the `inputs` of one or of several questions.

        Called under the lock, right before it. Text is padded, pictures are stacked.
        """
        pad = _as_set(self.tokenizer.pad_token_id or 0).pop()
        return {
            name: _stacked(name, [row[name] for row in rows], pad, left=self.pads_left)
            for name in rows[0]
        }

    def ids_of(self, text: str) -> torch.Tensor:
        """Returns the tokens of a text as int64[1, T], no marks added."""
        tokens = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")
        return tokens["input_ids"].to(self.model.device)

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
            self._work(Job(encoded, prompt, turns, sink))

        for token, probability in pump(work, stop):
            ended = token in self._ends
            piece = "" if token in self._silent else spell.add(token)
            yield Step(piece, probability, Finish.STOP if ended else None)
            if ended:  # others of the same batch may go on
                return

    @property
    def _ends(self) -> set[int]:
        return _as_set(self.writer.generation_config.eos_token_id)

    def _work(self, job: Job) -> None:
        """Gets a question answered, along with others that wait, or by one of them."""
        import torch

        self.waiting.add(job)
        with self._lock, torch.inference_mode():
            if not job.done:
                self._serve(self.waiting.take(job, self.batch))
        if job.error is not None:
            raise job.error

    def _serve(self, jobs: Sequence[Job]) -> None:
        """Answers questions together, or one by one if the device has no memory for that."""
        try:
            self._try(jobs)
        except Exception as error:  # whatever it is, it belongs to those who asked
            for job in jobs:
                job.error = error
        finally:
            for job in jobs:
                job.done = True

    def _try(self, jobs: Sequence[Job]) -> None:
        import torch

        try:
            self._generate(jobs)
            return
        except torch.OutOfMemoryError:
            release()
        for job in jobs:
            # Worth one more try, alone and with the cache freed, unless words are already out.
            try:
                if job.told:
                    raise torch.OutOfMemoryError
                self._generate([job])
            except torch.OutOfMemoryError:
                release()
                job.error = BackendError(
                    f"{self.card.device} ran out of memory while answering; ask about a smaller "
                    "picture, or choose a smaller model."
                )

    def _generate(self, jobs: Sequence[Job]) -> None:
        from transformers import LogitsProcessorList, StoppingCriteriaList

        jobs = [job for job in jobs if not job.sink.gone]
        if not jobs:
            return
        watch = _watch(jobs, self._ends)
        self.model.generate(
            **self.together([self.inputs(job.encoded, job.prompt, job.turns) for job in jobs]),
            max_new_tokens=self.max_tokens,
            logits_processor=LogitsProcessorList([watch.measure]),
            stopping_criteria=StoppingCriteriaList([watch]),
        )


def _watch(jobs: Sequence[Job], ends: set[int]) -> Foreign:
    """Returns a stopping criterion that hands each question's tokens on with probabilities.

    The classes are made here because their bases come with the library.
    """
    import torch
    from transformers import LogitsProcessor, StoppingCriteria

    class Measure(LogitsProcessor):
        """Notes how probable the next tokens are; decoding is greedy: they are the likeliest."""

        probabilities: ClassVar[list[float]] = []

        def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            self.probabilities[:] = scores.float().softmax(-1).amax(-1).tolist()
            return scores

    class Watch(StoppingCriteria):
        """Called after each token of all rows; an ended row is filled with padding."""

        measure = Measure()
        over: ClassVar[list[bool]] = [False] * len(jobs)

        def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            tokens = input_ids[:, -1].tolist()
            for row, (job, token) in enumerate(zip(jobs, tokens, strict=True)):
                if not self.over[row]:
                    job.told = True
                    job.sink.put((token, self.measure.probabilities[row]))
                    self.over[row] = token in ends or job.sink.gone
            return torch.tensor(self.over, device=input_ids.device)

    return Watch()


def _stacked(name: str, values: Sequence[Any], pad: int, *, left: bool) -> Any:  # noqa: ANN401
    """Returns one argument of `generate` for all questions: text padded, pictures stacked."""
    import torch

    if len(values) == 1:
        return values[0]
    if name == "mm_encoder_outputs":
        features = [value["image"] for value in values]
        pooled = torch.cat([feature.pooler_output for feature in features])
        return {"image": type(features[0])(pooler_output=pooled)}
    if values[0].is_floating_point():
        return torch.cat(list(values))
    # Only ids are padded with a token; masks and types with zeros.
    return padded(values, pad if name == "input_ids" else 0, left=left)


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


def labelled(question: torch.Tensor, answer: torch.Tensor) -> dict[str, torch.Tensor]:
    """Returns ids, mask and labels int64[1, T] of a question and the answer that is learned."""
    import torch

    ids = torch.cat([question, answer], dim=1)
    labels = torch.cat([torch.full_like(question, IGNORED), answer], dim=1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
