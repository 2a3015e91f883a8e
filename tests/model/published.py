"""Published parts of the real classes, so small that they are built and saved in a blink."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForObjectDetection,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

from model.config import (
    DecoderConfig,
    LanguageConfig,
    ModelConfig,
    Part,
    ProjectorConfig,
    TrunkConfig,
)
from model.tokens import Special
from model.vocabulary import COCO_NAMES

SIDE, WIDTH, WORDS = 64, 32, 400
_DETECTOR: dict[str, Any] = {
    "d_model": WIDTH, "encoder_hidden_dim": WIDTH, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
    "encoder_in_channels": [16, 24, 32], "decoder_in_channels": [WIDTH] * 3,
    "encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_layers": 2,
    "num_queries": 14, "num_denoising": 0,
    "backbone_config": {
        "model_type": "rt_detr_resnet", "embedding_size": 8, "hidden_sizes": [8, 16, 24, 32],
        "depths": [1, 1, 1, 1], "layer_type": "basic",
        "out_features": ["stage2", "stage3", "stage4"],
    },
}  # fmt: skip
_VIT = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "image_size": 32, "patch_size": 16}  # fmt: skip
RT_DETR_V2 = Part("", {"model_type": "rt_detr_v2", **_DETECTOR})
D_FINE = Part("", {"model_type": "d_fine", **_DETECTOR})
SIGLIP = Part("", {"model_type": "siglip_vision_model", **_VIT}, (0.5,) * 3, (0.5,) * 3)
DINO = Part("", {"model_type": "dinov3_vit", "num_register_tokens": 2, **_VIT},
            (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # fmt: skip
QWEN = Part(
    "",
    {"model_type": "qwen3", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
     "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": WORDS,
     "tie_word_embeddings": True},
)  # fmt: skip


def tree(detector: Part = RT_DETR_V2, encoder: Part = SIGLIP, base: Part = QWEN) -> ModelConfig:
    """Returns a model of published parts."""
    return ModelConfig(
        trunk=TrunkConfig(
            sides=(SIDE,), head_width=WIDTH, num_proposals=12, detector=detector, encoder=encoder
        ),
        projector=ProjectorConfig(num_objects=8, shuffle=1),
        language=LanguageConfig(WORDS + len(Special), 32, dropout=0.0, num_heads=2, base=base),
        decoder=DecoderConfig(width=32, num_layers=2, num_heads=2, num_fourier=4),
        classes=COCO_NAMES,
    )


def saved(folder: Path) -> ModelConfig:
    """Writes parts as they lie on a hub, and returns a model that names them."""
    torch.manual_seed(3)

    def named(part: Part, name: str) -> Part:
        return replace(part, name=str(folder / name))

    settings = dict(RT_DETR_V2.config)
    AutoModelForObjectDetection.from_config(
        AutoConfig.for_model(settings.pop("model_type"), **settings, num_labels=len(COCO_NAMES))
    ).save_pretrained(folder / "detector")
    # SigLIP is published with its text tower.
    text = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 1, "vocab_size": 20}  # fmt: skip
    vision = {k: v for k, v in SIGLIP.config.items() if k != "model_type"}
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(
        folder / "encoder"
    )
    settings = dict(QWEN.config)
    kind = settings.pop("model_type")
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **settings)).save_pretrained(
        folder / "language"
    )
    tokenizer().save_pretrained(folder / "language")
    return tree(named(RT_DETR_V2, "detector"), named(SIGLIP, "encoder"), named(QWEN, "language"))


def tokenizer() -> PreTrainedTokenizerFast:
    """Returns a tokenizer made as Qwen's is: byte-level, with a token that text can spell."""
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.NFC()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=WORDS - 2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [f"Where is the {name}? A Big {name} on the left." for name in COCO_NAMES]
    made.train_from_iterator(texts * 2, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
