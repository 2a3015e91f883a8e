from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from model import boxes
from model.batch import Boxes
from model.box_decoder import PADDED, BoxDecoder, prior
from model.objects import colours_inside, traits_of
from tests.model import tiny

SIGHT = tiny.sight(2)
OBJECTS = tiny.model().objects(SIGHT)


def _links(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 32, generator=torch.Generator().manual_seed(1))


def test_an_untrained_decoder_says_what_the_trunk_says() -> None:
    torch.manual_seed(0)
    decoder = BoxDecoder(tiny.tree()).eval()
    picture = torch.tensor([1, 0, 1])
    out = decoder(_links(3), picture, SIGHT, OBJECTS)
    wanted = prior(out.class_logits, picture, SIGHT)
    assert out.logits.shape == (2, 3, 12)
    for layer in range(2):
        assert tiny.close(out.logits[layer], wanted, 1e-5)
        assert tiny.close(out.boxes[layer], SIGHT.boxes[picture], 1e-5)
    assert torch.equal(out.start, wanted)


def test_a_phrase_that_is_surely_one_class_scores_as_the_trunk_scores_it() -> None:
    sure = torch.full((1, 80), -50.0)
    sure[0, 16] = 50
    logits = prior(sure, torch.tensor([0]), SIGHT)
    trunk = SIGHT.class_logits[0, :, 16].sigmoid() * SIGHT.objectness_logits[0].sigmoid()
    assert tiny.close(logits[0].sigmoid(), trunk.clamp(1e-5), 1e-4)


def test_phrases_are_decoded_alike_alone_and_together() -> None:
    decoder, links = tiny.model().box_decoder, _links(3)
    picture = torch.tensor([0, 1, 0])
    together = decoder(links, picture, SIGHT, OBJECTS)
    for group in range(3):
        alone = decoder(links[group : group + 1], picture[group : group + 1], SIGHT, OBJECTS)
        assert tiny.close(together.logits[:, group], alone.logits[:, 0])
        assert tiny.close(together.boxes[:, group], alone.boxes[:, 0])
    part = together[1:]
    assert torch.equal(part.boxes, together.boxes[:, 1:])
    assert torch.equal(part.picture, picture[1:])


def test_links_steer_the_scores() -> None:
    decoder = tiny.model().box_decoder
    out = decoder(_links(2), torch.tensor([0, 0]), SIGHT, OBJECTS)
    assert not tiny.close(out.logits[-1, 0], out.logits[-1, 1], 1e-2)


def test_without_conditioning_a_phrase_is_its_mixture_of_classes() -> None:
    decoder = copy.deepcopy(tiny.model().box_decoder)
    decoder.conditioned = False
    out = decoder(_links(2), torch.tensor([0, 0]), SIGHT, OBJECTS)
    assert tiny.close(out.boxes[-1, 0], out.boxes[-1, 1]), "boxes are refined without the words"
    correction = (out.logits[-1] - out.start)[:, SIGHT.valid[0]]
    assert tiny.close(correction[0], correction[1], 1e-3)
    assert not tiny.close(out.start[0], out.start[1], 1e-2)


def test_no_phrases_decode_to_nothing() -> None:
    out = tiny.model().box_decoder(_links(0), torch.zeros(0, dtype=torch.long), SIGHT, OBJECTS)
    assert out.logits.shape == (2, 0, 12)
    assert out.boxes.shape == (2, 0, 12, 4)


@pytest.mark.parametrize("left", [0, 5])
def test_padded_proposals_score_nothing_and_are_not_read(left: int) -> None:
    valid = SIGHT.valid.clone()
    valid[0, left:] = False
    sight = replace(SIGHT, valid=valid)
    nines = torch.full_like(OBJECTS.queries, 9.0)
    queries = torch.where(valid.unsqueeze(2), OBJECTS.queries, nines)
    changed = replace(OBJECTS, queries=queries)
    picture = torch.tensor([0])
    out, other = (
        tiny.model().box_decoder(_links(1), picture, sight, objects)
        for objects in (OBJECTS, changed)
    )
    assert (out.logits[:, 0, left:] == PADDED).all()
    assert (out.start[0, left:] == PADDED).all()
    assert torch.equal(out.logits, other.logits)
    assert out.boxes.isfinite().all()


def test_boxes_keep_positive_sizes() -> None:
    out = tiny.model().box_decoder(10 * _links(1), torch.tensor([0]), SIGHT, OBJECTS)
    real = boxes.area(SIGHT.boxes[0]) > 0
    assert (boxes.area(out.boxes[-1, 0])[real] > 0).all()


def test_layers_behind_the_first_agree_on_a_score() -> None:
    decoded = Boxes(
        torch.tensor([[[9.0, 9.0]], [[1.0, 2.0]], [[3.0, 0.0]]]),
        torch.zeros(3, 1, 2, 4), torch.zeros(1, 3), torch.zeros(1, 2, 4),
        torch.zeros(1, dtype=torch.long), torch.zeros(1, 2),
    )  # fmt: skip
    assert decoded.agreed.tolist() == [[2.0, 1.0]]
    assert replace(decoded, logits=decoded.logits[:1]).agreed.tolist() == [[9.0, 9.0]]


def test_a_phrase_asks_for_colours_by_itself() -> None:
    torch.manual_seed(0)
    decoder = BoxDecoder(tiny.tree()).eval()
    torch.nn.init.normal_(decoder.tints.weight)
    grey = replace(SIGHT, colours=torch.zeros_like(SIGHT.colours))
    picture = torch.tensor([0, 1])
    seen, unseen = (
        decoder(_links(2), picture, SIGHT, replace(OBJECTS, traits=traits_of(sight)))
        for sight in (SIGHT, grey)
    )
    wanted = torch.einsum(
        "gd,gqd->gq",
        _links(2).mean(1) @ decoder.tints.weight.T,
        colours_inside(SIGHT.boxes, SIGHT)[picture],
    )
    real = SIGHT.valid[picture]
    assert tiny.close((seen.logits[-1] - unseen.logits[-1])[real], wanted[real])
