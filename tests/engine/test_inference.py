from __future__ import annotations

import pytest
import torch

from datastill.data import DataSet
from datastill.engine import Engine, Runner
from datastill.engine.inference import predictions, share_correct
from datastill.networks import Network, build

every = pytest.mark.parametrize("name", ["convnet", "convnet-bn"])


def seasoned(name: str) -> Network:
    """A network that has seen images in training, so that evaluation mode makes a difference where there is batch norm."""
    network = build(name, channels=3, classes=3, size=(8, 8))
    network.reset(torch.Generator().manual_seed(0))
    with torch.no_grad():
        network(3 * torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(1)) + 1)
    return network


@every
def test_images_are_classified_one_by_one_whatever_is_beside_them(tiny: DataSet, name: str) -> None:
    network = seasoned(name)
    before = {entry: value.clone() for entry, value in network.weights().items()}
    images = tiny.normalise(tiny.train.pixels)
    with torch.no_grad():
        expected = torch.stack([network.eval()(image[None]).logits[0].argmax() for image in images])
    network.train()
    runner = Runner(Engine(micro_batch=7), network, ("logits",))
    assert torch.equal(predictions(runner, tiny.train, tiny), expected)
    share = float((expected == tiny.train.labels).float().mean())
    assert share_correct(runner, images, tiny.train.labels) == pytest.approx(share)
    assert share_correct(runner, images, expected) == 1
    assert network.training
    assert all(torch.equal(value, before[entry]) for entry, value in network.weights().items())


def test_with_batch_norm_training_mode_would_see_other_things(tiny: DataSet) -> None:
    network, images = seasoned("convnet-bn"), tiny.normalise(tiny.train.pixels)
    network.freeze(torch.float32)
    trained, evaluated = network(images).logits, network.eval()(images).logits
    assert not torch.allclose(trained, evaluated, atol=0.01)
