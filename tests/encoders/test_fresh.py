from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.encoders import FreshNetwork, Session
from datastill.engine import Engine

LABELS = torch.arange(3)


def opened(data: DataSet, seed: int = 0, fields: tuple[str, ...] = ("embedding", "map")) -> Session:
    return FreshNetwork("convnet").open(data, Engine(), seed, fields)


def weights(session: Session) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in session.network.parameters()])


def test_weights_are_a_function_of_seed_and_iteration(tiny: DataSet) -> None:
    straight, jumping, other = opened(tiny), opened(tiny), opened(tiny, seed=1)
    found = []
    for iteration in range(4):
        straight.begin(iteration)
        found.append(weights(straight).clone())
    for iteration in (3, 0, 2, 2):
        jumping.begin(iteration)
        assert torch.equal(weights(jumping), found[iteration])
    other.begin(3)
    assert not torch.equal(weights(other), found[3])
    for first in range(4):
        for second in range(first):
            assert not torch.equal(found[first], found[second])


def test_weights_are_drawn_as_pytorch_draws_them(tiny: DataSet) -> None:
    session = opened(tiny)
    session.begin(0)
    second = dict(session.network.named_parameters())["convolutions.1.weight"]
    bound = (128 * 9) ** -0.5  # U(-1/sqrt(fan_in), 1/sqrt(fan_in))
    assert 0.999 * bound < float(second.abs().max()) <= bound
    assert float(second.std()) == pytest.approx(bound / 3**0.5, rel=0.01)


def test_features_are_the_networks_own_stacked_by_class(tiny: DataSet) -> None:
    session = opened(tiny)
    session.begin(5)
    images = torch.randn(3, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([2, 0, 1])
    found = session.real(images, labels)
    assert torch.equal(found.labels, labels)
    assert found.accuracy == 0
    assert found.embedding.shape == (3, 4, 512)
    assert found.map.shape == (3, 4, 128, 2, 2)
    assert found.logits.numel() == 0
    for label in range(3):
        for image in range(4):
            expected = session.network(images[label, image][None])
            torch.testing.assert_close(found.embedding[label, image], expected.embedding[0], rtol=1e-4, atol=1e-5)


def test_gradients_reach_synthetic_images_and_no_weights(tiny: DataSet) -> None:
    session = opened(tiny)
    session.begin(0)
    images = torch.randn(3, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert not session.real(images, LABELS).embedding.requires_grad
    (gradient,) = torch.autograd.grad(session.synthetic(images, LABELS).embedding.square().sum(), images)
    assert (gradient.flatten(2).abs().sum(2) > 0).all()
    assert not any(parameter.requires_grad for parameter in session.network.parameters())


def test_there_is_nothing_to_check_of_weights_drawn_from_the_seed(tiny: DataSet) -> None:
    assert opened(tiny).checksums() == {}
