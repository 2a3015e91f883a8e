"""Low-rank changes of the language model (LoRA) through PEFT: put in, saved alone, folded in.

Source: Hu et al. 2021, arXiv:2106.09685. What turns phrases into boxes is small and new names need
it, so it learns as well, in full; its weights lie beside the adapter.
"""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from model import checkpoint
from model.config import ModelConfig
from model.errors import CheckpointError
from model.training.state import assign
from model.vlm import DeixisModel

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
PARTS, SECTIONS = "parts.safetensors", "sections.json"


def attach(model: DeixisModel, rank: int, alpha: int) -> list[str]:
    """Puts low-rank changes, at first none, into the language model; returns their names."""
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(LAYERS))
    language: Any = model.prefixed.language
    with _old_name_allowed():
        model.prefixed.language = get_peft_model(language, config)
    return [name for name, _ in model.named_parameters() if ".lora_" in name]


def is_attached(model: DeixisModel) -> bool:
    """Returns whether the language model has low-rank changes."""
    return isinstance(model.prefixed.language, PeftModel)


def folded(model: DeixisModel) -> DeixisModel:
    """Returns the model with its changes folded into full weights; itself if it has none."""
    if not is_attached(model):
        return model
    model = copy.deepcopy(model)
    language: Any = model.prefixed.language
    model.prefixed.language = language.merge_and_unload()
    return model


def save_adapter(
    model: DeixisModel, tree: ModelConfig, folder: Path, metrics: dict[str, Any]
) -> None:
    """Writes the low-rank changes and the other parts that learned, without the rest.

    Args:
        model: with its changes.
        tree: what the changed model's configuration is to be.
        folder: of the adapter.
        metrics: how it came to be and how well it does.
    """

    def write(staging: Path) -> None:
        language: Any = model.prefixed.language
        language.save_pretrained(staging)
        # A card that PEFT writes would name a hub that the adapter does not come from.
        (staging / "README.md").unlink(missing_ok=True)
        parts = {
            name: value.detach().contiguous().cpu()
            for name, value in model.named_parameters()
            if value.requires_grad and ".lora_" not in name
        }
        save_file(parts, staging / PARTS)
        (staging / SECTIONS).write_text(json.dumps(tree.to_json(), indent=1) + "\n")
        (staging / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
        checkpoint.sign(staging)

    checkpoint.replace_folder(folder, write)


def fold_in(model: DeixisModel, folder: Path) -> tuple[DeixisModel, ModelConfig]:
    """Returns a model with a saved adapter folded into its weights, and its new configuration.

    Raises:
        CheckpointError: the adapter is broken, or of another model.
    """
    checkpoint.verify(folder)
    language: Any = model.prefixed.language
    try:
        with _old_name_allowed():
            model.prefixed.language = PeftModel.from_pretrained(language, str(folder))
        assign(model, load_file(folder / PARTS).items())
        tree = ModelConfig.from_json(json.loads((folder / SECTIONS).read_text()))
    except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{folder} does not fit this checkpoint: {error}") from error
    return folded(model), tree


@contextmanager
def _old_name_allowed() -> Iterator[None]:
    """Keeps transformers from warning that PEFT asks for something by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        yield
