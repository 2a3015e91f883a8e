"""The losses, each a function of plain tensors, and their weighted sum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model import boxes
from model.batch import Batch, Outputs
from model.box_decoder import PADDED
from model.config import Section
from model.training.matcher import match
from model.training.targets import Targets
from model.vision import Sight
from model.vlm import DeixisModel


@dataclass(frozen=True)
class LossConfig(Section):
    """Weights of the losses, with their sources.

    Attributes:
        text: next word (1, every language model).
        smoothing: label smoothing of the text loss (PixelLLM: 0.1).
        score: varifocal score over the proposals (RT-DETR: 1).
        l1: box corners (DETR: 5).
        giou: box overlap (DETR: 2).
        many: boxes of all proposals that overlap a true one, not of the matched ones alone
            (H-DETR: 1; off).
        retrieval: softmax over the proposals of one expression (ours, after ChatRex).
        trunk_class: the class a phrase means among the trunk's own (ours).
        words: per-word boxes (PixelLLM: 0.1).
        mask: binary cross-entropy of mask cells (Mask2Former: 5; 2 here, cells are coarse).
        dice: overlap of masks (Mask2Former: 5; 2 here).
        joints: distance of key points in units of the person (ours).
        visible: whether a joint is visible (ours).
    """

    text: float = 1.0
    smoothing: float = 0.1
    score: float = 1.0
    l1: float = 5.0
    giou: float = 2.0
    many: float = 0.0
    retrieval: float = 1.0
    trunk_class: float = 0.5
    words: float = 0.1
    mask: float = 2.0
    dice: float = 2.0
    joints: float = 5.0
    visible: float = 0.2


def total(
    model: DeixisModel, batch: Batch, outputs: Outputs, targets: Targets, weights: LossConfig
) -> tuple[Tensor, dict[str, float]]:
    """Returns the weighted sum and each loss's value before weighting."""
    parts = {
        "text": text(model, outputs.states, batch.rows.labels, weights.smoothing),
        **box_losses(outputs, targets),
        "retrieval": retrieval(outputs, targets),
        "trunk_class": trunk_class(outputs.boxes.class_logits, targets.trunk_class),
        "words": words(outputs.word_boxes, targets.word_boxes),
        "mask": mask(outputs.masks, targets.masks),
        "dice": dice(outputs.masks, targets.masks),
        "joints": joints(outputs.joints, targets.joints, targets.person_size),
        "visible": visible(outputs.visible, targets.joints),
    }
    if weights.many:
        parts["many"] = many(outputs, targets, batch.sight)
    loss = sum((getattr(weights, name) * part for name, part in parts.items()), torch.zeros(()))
    return loss, {name: float(part.detach()) for name, part in parts.items()}


def text(model: DeixisModel, states: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Returns the mean cross-entropy of the next token where it is known."""
    known = labels != -100
    if not known.any():
        return states.sum() * 0
    logits = model.prefixed.logits(states[known])
    return F.cross_entropy(logits.float(), labels[known], label_smoothing=smoothing)


def box_losses(outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """Returns score, l1 and giou losses, averaged over decoder layers.

    Each is divided by the number of true boxes, as in DETR.
    """
    sums = {"score": [], "l1": [], "giou": []}
    count = targets.real.sum().clamp(min=1)
    for logits, predicted in zip(outputs.boxes.logits, outputs.boxes.boxes, strict=True):
        group, query, truth = match(logits, predicted, targets.boxes, targets.real)
        chosen, wanted = predicted[group, query], targets.boxes[group, truth]
        quality = torch.zeros_like(logits)
        quality[group, query] = boxes.iou(chosen, wanted).detach().clamp(0, 1)
        sums["score"].append(varifocal(logits, quality).sum() / count)
        sums["l1"].append((chosen - wanted).abs().sum() / count)
        sums["giou"].append((1 - boxes.giou(chosen, wanted)).sum() / count)
    return {name: torch.stack(values).mean() for name, values in sums.items()}


def many(outputs: Outputs, targets: Targets, sight: Sight) -> Tensor:
    """Returns the box losses of every proposal that overlaps a true box by half, mean over layers.

    One matched proposal a box is little to learn refinement from. Source: one-to-many matching of
    H-DETR (Jia et al. 2023). Where we differ: the trunk's own boxes choose, so the choice stands
    still, and scores are left to one-to-one matching.
    """
    decoded = outputs.boxes
    overlap = boxes.pairwise_iou(sight.boxes[decoded.picture], targets.boxes)
    proposed = sight.valid[decoded.picture].unsqueeze(2) & targets.real.unsqueeze(1)
    best = overlap.masked_fill(~proposed, 0).max(2)
    group, query = (best.values >= 0.5).nonzero(as_tuple=True)
    if not len(group):
        return decoded.boxes.sum() * 0
    wanted = targets.boxes[group, best.indices[group, query]]
    chosen = decoded.boxes[:, group, query]
    l1 = (chosen - wanted).abs().sum(-1).mean()
    return LossConfig.l1 * l1 + LossConfig.giou * (1 - boxes.giou(chosen, wanted)).mean()


def varifocal(logits: Tensor, quality: Tensor, alpha: float = 0.75, gamma: float = 2.0) -> Tensor:
    """Returns the varifocal loss of each score, the shape of `logits`.

    Matched predictions learn their IoU, weighted by it; the rest learn 0, weighted by how sure
    they were. Source: Zhang et al. 2021 (VarifocalNet), eq. 2, with RT-DETR's alpha.
    """
    sure = logits.sigmoid().detach()
    weight = torch.where(quality > 0, quality, alpha * sure**gamma)
    return weight * F.binary_cross_entropy_with_logits(logits, quality, reduction="none")


def retrieval(outputs: Outputs, targets: Targets) -> Tensor:
    """Returns the cross-entropy over proposals of expressions, target shared by overlap.

    A proposal takes part in the target by how much its IoU with a true box exceeds one half;
    expressions that no proposal reaches are left out, and so is padding.
    """
    logits, predicted = outputs.boxes.logits[-1], outputs.boxes.boxes[-1].detach()
    overlap = boxes.iou(predicted.unsqueeze(2), targets.boxes.unsqueeze(1))
    overlap = overlap.masked_fill(~targets.real.unsqueeze(1), 0).amax(2)
    overlap = overlap.masked_fill(logits <= PADDED, 0)
    share = (overlap - 0.5).clamp(min=0)
    reached = targets.expression & (share.sum(1) > 0)
    if not reached.any():
        return logits.sum() * 0
    share = share[reached] / share[reached].sum(1, keepdim=True)
    return -(share * logits[reached].log_softmax(1)).sum(1).mean()


def trunk_class(logits: Tensor, wanted: Tensor) -> Tensor:
    """Returns the cross-entropy of a phrase's trunk class where it is known."""
    known = wanted != -100
    return F.cross_entropy(logits[known], wanted[known]) if known.any() else logits.sum() * 0


def words(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Returns the mean L1 distance of word boxes where they are known. Source: PixelLLM, eq. 3."""
    known = ~wanted.isnan().any(-1)
    return (predicted[known] - wanted[known]).abs().mean() if known.any() else predicted.sum() * 0


def mask(logits: Tensor, covered: Tensor) -> Tensor:
    """Returns the mean cross-entropy of mask cells; targets are the covered shares."""
    if not len(covered):
        return logits.sum() * 0
    return F.binary_cross_entropy_with_logits(logits, covered)


def dice(logits: Tensor, covered: Tensor) -> Tensor:
    """Returns one minus the soft Dice overlap, averaged over masks. Source: V-Net, eq. 3."""
    if not len(covered):
        return logits.sum() * 0
    chance = logits.sigmoid().flatten(1)
    truth = covered.flatten(1)
    overlap = 2 * (chance * truth).sum(1) + 1
    return (1 - overlap / (chance.sum(1) + truth.sum(1) + 1)).mean()


def joints(predicted: Tensor, wanted: Tensor, person_size: Tensor) -> Tensor:
    """Returns the mean L1 distance of marked joints in units of the person's box."""
    marked = wanted[..., 2] > 0
    if not marked.any():
        return predicted.sum() * 0
    away = ((predicted - wanted[..., :2]) / person_size.unsqueeze(1).clamp(min=1e-3)).abs().sum(-1)
    return away.clamp(max=2)[marked].mean()


def visible(logits: Tensor, wanted: Tensor) -> Tensor:
    """Returns the mean cross-entropy of "this joint is marked"."""
    if not len(wanted):
        return logits.sum() * 0
    return F.binary_cross_entropy_with_logits(logits, (wanted[..., 2] > 0).to(logits))
