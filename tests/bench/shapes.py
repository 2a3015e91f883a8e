"""Published models at full size with random weights: nothing is fetched, only the shapes count.

Sources of the numbers: config.json of Qwen/Qwen3-VL-2B-Instruct and of
florence-community/Florence-2-base-ft. Their tokenizers are stood in for by small ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf

from model.backends.base import Card
from model.backends.florence2 import Florence2Backend
from model.backends.generation import GenerativeBackend
from model.backends.qwen_vl import MAX_PIXELS, QwenVLBackend
from tests.model.backends import tiny

Made = tuple[Any, Any, Any]
"""A model's class, its configuration, and the processor."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A published model without its weights.

    Attributes:
        name: of the model.
        backend: its adapter.
        make: returns class, configuration and processor at full size.
        tiny: returns a model and a processor of the same classes that take a blink.
    """

    name: str
    backend: type[GenerativeBackend]
    make: Callable[[], Made]
    tiny: Callable[[], tuple[Any, Any]]

    def build(self, device: str, dtype: torch.dtype, *, small: bool = False) -> GenerativeBackend:
        """Returns the model on a device, ready to be asked; its answers never end by themselves."""
        if small:
            model, processor = self.tiny()
            model = model.to(device, dtype)
        else:
            kind, config, processor = self.make()
            with torch.device(device):
                model = kind._from_config(config, dtype=dtype)
        model.eval().generation_config.eos_token_id = None
        numbers = sum(value.numel() for value in model.parameters())
        card = Card(
            name=self.name,
            family=self.backend.family,
            mechanism=self.backend.mechanism,
            capabilities=self.backend.capabilities(),
            parameters=numbers,
            device=device,
        )
        return self.backend(model, processor, card)


def _florence_2_base() -> Made:
    _, processor = tiny.florence2()
    processor.image_processor.size = {"height": 768, "width": 768}
    processor.image_processor.image_seq_length = processor.num_image_tokens = 577
    config = hf.Florence2Config(
        vision_config={"projection_dim": 768},  # else as the class has it, which is base
        text_config={
            "model_type": "bart", "vocab_size": 51289, "d_model": 768, "encoder_layers": 6,
            "decoder_layers": 6, "encoder_attention_heads": 12, "decoder_attention_heads": 12,
            "encoder_ffn_dim": 3072, "decoder_ffn_dim": 3072, "max_position_embeddings": 1024,
            "forced_eos_token_id": None,
        },
        image_token_id=processor.tokenizer.image_token_id,
    )  # fmt: skip
    return hf.Florence2ForConditionalGeneration, config, processor


def _qwen3_vl_2b() -> Made:
    _, processor = tiny.qwen3_vl()
    processor.image_processor.size = {"shortest_edge": 256 * 256, "longest_edge": MAX_PIXELS}
    token = processor.tokenizer.convert_tokens_to_ids
    config = hf.Qwen3VLConfig(
        text_config={
            "vocab_size": 151936, "hidden_size": 2048, "intermediate_size": 6144,
            "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
            "head_dim": 128, "max_position_embeddings": 262144, "pad_token_id": 0,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 5_000_000.0, "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "num_heads": 16,
            "patch_size": 16, "out_hidden_size": 2048, "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [5, 11, 17],
        },
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=True,
    )  # fmt: skip
    return hf.Qwen3VLForConditionalGeneration, config, processor


SHAPES = (
    Shape("Florence-2-base", Florence2Backend, _florence_2_base, tiny.florence2),
    Shape("Qwen3-VL-2B", QwenVLBackend, _qwen3_vl_2b, tiny.qwen3_vl),
)
