"""Gives a trained model more layers or a larger canvas, so that it says at first what it said.

New layers begin as nothing: what they add to their residual stream is zero (Net2Net, Chen et al.
2016; for transformers Gong et al. 2019). On a larger canvas the trunk sees things larger, which it
must get used to; where the image tokens' cells lie is interpolated.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.config import ModelConfig
from model.errors import ConfigError
from model.vlm import DeixisModel

PLACES = "projector.place.weight"


@torch.no_grad()
def grown(model: DeixisModel, tree: ModelConfig) -> DeixisModel:
    """Returns a model of the sizes of `tree` with the weights of `model`.

    Raises:
        ConfigError: it differs in more than its layers and its canvas.
    """
    larger = DeixisModel.from_tree(tree)
    _become(larger, model)
    return larger


def _become(larger: DeixisModel, model: DeixisModel) -> None:
    """Makes a larger model say what `model` says; what new layers do inside stays as it is."""
    before, after = model.state_dict(), larger.state_dict()
    if PLACES in before:
        before[PLACES] = _resized(before[PLACES], after[PLACES].shape[0])
    differing = [n for n, v in before.items() if n not in after or after[n].shape != v.shape]
    if differing:
        raise ConfigError(
            f"A model can grow in layers and canvas only; this one would differ in {differing[:3]}."
        )
    larger.load_state_dict(before, strict=False)
    old = model.prefixed.language.config.num_hidden_layers  # type: ignore[union-attr]
    for layer in list(larger.prefixed.language.layers)[old:]:  # type: ignore[union-attr]
        _silence(layer.self_attn.o_proj, layer.mlp.down_proj)
    decoder, old = larger.box_decoder, len(model.box_decoder.layers)
    for number in range(old, len(decoder.layers)):
        layer = decoder.layers[number]
        _silence(layer.attention.out_proj, layer.mix[-1], decoder.offsets[number])  # type: ignore[union-attr]
        for kind in (decoder.norms, decoder.scores):
            kind[number].load_state_dict(kind[old - 1].state_dict())


def _resized(places: Tensor, count: int) -> Tensor:
    """Returns embeddings of a square grid's cells for another grid: [N * N, D] to [count, D]."""
    old, new = round(len(places) ** 0.5), round(count**0.5)
    grid = places.T.unflatten(1, (old, old)).unsqueeze(0)
    return F.interpolate(grid, (new, new), mode="bilinear")[0].flatten(1).T.contiguous()


def _silence(*layers: nn.Module) -> None:
    for layer in layers:
        for value in layer.parameters():
            value.zero_()


@torch.no_grad()
def blend(model: DeixisModel, other: DeixisModel, share: float) -> None:
    """Moves a model's weights a share of the way towards those of a relative.

    Towards its parent, it keeps most of what training added and gets back some of what that cost
    (WiSE-FT, Wortsman et al. 2022); towards a sibling, it errs where both do (model soups, Wortsman
    et al. 2022). Layers that the other does not have are moved towards silence.

    Raises:
        ConfigError: the share is none, or the two differ in more than layers and canvas.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share is {share}; it lies between 0 (nothing) and 1 (all the way).")
    back = copy.deepcopy(model)
    _become(back, other)
    wanted = back.state_dict()
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.lerp_(wanted[name].to(value), share)
