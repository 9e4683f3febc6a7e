from __future__ import annotations

import pytest
import torch

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import LayerMatching
from small_terms import between


def features(embedding: float, *blocks: float) -> Features:
    """One class of one image, one number a layer."""
    maps = tuple(torch.full((1, 1, 1, 1, 1), float(value)) for value in blocks)
    return Features(blocks=maps, map=torch.empty(0), embedding=torch.full((1, 1, 1), float(embedding)), logits=torch.empty(0))


def test_the_value_by_hand() -> None:
    zero = features(0, 0, 0, 0, 0)
    # a tenth of 1 and 4 of the first two blocks, 9 and 16 of the others, twice 25 of the embedding
    assert float(between(LayerMatching(), zero, features(5, 1, 2, 3, 4))) == pytest.approx(0.1 * (1 + 4) + 9 + 16 + 2 * 25)
    assert float(between(LayerMatching(early=0.5, late=2.0, last=3.0), zero, features(5, 1, 2, 3, 4))) == pytest.approx(
        0.5 * 5 + 2 * 25 + 3 * 25
    )


@pytest.mark.parametrize("blocks", [1, 2])
def test_few_blocks_are_early_and_the_embedding_is_last(blocks: int) -> None:
    expected = 0.1 * sum((2 + number) ** 2 for number in range(blocks)) + 2 * 9
    found = between(LayerMatching(), features(0, *[0] * blocks), features(3, *[2 + number for number in range(blocks)]))
    assert float(found) == pytest.approx(expected)


def test_a_block_is_compared_position_by_position() -> None:
    real, synthetic = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2), torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 1, 2)
    embedding = torch.zeros(1, 1, 1)
    batches = [
        Features(blocks=(map, map, map), map=torch.empty(0), embedding=embedding, logits=torch.empty(0)) for map in (real, synthetic)
    ]
    assert float(between(LayerMatching(), *batches)) == pytest.approx(0.1 * (2 + 2) + 2)


@pytest.mark.parametrize("preset", ["paper", "code", "fast"])
def test_its_factors_are_the_published_ones_everywhere(preset: str) -> None:
    assert LayerMatching.suited(Setting("cifar10", 10, 10, preset)) == LayerMatching(weight=1.0, early=0.1, late=1.0, last=2.0)


def test_the_last_map_counts_as_a_map_and_as_the_embedding_where_it_is_not_pooled() -> None:
    """The published code adds up [.1, .1, 1, 1, 1] over its layers, of which the last two are the last map, as it is and flattened."""
    last = torch.randn(2, 3, 4, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    blocks = (last[..., :1, :1], last[..., :1], last[..., :1, :])
    real = Features(blocks=blocks, map=last, embedding=last.flatten(2), logits=torch.empty(0))
    nothing = real.apply(torch.zeros_like)
    layers = [*blocks, last, last.flatten(2)]
    expected = sum(
        factor * float(layer[label].mean(0).square().sum())
        for factor, layer in zip((0.1, 0.1, 1, 1, 1), layers, strict=True)
        for label in (0, 1)
    )
    assert float(between(LayerMatching(), real, nothing)) == pytest.approx(expected, rel=1e-12)


def test_networks_of_other_depths_are_refused() -> None:
    with pytest.raises(KeyError, match="2"):
        between(LayerMatching(), features(0, 0, 0), features(0, 0, 0, 0))
