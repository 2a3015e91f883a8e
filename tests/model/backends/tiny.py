"""Tiny random models of the real classes, with processors, saved as a hub would: all offline.

Each family has a function that writes a folder. A new family needs one more function here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from PIL import Image, ImageDraw
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from model.backends.loading import without_video

CORPUS = [
    "a red square and a blue circle on a white table.",
    "locate the cat in the image. describe the region. what is the text?",
    "the person is holding a green umbrella near the dog",
] * 8
SIDE = 56


def picture(width: int = 160, height: int = 120, colour: str = "red") -> Image.Image:
    """Returns a square and a circle on white."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle([20, 20, 70, 70], fill=colour)
    draw.ellipse([90, 40, 140, 90], fill="blue")
    return image


def build(kind: str, folder: Path) -> Path:
    """Writes the tiny checkpoint of a family and returns its folder."""
    with torch.random.fork_rng(), torch.inference_mode(False):
        torch.manual_seed(0)
        model, processor = FAMILIES[kind]()
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def bytes_bpe(specials: list[str], template: str = "") -> Tokenizer:
    """Returns a byte-level tokenizer whose first ids are `specials`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    if template:
        used = [(name, tokenizer.token_to_id(name)) for name in specials if name in template]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=used
        )
    return tokenizer


def vocabulary(tokenizer: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Returns the vocabulary and merges that the named tokenizer classes take."""
    inside = json.loads(tokenizer.to_str())["model"]
    return inside["vocab"], [tuple(merge) for merge in inside.get("merges", [])]


FLORENCE_KINDS = [
    "pure_text", "description_with_bboxes", "description_with_polygons", "polygons", "bboxes",
    "description_with_bboxes_or_polygons",
]  # fmt: skip
FLORENCE_WORDS = ["od", "cap", "dcap", "grounding", "seg", "region_cap", "poly"]


def florence2() -> tuple[Any, Any]:
    """Florence-2; its location tokens are ordinary, its image token special."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=bytes_bpe(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]),
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        cls_token="<s>", sep_token="</s>", mask_token="<mask>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
    extra = [f"<loc_{i}>" for i in range(1000)] + ["<sep>", "<and>"]
    extra += [f"<{slash}{word}>" for word in FLORENCE_WORDS for slash in ("", "/")]
    tokenizer.add_tokens(extra, special_tokens=False)
    pixels = hf.CLIPImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=False, resample=3
    )
    pixels.image_seq_length = 5
    processor = hf.Florence2Processor(
        pixels,
        tokenizer,
        num_additional_image_tokens=1,
        post_processor_config={
            "ocr": {"PATTERN": r"(.+?)<loc_(\d+)>", "AREA_THRESHOLD": 0.0},
            "phrase_grounding": {"banned_grounding_tokens": ["it"]},
            **{kind: {} for kind in FLORENCE_KINDS},
        },
    )
    config = hf.Florence2Config(
        vision_config={
            "depths": (1, 1, 1, 1), "embed_dim": (16, 16, 32, 32), "num_heads": (2, 2, 2, 2),
            "num_groups": (2, 2, 2, 2), "window_size": 4, "projection_dim": 32,
            "patch_size": (7, 3, 3, 3),
        },
        text_config={
            "model_type": "bart", "vocab_size": len(tokenizer), "d_model": 32,
            "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
            "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
            "max_position_embeddings": 256, "decoder_start_token_id": 2, "bos_token_id": 0,
            "eos_token_id": 2, "pad_token_id": 1, "forced_bos_token_id": 0,
            "forced_eos_token_id": 2,
        },
        image_token_id=tokenizer.image_token_id,
    )  # fmt: skip
    return hf.Florence2ForConditionalGeneration(config), processor


QWEN_WORDS = [
    "im_start", "im_end", "object_ref_start", "object_ref_end", "box_start", "box_end",
    "vision_start", "vision_end", "vision_pad", "image_pad", "video_pad",
]  # fmt: skip
QWEN_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{% if m['content'] is string %}"
    "{{m['content']}}{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in c %}{{c['text']}}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _qwen(patch: int, kind: type, configuration: type, model: type, **text: Any) -> tuple[Any, Any]:
    vocab, merges = vocabulary(bytes_bpe(["<|endoftext|>"]))
    tokenizer = hf.Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        extra_special_tokens=[f"<|{name}|>" for name in QWEN_WORDS],
    )
    pixels = hf.Qwen2VLImageProcessor(
        patch_size=patch,
        temporal_patch_size=2,
        merge_size=2,
        size={"shortest_edge": (2 * patch) ** 2 * 4, "longest_edge": (2 * patch) ** 2 * 64},
    )
    processor = without_video(kind)(pixels, tokenizer, chat_template=QWEN_TEMPLATE)
    token = tokenizer.convert_tokens_to_ids
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
    vision |= {"patch_size": patch, "out_hidden_size": 64, **text.pop("vision")}
    config = configuration(
        text_config={
            "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
            "max_position_embeddings": 4096, "bos_token_id": None, "pad_token_id": 0,
            "eos_token_id": tokenizer.eos_token_id, **text,
        },
        vision_config=vision,
        image_token_id=token("<|image_pad|>"), video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
    )  # fmt: skip
    made = model(config)
    made.generation_config.eos_token_id = tokenizer.eos_token_id
    return made, processor


ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]}


def qwen3_vl() -> tuple[Any, Any]:
    """Qwen3-VL."""
    return _qwen(
        16, hf.Qwen3VLProcessor, hf.Qwen3VLConfig, hf.Qwen3VLForConditionalGeneration,
        head_dim=16, rope_parameters={**ROPE, "mrope_interleaved": True},
        vision={"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]},
    )  # fmt: skip


def qwen3_5() -> tuple[Any, Any]:
    """Qwen3.5: every other layer is linear attention, whose cache cannot be cropped."""
    return _qwen(
        16, hf.Qwen3VLProcessor, hf.Qwen3_5Config, hf.Qwen3_5ForConditionalGeneration,
        head_dim=16,
        rope_parameters={**ROPE, "mrope_interleaved": True, "partial_rotary_factor": 1.0},
        layer_types=["linear_attention", "full_attention"],
        linear_num_value_heads=2, linear_num_key_heads=2,
        linear_key_head_dim=16, linear_value_head_dim=16,
        vision={"num_position_embeddings": 64},
    )  # fmt: skip


def qwen2_5_vl() -> tuple[Any, Any]:
    """Qwen2.5-VL."""
    return _qwen(
        14, hf.Qwen2_5_VLProcessor, hf.Qwen2_5_VLConfig, hf.Qwen2_5_VLForConditionalGeneration,
        rope_parameters=ROPE, vision={"window_size": 56, "fullatt_block_indexes": [1]},
    )  # fmt: skip


def _word_pieces() -> Any:
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200, special_tokens=specials, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    # The model knows the marks between phrases by BERT's own numbers.
    fixed = {"[PAD]": 0, "[CLS]": 101, "[SEP]": 102, ".": 1012, "?": 1029}
    free = (number for number in range(1, 1029) if number not in fixed.values())
    words = [word for word in vocabulary(tokenizer)[0] if word not in fixed]
    return hf.BertTokenizer(vocab=fixed | dict(zip(words, free, strict=False)))


def grounding_dino(mm: bool = False) -> tuple[Any, Any]:
    """Grounding DINO, or MM-Grounding-DINO, whose class LLMDet uses, too."""
    processor = hf.GroundingDinoProcessor(
        hf.GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 128}),
        _word_pieces(),
    )
    config = (hf.MMGroundingDinoConfig if mm else hf.GroundingDinoConfig)(
        backbone_config=hf.SwinConfig(
            embed_dim=16, depths=[1, 1, 1, 1], num_heads=[2, 2, 2, 2], window_size=4,
            image_size=96, out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=hf.BertConfig(
            vocab_size=1030, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64,
        ),
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=2, decoder_attention_heads=2, num_queries=10, max_text_len=64,
    )  # fmt: skip
    model = hf.MMGroundingDinoForObjectDetection if mm else hf.GroundingDinoForObjectDetection
    return model(config), processor


def kosmos2() -> tuple[Any, Any]:
    """Kosmos-2; the processor adds its thousand location tokens itself."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=bytes_bpe(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>"),
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
    )  # fmt: skip
    processor = hf.Kosmos2Processor(_clip_pixels(), tokenizer)
    config = hf.Kosmos2Config(
        text_config={
            "vocab_size": len(processor.tokenizer), "embed_dim": 32, "layers": 2, "ffn_dim": 64,
            "attention_heads": 2, "max_position_embeddings": 512,
        },
        vision_config=VISION,
        latent_query_num=64,
    )  # fmt: skip
    model = hf.Kosmos2ForConditionalGeneration(config)
    return model, processor


INTERNVL_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<IMG_CONTEXT>\n{% else %}{{c['text']}}{% endif %}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def internvl() -> tuple[Any, Any]:
    """InternVL; a wide picture becomes several tiles and a small whole."""
    vocab, merges = vocabulary(bytes_bpe(["<|endoftext|>"]))
    tokenizer = hf.Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            "start_image_token": "<img>", "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>", "video_token": "<video>",
            "turn": "<|im_start|>",
        },
    )  # fmt: skip
    tokenizer.add_tokens(["<ref>", "</ref>", "<box>", "</box>"])
    pixels = hf.GotOcr2ImageProcessor(
        size={"height": SIDE, "width": SIDE}, crop_to_patches=True, max_patches=4
    )
    processor = without_video(hf.InternVLProcessor)(
        pixels, tokenizer, image_seq_length=4, chat_template=INTERNVL_TEMPLATE
    )
    config = hf.InternVLConfig(
        vision_config={**VISION, "image_size": [SIDE, SIDE], "patch_size": [14, 14]},
        text_config={
            "model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": 64,
            "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "max_position_embeddings": 4096, "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
        },
        image_token_id=processor.image_token_id,
        image_seq_length=4,
    )  # fmt: skip
    model = hf.InternVLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model, processor


VISION = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIDE, "patch_size": 14,
}  # fmt: skip


def _clip_pixels() -> Any:
    size = {"height": SIDE, "width": SIDE}
    return hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size)


def _spaces_bpe(specials: list[str]) -> Tokenizer:
    """Returns a tokenizer in Gemma's way: characters, with a mark for each space."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    letters = [chr(i) for i in range(33, 127)] + ["▁", "\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=specials, initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return tokenizer


def paligemma() -> tuple[Any, Any]:
    """PaliGemma 2; the processor adds its location tokens itself."""
    vocab, merges = vocabulary(_spaces_bpe(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]))
    pixels = hf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    pixels.image_seq_length = 16
    processor = hf.PaliGemmaProcessor(pixels, hf.GemmaTokenizer(vocab=vocab, merges=merges))
    count = len(processor.tokenizer)
    config = hf.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", "projection_dim": 64, **VISION},
        text_config={
            "model_type": "gemma2", "vocab_size": count, "hidden_size": 64,
            "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 2, "head_dim": 16, "sliding_window": 64,
        },
        image_token_id=processor.image_token_id,
        vocab_size=count, projection_dim=64, hidden_size=64,
    )  # fmt: skip
    return hf.PaliGemmaForConditionalGeneration(config), processor


def owlv2() -> tuple[Any, Any]:
    """OWLv2."""
    vocab, merges = vocabulary(bytes_bpe(["<|endoftext|>", "<|startoftext|>"]))
    tokenizer = hf.CLIPTokenizer(
        vocab=vocab, merges=merges, unk_token="<|endoftext|>", pad_token="!", model_max_length=16
    )
    processor = hf.Owlv2Processor(
        hf.Owlv2ImageProcessor(size={"height": 64, "width": 64}), tokenizer
    )
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64,
        "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
    }  # fmt: skip
    vision = {**VISION, "image_size": 64, "patch_size": 16}
    config = hf.Owlv2Config(text_config=text, vision_config=vision, projection_dim=32)
    return hf.Owlv2ForObjectDetection(config), processor


def sam() -> tuple[Any, Any]:
    """SAM."""
    pixels = hf.SamImageProcessor(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16},
    )  # fmt: skip
    config = hf.SamConfig(
        vision_config={
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
            "patch_size": 16, "output_channels": 16, "window_size": 2, "global_attn_indexes": [1],
            "num_pos_feats": 8, "mlp_dim": 32,
        },
        prompt_encoder_config={
            "hidden_size": 16, "image_size": 64, "patch_size": 16, "image_embedding_size": 4,
            "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16,
        },
    )  # fmt: skip
    return hf.SamModel(config), hf.SamProcessor(pixels)


class _Settings:
    """Stands for the processor of SAM 2, which cannot be made without torchvision."""

    def save_pretrained(self, folder: Path) -> None:
        settings = {
            "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
            "size": {"height": 128, "width": 128},
        }  # fmt: skip
        (folder / "preprocessor_config.json").write_text(json.dumps(settings))


def sam2() -> tuple[Any, Any]:
    """SAM 2."""
    backbone = {
        "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
        "image_size": [128, 128], "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [8, 16, 32, 64], "num_attention_heads_per_stage": [1, 2, 4, 8],
        "window_size_per_stage": [4, 2, 4, 2], "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    config = hf.Sam2Config(
        vision_config={
            "model_type": "sam2_vision_model", "backbone_config": backbone,
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]], "fpn_hidden_size": 32,
        },
        prompt_encoder_config={
            "hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 4,
        },
        mask_decoder_config={
            "hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32,
        },
    )  # fmt: skip
    return hf.Sam2Model(config), _Settings()


LLAVA_TEMPLATE = (
    "{% for m in messages %}{{m['role']}}: {% if m['content'] is string %}{{m['content']}}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}"
    "{{c['text']}}{% endif %}{% endfor %}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


def llava() -> tuple[Any, Any]:
    """LLaVA: not one of our families, but what `transformers serve` runs without torchvision."""
    tokenizer = hf.PreTrainedTokenizerFast(
        tokenizer_object=bytes_bpe(["<pad>", "<s>", "</s>", "<unk>"]),
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
    )  # fmt: skip
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    processor = hf.LlavaProcessor(
        _clip_pixels(), tokenizer, patch_size=14, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=LLAVA_TEMPLATE,
    )  # fmt: skip
    config = hf.LlavaConfig(
        vision_config=hf.CLIPVisionConfig(**VISION),
        text_config=hf.LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=2048,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )  # fmt: skip
    return hf.LlavaForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "florence2": florence2,
    "qwen3_vl": qwen3_vl,
    "qwen3_5": qwen3_5,
    "qwen2_5_vl": qwen2_5_vl,
    "grounding_dino": grounding_dino,
    "mm_grounding_dino": lambda: grounding_dino(mm=True),
    "internvl": internvl,
    "kosmos2": kosmos2,
    "paligemma": paligemma,
    "owlv2": owlv2,
    "sam": sam,
    "sam2": sam2,
    "llava": llava,
}
