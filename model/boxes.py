"""Box arithmetic on torch tensors: formats, IoU, GIoU, suppression, masks to boxes.

All functions take any leading axes; the last axis is the four coordinates.
"""

from __future__ import annotations

import torch
from torch import Tensor


def to_cxcywh(boxes_xyxy: Tensor) -> Tensor:
    """Returns centre and size of corner boxes."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def to_xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Returns the corners of centre-and-size boxes."""
    centre, half = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def area(boxes_xyxy: Tensor) -> Tensor:
    """Returns areas; inverted boxes count as empty."""
    return (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=0).prod(-1)


def _intersection_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    # Each side by itself: a last axis of two is slow on a CPU.
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = a.unbind(-1), b.unbind(-1)
    width = (torch.minimum(ax1, bx1) - torch.maximum(ax0, bx0)).clamp(min=0)
    height = (torch.minimum(ay1, by1) - torch.maximum(ay0, by0)).clamp(min=0)
    inside = width * height
    return inside, area(a) + area(b) - inside


def iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Returns the intersection over union of broadcast pairs of boxes.

    Example:
        >>> iou(torch.tensor([0., 0., 2., 2.]), torch.tensor([1., 0., 3., 2.]))
        tensor(0.3333)
    """
    inside, union = _intersection_union(a_xyxy, b_xyxy)
    return inside / union.clamp(min=1e-9)


def pairwise_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Returns IoU[..., N, M] of boxes [..., N, 4] against [..., M, 4]."""
    return iou(a_xyxy.unsqueeze(-2), b_xyxy.unsqueeze(-3))


def giou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Returns the generalised IoU of broadcast pairs, in [-1, 1].

    Source: Rezatofighi et al. 2019, eq. 5: IoU minus the empty share of the enclosing box.
    """
    inside, union = _intersection_union(a_xyxy, b_xyxy)
    low = torch.minimum(a_xyxy[..., :2], b_xyxy[..., :2])
    high = torch.maximum(a_xyxy[..., 2:], b_xyxy[..., 2:])
    hull = (high - low).clamp(min=0).prod(-1).clamp(min=1e-9)
    return inside / union.clamp(min=1e-9) - (hull - union) / hull


def suppress(boxes_xyxy: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """Returns the indices, best first, kept by greedy non-maximum suppression.

    Args:
        boxes_xyxy: float[N, 4].
        scores: float[N].
        threshold: a box overlapping a better one by more than this IoU is dropped.
        limit: most boxes kept.

    Returns:
        int64[M], M at most `limit`.
    """
    order = scores.argsort(descending=True, stable=True)
    over = pairwise_iou(boxes_xyxy[order], boxes_xyxy[order]) > threshold
    return order[unsuppressed(over)][:limit]


def unsuppressed(over: Tensor, among: Tensor | None = None) -> Tensor:
    """Returns which boxes greedy non-maximum suppression keeps, bool[..., N].

    All at once: a box is kept if no better one that is kept overlaps it. Repeating that settles the
    first box, then the second, and so on; a few rounds settle all.

    Args:
        over: bool[..., N, N], which boxes overlap too much; boxes are ordered, best first.
        among: bool[..., N], boxes that take part; the others are not kept.
    """
    better = over.tril(-1).float()
    everyone = torch.ones_like(over.diagonal(dim1=-2, dim2=-1)) if among is None else among
    kept = everyone
    while True:
        still = everyone & ~((better @ kept.float().unsqueeze(-1)).squeeze(-1) > 0)
        if torch.equal(still, kept):
            return kept
        kept = still


def voted(boxes_xyxy: Tensor, scores: Tensor, kept: Tensor, threshold: float) -> Tensor:
    """Returns kept boxes moved to the mean of their doubles, float[K, 4].

    Source: box voting (Gidaris and Komodakis 2015, section 4.2). Where we differ: doubles count by
    the square of their scores, so that many weak ones do not drag a sure one away.

    Args:
        boxes_xyxy: float[N, 4].
        scores: float[N], positive.
        kept: int64[K], numbers of the boxes that suppression kept.
        threshold: overlap above which a box is a double.

    Example:
        A box and its double, as sure as each other and one apart: the box half-way.
    """
    doubles = pairwise_iou(boxes_xyxy[kept], boxes_xyxy) > threshold
    weight = scores.square() * doubles
    return weight @ boxes_xyxy / weight.sum(1, keepdim=True)


def from_mask(mask: Tensor) -> Tensor:
    """Returns the tight box of a mask bool[H, W] in unit coordinates, float[4].

    Raises:
        ValueError: the mask is empty.
    """
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    if not len(rows):
        raise ValueError("an empty mask has no box")
    height, width = mask.shape
    return torch.tensor(
        [
            columns[0].item() / width,
            rows[0].item() / height,
            (columns[-1].item() + 1) / width,
            (rows[-1].item() + 1) / height,
        ]
    )
