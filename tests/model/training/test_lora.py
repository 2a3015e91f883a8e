from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.errors import CheckpointError
from model.training import lora
from model.vlm import DeixisModel
from tests.model import tiny


def states(model: DeixisModel) -> torch.Tensor:
    embeddings = torch.linspace(-1, 1, 5 * 32).view(1, 5, 32)
    mask = torch.ones(1, 5, 5, dtype=torch.bool).tril()
    with torch.no_grad():
        return model.eval().prefixed.run(embeddings, mask, torch.arange(5)[None])


def changed() -> DeixisModel:
    """A model whose low-rank weights have learned something, and its box decoder too."""
    model = tiny.build()
    names = lora.attach(model, rank=2, alpha=4)
    assert len(names) == 2 * 7 * 2, "two for each of seven layers in two blocks"
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in names:
                value.normal_(std=0.3)
            value.requires_grad_(name in names or name.startswith("box_decoder"))
        model.box_decoder.classes.bias.add_(1.0)
    return model


def test_low_rank_changes_are_at_first_none() -> None:
    model = tiny.build()
    lora.attach(model, 2, 4)
    assert tiny.close(states(model), states(tiny.model()), 1e-6)


def test_folding_in_changes_nothing_but_the_form() -> None:
    model = changed()
    whole = lora.folded(model)
    assert tiny.close(states(whole), states(model), 1e-5)
    assert not tiny.close(states(whole), states(tiny.model()), 1e-2)
    assert whole.state_dict().keys() == tiny.model().state_dict().keys()
    assert lora.is_attached(model), "training goes on with the unfolded one"
    assert lora.folded(whole) is whole


def test_an_adapter_merged_into_its_start_is_the_trained_model(tmp_path: Path) -> None:
    model = changed()
    tree = replace(model.tree, taught=("gnu",))
    lora.save_adapter(model, tree, tmp_path / "adapter", {})
    merged, found = lora.fold_in(tiny.build(), tmp_path / "adapter")
    whole = lora.folded(model)
    assert found == tree
    assert tiny.close(states(merged), states(whole), 1e-5)
    assert torch.equal(merged.box_decoder.classes.bias, model.box_decoder.classes.bias)
    size = sum(path.stat().st_size for path in (tmp_path / "adapter").iterdir())
    assert size < 400_000, "the adapter holds what learned, not all"


def test_a_broken_adapter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    lora.save_adapter(changed(), tiny.tree(), folder, {})
    (folder / lora.PARTS).write_bytes(b"\0" * 10)
    with pytest.raises(CheckpointError, match="differs"):
        lora.fold_in(tiny.build(), folder)
    (folder / lora.PARTS).unlink()
    with pytest.raises(CheckpointError, match="lacks"):
        lora.fold_in(tiny.build(), folder)
