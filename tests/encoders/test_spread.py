from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from datastill.data import ClassImages, DataSet
from datastill.encoders import FreshNetwork, PretrainedPool, Session, TrainingRecipe
from datastill.encoders import encoder as module
from datastill.engine import Engine
from datastill.functional import mean_spread

POOL = PretrainedPool("convnet", count=2, recipe=TrainingRecipe(epochs=1))


def by_hand(session: Session, data: DataSet, label: int) -> torch.Tensor:
    """Of all images of a class: there are fewer than the sample would have."""
    rows = torch.arange(data.train.counts[label]) + data.train.offsets[label]
    with torch.no_grad():
        embedding: torch.Tensor = session.network(data.normalise(data.train.gather(rows))).embedding
    return (embedding - embedding.mean(0)).square().sum(1).mean()


def test_it_is_the_mean_squared_distance_of_real_images_from_their_centre(tiny: DataSet) -> None:
    for encoder in (POOL, FreshNetwork()):
        session = encoder.open(tiny, Engine(), 0, ("embedding",))
        for iteration in range(3):
            session.begin(iteration)
            expected = torch.stack([by_hand(session, tiny, label) for label in range(3)])
            torch.testing.assert_close(session.spread(torch.arange(3)), expected, rtol=1e-4, atol=0)
            torch.testing.assert_close(session.spread(torch.tensor([2, 0])), expected[[2, 0]], rtol=1e-4, atol=0)


def test_networks_of_a_pool_are_measured_once_each(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def counted(embedding: torch.Tensor) -> torch.Tensor:
        measured.append(len(embedding))
        return mean_spread(embedding)

    monkeypatch.setattr(module, "mean_spread", counted)
    session = POOL.open(tiny, Engine(), 0, ("embedding",))
    for iteration in range(12):
        session.begin(iteration)
        session.spread(torch.tensor([iteration % 3]))
    assert len(measured) == 2 * 3


def test_a_sample_of_a_large_class_is_near_to_the_whole_and_the_same_in_every_run(tiny: DataSet) -> None:
    rows = torch.cat([torch.arange(12 * label, 12 * label + 12).repeat(20) for label in range(3)])
    large = replace(tiny, train=ClassImages(tiny.train.pixels, rows, (240,) * 3))
    found = []
    for seed in (0, 1):
        session = replace(POOL, count=1).open(large, Engine(), seed, ("embedding",))
        session.begin(0)
        found.append(session.spread(torch.arange(3)))
    assert torch.equal(found[0], found[1])
    torch.testing.assert_close(found[0], torch.stack([by_hand(session, large, label) for label in range(3)]), rtol=0.2, atol=0)


@pytest.mark.parametrize("count", [0, 1])
def test_a_class_without_two_images_has_none(tiny: DataSet, count: int) -> None:
    rows = torch.cat([torch.arange(12), torch.arange(12, 12 + count), torch.arange(24, 36)])
    session = FreshNetwork().open(replace(tiny, train=ClassImages(tiny.train.pixels, rows, (12, count, 12))), Engine(), 0, ("embedding",))
    session.begin(0)
    spread = session.spread(torch.arange(3))
    assert float(spread[1]) == 0
    assert float(spread[[0, 2]].min()) > 0


def test_a_class_of_one_image_over_and_over_has_none(tiny: DataSet) -> None:
    rows = torch.cat([torch.arange(12), torch.tensor([13] * 12), torch.arange(24, 36)])
    session = FreshNetwork().open(replace(tiny, train=ClassImages(tiny.train.pixels, rows, (12,) * 3)), Engine(), 0, ("embedding",))
    session.begin(0)
    spread = session.spread(torch.arange(3))
    assert float(spread[1]) == 0
    assert float(spread[[0, 2]].min()) > 1e-3
