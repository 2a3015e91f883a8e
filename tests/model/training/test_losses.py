from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from model import boxes
from model.batch import Boxes, Outputs
from model.box_decoder import PADDED
from model.training import losses
from model.training.collate import Collator, Lesson
from model.training.losses import LossConfig, total
from model.training.targets import Targets
from model.types import Answer, Size, Turn
from model.vision import Sight
from tests.model import taught, tiny

GROUPS, QUERIES, LAYERS = 3, 5, 2


def _random(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale


def _places(*shape: int, seed: int) -> Tensor:
    """Boxes of random places and sizes, far from any kink of their losses."""
    low = torch.sigmoid(_random(*shape, 2, seed=seed)) * 0.6
    return torch.cat([low, low + 0.1 + 0.3 * torch.sigmoid(_random(*shape, 2, seed=seed + 1))], -1)


def _outputs(logits: Tensor, predicted: Tensor, **others: Tensor) -> Outputs:
    none = torch.zeros(0)
    picture = torch.zeros(logits.shape[1], dtype=torch.long)
    decoded = Boxes(logits, predicted, none, none, picture, logits[-1])
    return replace(Outputs(none, decoded, none, none, none, none), **others)


def _targets() -> Targets:
    """Two, one and no true boxes."""
    real = torch.tensor([[True, True], [True, False], [False, False]])
    return Targets(
        _places(GROUPS, 2, seed=7), real, torch.tensor([3, -100, 0]),
        torch.tensor([True, True, False]), torch.zeros(0, 4), torch.zeros(0, 28, 28),
        torch.zeros(0, 17, 3), torch.zeros(0, 2),
    )  # fmt: skip


def _sight(places: Tensor, valid: Tensor) -> Sight:
    """What the loss of many reads of a sight; the rest is not there."""
    return cast("Sight", SimpleNamespace(boxes=places[None], valid=valid[None]))


def test_many_proposals_learn_the_box_they_overlap() -> None:
    targets = _targets()
    first, second, lone = targets.boxes[0, 0], targets.boxes[0, 1], targets.boxes[1, 0]
    far = torch.tensor([0.95, 0.95, 1.0, 1.0], dtype=torch.float64)
    origin = torch.stack([first, first + 0.01, second, lone, far])
    predicted = (origin + 0.02).expand(LAYERS, GROUPS, -1, -1).clone().requires_grad_()
    outputs, valid = _outputs(LOGITS, predicted), torch.tensor([True, True, True, True, False])
    loss = losses.many(outputs, targets, _sight(origin, valid))
    l1s, gious = [], []
    for group, of_group in enumerate(targets.boxes):
        for query, place in enumerate(origin):
            overlaps = [
                float(boxes.iou(place, true)) * float(real)
                for true, real in zip(of_group, targets.real[group], strict=True)
            ]
            if max(overlaps) >= 0.5 and valid[query]:
                true = of_group[overlaps.index(max(overlaps))]
                l1s.append((predicted[0, group, query] - true).abs().sum())
                gious.append(1 - boxes.giou(predicted[0, group, query], true))
    assert len(l1s) >= 4, "more than one proposal for a box"
    wanted = 5 * torch.stack(l1s).mean() + 2 * torch.stack(gious).mean()
    assert loss.item() == pytest.approx(wanted.item())
    assert not _gradient(loss, predicted)[:, :, 4].any()


def test_without_an_overlap_many_learn_nothing() -> None:
    origin = torch.zeros(QUERIES, 4, dtype=torch.float64)
    sight = _sight(origin, torch.ones(QUERIES, dtype=torch.bool))
    assert float(losses.many(_outputs(LOGITS, PREDICTED), _targets(), sight)) == 0


def _gradient(loss: Tensor, of: Tensor) -> Tensor:
    return torch.autograd.grad(loss, of)[0]


LOGITS = _random(LAYERS, GROUPS, QUERIES, seed=1)
PREDICTED = _places(LAYERS, GROUPS, QUERIES, seed=2)


@pytest.mark.parametrize("name", ["l1", "giou"])
def test_box_losses_have_the_gradient_of_finite_differences(name: str) -> None:
    def loss(predicted: Tensor) -> Tensor:
        return losses.box_losses(_outputs(LOGITS, predicted), _targets())[name]

    predicted = PREDICTED.clone().requires_grad_()
    assert gradcheck(loss, (predicted,), eps=1e-7, fast_mode=True)
    reached = _gradient(loss(predicted), predicted).abs().sum(-1) > 0
    assert reached.sum((1, 2)).tolist() == [3, 3], "one prediction for each true box and layer"


def test_box_losses_are_those_of_detr_on_a_pair() -> None:
    true = torch.tensor([[[0.2, 0.2, 0.6, 0.6]]])
    near = torch.tensor([[[[0.3, 0.2, 0.7, 0.6], [0.9, 0.9, 1.0, 1.0]]]])
    targets = replace(_targets(), boxes=true, real=torch.tensor([[True]]))
    parts = losses.box_losses(_outputs(torch.zeros(1, 1, 2), near), targets)
    assert float(parts["l1"]) == pytest.approx(0.2)
    union = 2 * 0.16 - 0.12
    assert float(parts["giou"]) == pytest.approx(1 - 0.12 / union, abs=1e-6)


def test_scores_learn_overlap_where_matched_and_nothing_elsewhere() -> None:
    logits = LOGITS.clone().requires_grad_()
    targets = _targets()
    loss = losses.box_losses(_outputs(logits, PREDICTED), targets)["score"]
    got = _gradient(loss, logits) * targets.real.sum() * LAYERS
    for layer in range(LAYERS):
        for group in range(GROUPS):
            chance = LOGITS[layer, group].sigmoid()
            unmatched = 0.75 * chance**3  # alpha p^gamma (p - 0), gamma 2
            matched = (got[layer, group] - unmatched).abs() > 1e-9
            assert int(matched.sum()) == int(targets.real[group].sum())
            best = boxes.pairwise_iou(PREDICTED[layer, group], targets.boxes[group])
            for query in matched.nonzero().flatten().tolist():
                wanted = [float(q * (chance[query] - q)) for q in best[query]]
                assert float(got[layer, group, query]) in [pytest.approx(w) for w in wanted]


def test_varifocal_is_that_of_its_paper() -> None:
    logits = torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    quality = torch.tensor([0.0, 0.8, 0.5], dtype=torch.float64)
    loss = losses.varifocal(logits, quality)
    p = logits.detach().sigmoid()
    cross = -(quality * p.log() + (1 - quality) * (1 - p).log())
    weight = torch.stack([0.75 * p[0] ** 2, quality[1], quality[2]])
    assert torch.allclose(loss, weight * cross)
    assert torch.allclose(_gradient(loss.sum(), logits), weight * (p - quality))


def test_retrieval_pulls_towards_what_overlaps_by_more_than_half() -> None:
    true = torch.tensor([[[0.0, 0.0, 0.5, 0.5]], [[0.8, 0.8, 0.9, 0.9]], [[0.0, 0.0, 0.5, 0.5]]])
    places = [[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.4], [0, 0, 0.5, 0.2], [0.5, 0.5, 1, 1]]
    predicted = torch.tensor(places).double().expand(1, GROUPS, -1, -1)
    logits = _random(1, GROUPS, 4).requires_grad_()
    targets = replace(_targets(), boxes=true, real=torch.ones(GROUPS, 1, dtype=torch.bool))
    loss = losses.retrieval(_outputs(logits, predicted), targets)
    share = torch.tensor([0.5, 0.3, 0, 0], dtype=torch.float64) / 0.8
    got, chance = _gradient(loss, logits)[0], logits.detach()[0].softmax(-1)
    assert torch.allclose(got[0], chance[0] - share, atol=1e-6)
    assert not got[1:].any(), "one expression is out of reach, the other is a name"
    padded = torch.where(torch.tensor([True, False, False, False]), PADDED, logits.detach())
    left = losses.retrieval(_outputs(padded, predicted), targets)
    assert float(left) == pytest.approx(float(-padded[0, 0].log_softmax(0)[1]))


def test_the_next_word_is_smoothed_cross_entropy_of_what_is_known() -> None:
    embedding = torch.randn(7, 4)
    model: Any = SimpleNamespace(prefixed=SimpleNamespace(logits=lambda s: s @ embedding.T))
    states = torch.randn(2, 3, 4, requires_grad=True)
    labels = torch.tensor([[-100, 2, 6], [0, -100, -100]])
    loss = losses.text(model, states, labels, 0.1)
    known = labels != -100
    chance = (states.detach() @ embedding.T)[known].softmax(-1)
    wanted = 0.9 * F.one_hot(labels[known], 7) + 0.1 / 7
    assert loss.item() == pytest.approx(float(-(wanted * chance.log()).sum(1).mean()), rel=1e-5)
    got = _gradient(loss, states)
    assert torch.allclose(got[known], (chance - wanted) @ embedding / 3, atol=1e-6)
    assert not got[~known].any()


def test_the_class_of_a_phrase_is_cross_entropy_where_it_is_known() -> None:
    logits = _random(3, 4).requires_grad_()
    loss = losses.trunk_class(logits, torch.tensor([2, -100, 0]))
    got, chance = _gradient(loss, logits), logits.detach().softmax(-1)
    assert torch.allclose(got[0], (chance[0] - F.one_hot(torch.tensor(2), 4)) / 2)
    assert torch.allclose(got[2], (chance[2] - F.one_hot(torch.tensor(0), 4)) / 2)
    assert not got[1].any()


def test_words_pay_their_distance_and_unknown_ones_nothing() -> None:
    wanted = _places(4, seed=3)
    wanted[1] = torch.nan
    predicted = _places(4, seed=5).requires_grad_()
    assert gradcheck(lambda p: losses.words(p, wanted), (predicted,), eps=1e-7, fast_mode=True)
    got = _gradient(losses.words(predicted, wanted), predicted)
    assert torch.equal(got[0] * 12, (predicted[0] - wanted[0]).sign())
    assert not got[1].any()


@pytest.mark.parametrize("name", ["mask", "dice", "visible", "joints"])
def test_heads_have_the_gradient_of_finite_differences(name: str) -> None:
    joints = torch.cat([_random(2, 17, 2, seed=4, scale=0.2), torch.ones(2, 17, 1)], -1).double()
    joints[0, :9, 2] = 0  # not marked
    of: dict[str, tuple[Any, Tensor]] = {
        "mask": (lambda x: losses.mask(x, _random(2, 6, 6, seed=1).sigmoid()), _random(2, 6, 6)),
        "dice": (lambda x: losses.dice(x, _random(2, 6, 6, seed=1).sigmoid()), _random(2, 6, 6)),
        "visible": (lambda x: losses.visible(x, joints), _random(2, 17)),
        "joints": (
            lambda x: losses.joints(x, joints, torch.full((2, 2), 0.9).double()),
            _random(2, 17, 2, scale=0.2),
        ),
    }
    loss, at = of[name]
    at.requires_grad_()
    assert gradcheck(loss, (at,), eps=1e-7, fast_mode=True)
    assert _gradient(loss(at), at).any()


def test_a_mask_of_the_truth_has_no_dice_loss_and_one_of_the_rest_a_whole_one() -> None:
    truth = torch.zeros(1, 28, 28)
    truth[:, :14] = 1
    assert float(losses.dice((truth - 0.5) * 60, truth)) == pytest.approx(0, abs=1e-6)
    assert float(losses.dice((0.5 - truth) * 60, truth)) == pytest.approx(1, abs=2e-3)


def test_joints_count_in_units_of_the_person_and_only_where_marked() -> None:
    wanted = torch.zeros(2, 17, 3)
    wanted[0, 3, 2], wanted[1, 5, 2] = 2, 1
    away = torch.zeros(2, 17, 2)
    away[0, 3], away[1, 5], away[1, 6] = torch.tensor([0.1, 0.2]), torch.tensor([9.0, 9.0]), 7
    sizes = torch.tensor([[0.2, 0.8], [0.5, 0.5]])
    # 0.1 / 0.2 + 0.2 / 0.8, and a joint that is far off counts as two persons away.
    assert float(losses.joints(away, wanted, sizes)) == pytest.approx((0.75 + 2) / 2)


def _lesson(turns: list[Turn], names: bool) -> Lesson:
    asked = [("dog", [tiny.LEFT]), ("zebra", [])] if names else []
    return Lesson(Size(96, 64), turns, asked)


@pytest.mark.parametrize("config", [LossConfig(), LossConfig(many=1.0)])
@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("turns", [[], [Turn("hello?", Answer("hello"))], tiny.turns()])
def test_the_sum_is_weighted_and_finite_with_any_targets_or_none(
    turns: list[Turn], names: bool, config: LossConfig
) -> None:
    model = tiny.build().requires_grad_(True)
    batch, targets = Collator(tiny.vocabulary(), model.tree)([_lesson(turns, names)], tiny.sight())
    loss, parts = total(model, batch, model(batch), targets, config)
    weights = config.to_json()
    assert set(parts) == set(weights) - {"smoothing", *["many"] * (config.many == 0)}
    assert loss.item() == pytest.approx(sum(weights[k] * v for k, v in parts.items()), rel=1e-5)
    loss.backward()
    for name, value in model.named_parameters():
        assert value.grad is None or value.grad.isfinite().all(), name
    if not turns and not names:
        assert loss.item() == 0
    else:
        assert loss.item() > 0


def test_every_part_learns_from_some_loss() -> None:
    model = tiny.build().requires_grad_(True)
    lesson = taught.lesson()
    lesson = replace(lesson, turns=[*lesson.turns, *tiny.turns()])
    batch, targets = Collator(tiny.vocabulary(), model.tree)([lesson], tiny.sight())
    total(model, batch, model(batch), targets, LossConfig())[0].backward()
    still = [
        name for name, value in model.named_parameters()
        if not name.startswith("vision") and (value.grad is None or not value.grad.any())
    ]  # fmt: skip
    assert still == []
