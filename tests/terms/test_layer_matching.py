from __future__ import annotations

import pytest
import torch

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms import LayerMatching


def features(embedding: float, *blocks: float) -> Features:
    """One class of one image, one number a layer."""
    maps = tuple(torch.full((1, 1, 1, 1, 1), float(value)) for value in blocks)
    return Features(blocks=maps, map=torch.empty(0), embedding=torch.full((1, 1, 1), float(embedding)), logits=torch.empty(0))


def test_the_value_by_hand() -> None:
    zero = features(0, 0, 0, 0, 0)
    # 1 and 4 of the first two blocks, a tenth of 9, 16 and 25 of the others and of the embedding
    assert float(LayerMatching()(zero, features(5, 1, 2, 3, 4))) == pytest.approx(1 + 4 + 0.1 * (9 + 16 + 25))
    assert float(LayerMatching(early=0.5, late=2.0)(zero, features(5, 1, 2, 3, 4))) == pytest.approx(0.5 * 5 + 2 * 50)


@pytest.mark.parametrize("blocks", [1, 2])
def test_few_blocks_are_early_and_the_embedding_is_late(blocks: int) -> None:
    expected = sum((2 + number) ** 2 for number in range(blocks)) + 0.1 * 9
    found = LayerMatching()(features(0, *[0] * blocks), features(3, *[2 + number for number in range(blocks)]))
    assert float(found) == pytest.approx(expected)


def test_a_block_is_compared_position_by_position() -> None:
    real, synthetic = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2), torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 1, 2)
    embedding = torch.zeros(1, 1, 1)
    batches = [
        Features(blocks=(map, map, map), map=torch.empty(0), embedding=embedding, logits=torch.empty(0)) for map in (real, synthetic)
    ]
    assert float(LayerMatching()(*batches)) == pytest.approx(2 + 2 + 0.1 * 2)


@pytest.mark.parametrize("preset", ["paper", "code", "fast"])
def test_its_weight_is_one_everywhere(preset: str) -> None:
    assert LayerMatching.suited(Setting("cifar10", 10, 10, preset, "cafe")) == LayerMatching(weight=1.0, early=1.0, late=0.1)


def test_networks_of_other_depths_are_refused() -> None:
    with pytest.raises(ValueError, match="argument"):
        LayerMatching()(features(0, 0, 0), features(0, 0, 0, 0))
