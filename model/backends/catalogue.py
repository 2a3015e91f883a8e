"""Which published families have an adapter, and which of their checkpoints have a short name."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.backends.base import Card
from model.backends.memory import ROOM, needed_bytes
from model.errors import CheckpointError

if TYPE_CHECKING:
    from model.backends.published import PublishedBackend

FAMILIES: dict[str, str] = {
    "florence2": "florence2:Florence2Backend",
    "internvl": "internvl:InternVLBackend",
    "kosmos-2": "kosmos2:Kosmos2Backend",
    "qwen2_5_vl": "qwen_vl:QwenVLBackend",
    "qwen3_vl": "qwen_vl:QwenVLBackend",
    "qwen3_vl_moe": "qwen_vl:QwenVLBackend",
    "qwen3_5": "qwen_vl:QwenVLBackend",
    "paligemma": "paligemma:PaliGemmaBackend",
    "grounding-dino": "grounding_dino:GroundingDinoBackend",
    "mm-grounding-dino": "grounding_dino:GroundingDinoBackend",
    "owlv2": "owlv2:Owlv2Backend",
    "sam": "sam:SamBackend",
    "sam_hq": "sam:SamBackend",
    "sam2": "sam:SamBackend",
    "sam2_video": "sam:SamBackend",
}
"""The adapter of each `model_type` in a published config.json."""


@dataclass(frozen=True, slots=True)
class Published:
    """A published checkpoint that is known by a short name.

    Attributes:
        name: what people type.
        hub_id: where it comes from.
        model_type: key of `FAMILIES`.
        licence: SPDX name or a sentence.
        parameters: in millions.
    """

    name: str
    hub_id: str
    model_type: str
    licence: str
    parameters: int

    def weights(self, device: str, *, four_bit: bool = False) -> int:
        """Returns the bytes its weights take on a device."""
        numbers = self.parameters * 1_000_000
        return needed_bytes(numbers, 2 * numbers, device, four_bit=four_bit)

    def preview(self, device: str) -> Card:
        """Returns what its card will say, as far as that is known before it is loaded."""
        kind = adapter(self.model_type)
        return Card(
            name=self.name,
            family=kind.family,
            mechanism=kind.mechanism,
            capabilities=kind.capabilities(),
            parameters=self.parameters * 1_000_000,
            device=device,
            licence=self.licence,
            source=self.hub_id,
            scores=kind.scores,
            regions=kind.regions,
        )

    def need(self, device: str) -> int:
        """Returns the bytes it needs on a device, room to work included."""
        return int(self.weights(device) * ROOM)


_GEMMA = "Gemma terms of use (accept them on the hub)"
PUBLISHED: dict[str, Published] = {
    row[0]: Published(*row)
    for row in (
        ("florence-2-base", "florence-community/Florence-2-base-ft", "florence2", "MIT", 230),
        ("florence-2-large", "florence-community/Florence-2-large-ft", "florence2", "MIT", 770),
        ("internvl3-1b", "OpenGVLab/InternVL3-1B-hf", "internvl", "see its card", 940),
        ("internvl3-2b", "OpenGVLab/InternVL3-2B-hf", "internvl", "see its card", 2090),
        ("kosmos-2", "microsoft/kosmos-2-patch14-224", "kosmos-2", "MIT", 1660),
        ("qwen2.5-vl-3b", "Qwen/Qwen2.5-VL-3B-Instruct", "qwen2_5_vl", "Qwen research", 3750),
        ("qwen2.5-vl-7b", "Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl", "Apache-2.0", 8290),
        ("qwen3-vl-2b", "Qwen/Qwen3-VL-2B-Instruct", "qwen3_vl", "Apache-2.0", 2130),
        ("qwen3-vl-4b", "Qwen/Qwen3-VL-4B-Instruct", "qwen3_vl", "Apache-2.0", 4440),
        ("qwen3-vl-8b", "Qwen/Qwen3-VL-8B-Instruct", "qwen3_vl", "Apache-2.0", 8770),
        ("paligemma2-3b", "google/paligemma2-3b-mix-448", "paligemma", _GEMMA, 3030),
        ("grounding-dino-tiny", "IDEA-Research/grounding-dino-tiny", "grounding-dino",
         "Apache-2.0", 172),
        ("grounding-dino-base", "IDEA-Research/grounding-dino-base", "grounding-dino",
         "Apache-2.0", 233),
        ("mm-grounding-dino-tiny", "openmmlab-community/mm_grounding_dino_tiny_o365v1_goldg_v3det",
         "mm-grounding-dino", "Apache-2.0", 173),
        ("llmdet-tiny", "iSEE-Laboratory/llmdet_tiny", "mm-grounding-dino", "Apache-2.0", 173),
        ("owlv2-base", "google/owlv2-base-patch16-ensemble", "owlv2", "Apache-2.0", 155),
        ("sam-base", "facebook/sam-vit-base", "sam", "Apache-2.0", 94),
        ("sam2-tiny", "facebook/sam2.1-hiera-tiny", "sam2_video", "Apache-2.0", 39),
        ("sam2-large", "facebook/sam2.1-hiera-large", "sam2_video", "Apache-2.0", 224),
    )
}  # fmt: skip
"""Short names; any other checkpoint of a known family opens by its hub id or folder."""


def adapter(model_type: str) -> type[PublishedBackend]:
    """Returns the adapter of a family; imports no torch.

    Raises:
        CheckpointError: no adapter knows this family.
    """
    try:
        module, name = FAMILIES[model_type].split(":")
    except KeyError:
        raise CheckpointError(
            f"Models of type {model_type!r:.40} have no adapter. Known: "
            f"{', '.join(sorted(FAMILIES))}. Serve it elsewhere and use openai:http://..."
        ) from None
    return getattr(importlib.import_module(f"model.backends.{module}"), name)
