from __future__ import annotations

from pathlib import Path

import pytest
import torch

from datastill.data import DataSet
from datastill.encoders import PretrainedPool, TrainingRecipe, pretrain
from datastill.encoders.pretrained import PoolSession
from datastill.engine import Engine
from datastill.files import checksum, load_tensors
from datastill.networks import build


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_pool_draws_a_network_by_iteration(tiny: DataSet) -> None:
    encoder = PretrainedPool("convnet", count=3, recipe=TrainingRecipe(epochs=1))
    straight, jumping, other = (encoder.open(tiny, Engine(), seed, ("embedding",)) for seed in (0, 0, 1))
    members = [load_tensors(member.path)[0] for member in pretrain(tiny, "convnet", 3, encoder.recipe, Engine())]

    def number(session: object, iteration: int) -> int:
        assert isinstance(session, PoolSession)
        session.begin(iteration)
        here = dict(session.network.named_parameters())
        (found,) = (index for index, member in enumerate(members) if all(torch.equal(here[name], member[name]) for name in here))
        return found

    drawn = [number(straight, iteration) for iteration in range(60)]
    assert set(drawn) == {0, 1, 2}
    assert all(10 < drawn.count(member) < 30 for member in range(3))
    assert [number(jumping, iteration) for iteration in (59, 3, 3, 17)] == [drawn[iteration] for iteration in (59, 3, 3, 17)]
    assert [number(other, iteration) for iteration in range(60)] != drawn
    assert straight.checksums() == {str(index): checksum(member) for index, member in enumerate(members)}


def test_the_networks_of_a_pool_are_frozen(tiny: DataSet) -> None:
    session = PretrainedPool("convnet", recipe=TrainingRecipe(epochs=1)).open(tiny, Engine(), 0, ("embedding",))
    session.begin(0)
    assert not any(parameter.requires_grad for parameter in session.network.parameters())


def test_the_accuracy_of_the_network_in_place_goes_with_its_features(tiny: DataSet) -> None:
    encoder = PretrainedPool("convnet", count=3, recipe=TrainingRecipe(epochs=2, learning_rate=0.01))
    reached = [member.accuracy / 100 for member in pretrain(tiny, "convnet", 3, encoder.recipe, Engine())]
    session = encoder.open(tiny, Engine(), 0, ("logits",))
    images, labels = torch.zeros(3, 1, 3, 8, 8), torch.arange(3)
    found = []
    for iteration in range(20):
        session.begin(iteration)
        found.append(session.synthetic(images, labels).accuracy)
        assert session.real(images, labels).accuracy == session.accuracy == found[-1]
    assert set(found) == set(reached)


def test_a_pool_with_batch_norm_goes_by_its_running_statistics(tiny: DataSet) -> None:
    encoder = PretrainedPool("convnet-bn", recipe=TrainingRecipe(epochs=2))
    session = encoder.open(tiny, Engine(), 0, ("embedding",))
    session.begin(0)
    network = build("convnet-bn", channels=3, classes=3, size=(8, 8)).eval()
    (member,) = pretrain(tiny, "convnet-bn", 1, encoder.recipe, Engine())
    network.take(load_tensors(member.path)[0])
    assert any(bool((entry != 0).any()) for name, entry in network.named_buffers() if name.endswith("running_mean"))
    images = torch.randn(3, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = torch.stack([network(image[None]).embedding[0] for image in images.flatten(0, 1)])
    for found in (session.real(images, torch.arange(3)), session.synthetic(images, torch.arange(3))):
        torch.testing.assert_close(found.embedding.flatten(0, 1), expected, rtol=1e-4, atol=1e-5)
