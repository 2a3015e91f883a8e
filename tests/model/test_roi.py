from __future__ import annotations

import torch

from model.roi import lattice, widened
from tests.model import tiny


def test_a_widened_box_has_the_margin_on_each_side() -> None:
    wide = widened(torch.tensor([[0.2, 0.4, 0.4, 0.8]]))
    assert tiny.close(wide, torch.tensor([[0.17, 0.34, 0.43, 0.86]]), 1e-6)


def test_a_lattice_is_row_major_and_centred() -> None:
    places = lattice(torch.tensor([[0.0, 0.0, 1.0, 0.5]]), 2)[0]
    wanted = [[0.25, 0.125], [0.75, 0.125], [0.25, 0.375], [0.75, 0.375]]
    assert tiny.close(places, torch.tensor(wanted), 1e-6)


def test_a_box_reads_its_own_picture_alone_and_in_a_batch() -> None:
    sight, features = tiny.sight(2), tiny.model().mask_head.features
    links = torch.randn(2, 4, 32)
    rois = torch.tensor([[0.1, 0.1, 0.6, 0.7], [0.3, 0.2, 0.9, 0.9]])
    both = features(links, rois, torch.tensor([1, 0]), sight)
    assert both.shape == (2, 64, 28, 28)
    alone = features(links[1:], rois[1:], torch.tensor([0]), sight[:1])
    assert tiny.close(both[1:], alone)
