"""What a stopped run needs to go on as if it had never stopped: written whole, or not at all.

Random numbers need no place in it: every draw is seeded by the step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model import checkpoint
from model.errors import CheckpointError
from model.tokens import Vocabulary
from model.training.config import Recipe
from model.training.disk import full_disk_told
from model.vlm import DeixisModel

Json = dict[str, Any]
_REMEDY = "the last complete state is untouched. Make room and resume"


@dataclass(slots=True)
class Position:
    """Where a run stands.

    Attributes:
        step: steps that are done.
        stage: the stage they belong to; what follows begins as ever, even at its end.
        notes: what watchers of the run remember, as JSON.
    """

    step: int = 0
    stage: int = -1
    notes: Json = field(default_factory=dict)


def write_state(
    folder: Path,
    position: Position,
    recipe: Recipe,
    identity: Json,
    tensors: Mapping[str, Tensor],
    vocabulary: Vocabulary,
) -> None:
    """Puts a complete state in place of the one before.

    Args:
        folder: of the state.
        position: where the run stands.
        recipe: what it follows.
        identity: what it started from and learns from; a resumed run must agree.
        tensors: see `tensors_of`.
        vocabulary: of the model.

    Raises:
        CheckpointError: the disk is full.
    """

    def write(staging: Path) -> None:
        plain = {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}
        save_file(plain, staging / "state.safetensors")
        state = {"step": position.step, "stage": position.stage, "notes": position.notes}
        state |= {"recipe": recipe.to_json(), "identity": identity}
        (staging / "state.json").write_text(json.dumps(state))
        vocabulary.save(staging / "tokenizer.json")
        checkpoint.sign(staging)

    with full_disk_told(_REMEDY):
        checkpoint.replace_folder(folder, write)


def read_state(
    folder: Path, recipe: Recipe, identity: Json
) -> tuple[Position, dict[str, Tensor]] | None:
    """Returns the last complete state, None if there is none.

    Raises:
        CheckpointError: it is of another recipe, start or data set, or a piece of it is missing.
    """
    checkpoint.recover(folder)
    if not folder.exists():
        return None
    checkpoint.verify(folder)
    try:
        state = json.loads((folder / "state.json").read_text())
        same = Recipe.from_json(state["recipe"]) == recipe
        kept = state.get("identity", {})
        position = Position(state["step"], state["stage"], state.get("notes", {}))
        tensors = load_file(folder / "state.safetensors")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} lacks a piece: {error}. Use a new run folder.") from error
    if not same:
        raise CheckpointError(f"{folder} was trained with other settings; use a new run folder.")
    differing = sorted(key for key in {*kept, *identity} if kept.get(key) != identity.get(key))
    if differing:
        raise CheckpointError(
            f"{folder} was trained with another {differing[0]}; use a new folder."
        )
    return position, tensors


def learned(model: DeixisModel) -> list[tuple[str, Tensor]]:
    """Returns the parameters by name, ties once."""
    return [(name, value.data) for name, value in model.named_parameters()]


@torch.no_grad()
def assign(model: DeixisModel, values: Iterable[tuple[str, Tensor]]) -> None:
    """Copies values into the parameters of these names."""
    parameters = dict(model.named_parameters())
    for name, value in values:
        parameters[name].copy_(value)


def optimizer_of(model: DeixisModel, recipe: Recipe) -> torch.optim.Optimizer:
    """Returns AdamW over what learns; vectors do not decay, large parts have rates of their own."""
    groups = []
    shares = {"vision": recipe.trunk_rate, "prefixed": recipe.language_rate}
    for part, share in (("", 1.0), *shares.items()):
        trained = [
            value
            for name, value in model.named_parameters()
            if value.requires_grad and part == next(filter(name.startswith, shares), "")
        ]
        matrices = [value for value in trained if value.dim() > 1]
        vectors = [value for value in trained if value.dim() <= 1]
        groups.append({"params": matrices, "weight_decay": recipe.weight_decay, "share": share})
        groups.append({"params": vectors, "weight_decay": 0.0, "share": share})
    filled = [group for group in groups if group["params"]]
    return torch.optim.AdamW(filled, lr=0.0, betas=(0.9, 0.98), fused=True)


def tensors_of(
    model: DeixisModel, average: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Returns weights, averages and the optimizer's moments under names of their own."""
    names: dict[Tensor, str] = {value: name for name, value in model.named_parameters()}
    tensors = {f"model.{name}": value for name, value in learned(model)}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    return tensors | {
        f"optimizer.{names[p]}.{key}": torch.as_tensor(value)
        for p, state in optimizer.state.items()
        for key, value in state.items()
    }


@torch.no_grad()
def restore(
    model: DeixisModel,
    average: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    tensors: Mapping[str, Tensor],
) -> None:
    """Copies the tensors of `tensors_of` back.

    Raises:
        CheckpointError: one is missing or there is one too many.
    """
    parameters = dict(model.named_parameters())
    moments: dict[str, dict[str, Tensor]] = {}
    for name in tensors:
        kind, _, rest = name.partition(".")
        if kind == "optimizer":
            owner, _, key = rest.rpartition(".")
            moments.setdefault(owner, {})[key] = tensors[name]
    needed = {f"{kind}.{name}" for kind in ("model", "average") for name in parameters}
    missing = sorted(needed - tensors.keys())
    strange = [name for name in moments if name not in parameters]
    if missing or strange:
        raise CheckpointError(
            f"The saved run is of another model; it differs in {[*missing, *strange][:3]}."
        )
    for name, value in parameters.items():
        value.copy_(tensors[f"model.{name}"])
        average[name].copy_(tensors[f"average.{name}"])
        if value.requires_grad and name in moments:
            optimizer.state[value] = {
                key: _like(value, moment) for key, moment in moments[name].items()
            }


def _like(value: Tensor, moment: Tensor) -> Tensor:
    """Returns a moment where its parameter is and laid out as it is, which optimizers rely on."""
    same = moment.shape == value.shape
    return torch.empty_like(value).copy_(moment) if same else moment.to(value.device)
