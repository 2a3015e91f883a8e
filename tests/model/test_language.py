from __future__ import annotations

import torch

from model.language import causal_mask, packed_mask
from tests.model import tiny


def test_the_packed_mask_of_the_documented_example() -> None:
    # A prefix of two, the second of them padding; turns a a b and a place of padding.
    mask = packed_mask(torch.tensor([[True, False]]), torch.tensor([[0, 0, 1, -1]]))[0]
    assert mask.int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [1, 0, 1, 1, 0, 0],
        [1, 0, 0, 0, 1, 0],
        [1, 0, 0, 0, 0, 1],
    ]


def test_the_causal_mask_sees_what_is_real_and_what_came_before() -> None:
    mask = causal_mask(torch.tensor([[True, False, True]]), 2)[0]
    assert mask.int().tolist() == [[1, 0, 1, 1, 0], [1, 0, 1, 1, 1]]


def test_masked_tokens_have_no_influence() -> None:
    prefixed = tiny.model().prefixed
    x = torch.randn(1, 5, 32)
    mask = torch.ones(1, 5, 5, dtype=torch.bool)
    mask[..., 2] = False
    positions = torch.arange(5).unsqueeze(0)
    changed = x.clone()
    changed[0, 2] = 7
    a, b = (prefixed.run(value, mask, positions) for value in (x, changed))
    kept = [0, 1, 3, 4]
    assert tiny.close(a[0, kept], b[0, kept], 1e-5)
    mask[..., 2] = True
    assert not tiny.close(a[0, kept], prefixed.run(changed, mask, positions)[0, kept], 1e-3)


def test_words_are_read_off_with_the_embedding() -> None:
    prefixed = tiny.model().prefixed
    states = torch.randn(2, 3, 32)
    logits = prefixed.logits(states)
    assert logits.shape == (2, 3, 512)
    assert tiny.close(logits[1, 2, 7], states[1, 2] @ prefixed.embedding.weight[7], 1e-4)
