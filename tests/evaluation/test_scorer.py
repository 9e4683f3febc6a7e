from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.evaluation import Protocol, Scorer
from datastill.evaluation.evaluate import evaluate, random_subset
from datastill.networks import NETWORKS, build
from quick_evaluation import QUICK, quick
from tiny_sets import data_set, distilled_set


def test_confusion_counts_every_test_image_of_every_network_by_its_class(data: DataSet) -> None:
    score = quick(distilled_set(), data, repeats=3).score
    assert score.confusion.sum(1).tolist() == [3 * 18, 3 * 15, 3 * 12]
    assert len(score.accuracies) == 3
    assert score.mean == pytest.approx(100 * int(score.confusion.diag().sum()) / (3 * 45))


def test_the_same_seed_gives_the_same_numbers_and_each_network_has_its_own(data: DataSet) -> None:
    content = distilled_set()
    first, again = (quick(content, data, repeats=3, compare=("random",)).describe() for _ in range(2))
    assert first == again
    assert quick(content, data, repeats=2).score.accuracies == tuple(first["accuracies"][:2])
    matrices = {str(quick(content, data, seed=seed).score.confusion.tolist()) for seed in range(4)}
    assert len(matrices) > 1
    scorer = Scorer(data, data.test, QUICK, Engine())
    alone = [scorer.score(content.images, content.labels, [(0, number)]).accuracies[0] for number in (2, 0)]
    assert alone == [first["accuracies"][2], first["accuracies"][0]]


def train_by_hand(images: Tensor, labels: Tensor, path: tuple[int, int], *, epochs: int, batch: int, restart: bool = True) -> list[Tensor]:
    """The DC protocol without augmentation, written out; only the draws are the package's."""
    seed = random.derive(0, "evaluation", *path)
    network = build("convnet", channels=3, classes=3, size=(8, 6))
    network.reset(random.generator(seed, "weights"))
    weights = list(network.parameters())
    rate, velocity = 0.01, [torch.zeros_like(weight) for weight in weights]
    for epoch in range(epochs):
        if epoch == epochs // 2:
            rate = 0.001
            if restart:
                velocity = [torch.zeros_like(weight) for weight in weights]
        order = torch.randperm(len(images), generator=random.generator(seed, epoch, "order")).tolist()
        for start in range(0, len(images), batch):
            rows = order[start : start + batch]
            gradients = torch.autograd.grad(F.cross_entropy(network(images[rows]).logits, labels[rows]), weights)
            with torch.no_grad():
                for weight, speed, gradient in zip(weights, velocity, gradients, strict=True):
                    speed.mul_(0.9).add_(gradient + 5e-4 * weight)
                    weight.sub_(rate * speed)
    return [weight.detach() for weight in weights]


@pytest.mark.parametrize("epochs", [4, 5])
def test_training_is_the_protocol_written_out(data: DataSet, epochs: int) -> None:
    content = distilled_set(ipc=3)
    protocol = Protocol(epochs=epochs, augment=False, batch=4)  # the last batch of an epoch has one image
    scorer = Scorer(data, data.test, protocol, Engine())
    assert scorer.steps(len(content)) == 3 * epochs
    scorer.score(content.images, content.labels, [(3, 1)])  # what an earlier network leaves behind must not matter
    scorer.score(content.images, content.labels, [(3, 0)])
    trained = [weight.detach() for weight in scorer.network.parameters()]
    expected = train_by_hand(content.images, content.labels, (3, 0), epochs=epochs, batch=4)
    torch.testing.assert_close(trained, expected, rtol=1e-4, atol=1e-6)
    without_restart = train_by_hand(content.images, content.labels, (3, 0), epochs=epochs, batch=4, restart=False)
    assert not all(torch.allclose(one, other, rtol=1e-4, atol=1e-6) for one, other in zip(trained, without_restart, strict=True))


def test_the_protocol_of_the_papers() -> None:
    protocol = Protocol()
    assert (protocol.network, protocol.passes, protocol.learning_rate, protocol.momentum) == ("convnet", 1000, 0.01, 0.9)
    assert (protocol.weight_decay, protocol.batch, protocol.augment) == (5e-4, 256, True)
    assert Protocol(augment=False).passes == 300
    assert Protocol(augment=False, epochs=7).passes == 7


def test_augmentation_changes_the_training_and_never_the_test(data: DataSet) -> None:
    content = distilled_set()
    weights = []
    for augment in (True, False):
        scorer = Scorer(data, data.test, Protocol(epochs=2, augment=augment), Engine())
        scorer.score(content.images, content.labels, [(0, 0)])
        weights.append(next(scorer.network.parameters()).detach().clone())
    assert not torch.allclose(weights[0], weights[1])
    assert Scorer(replace(data, flip=False), data.test, QUICK, Engine()).augmentation.families == (
        "colour", "crop", "cutout", "scale", "rotate",
    )  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_is_trained_and_tested(data: DataSet, network: str) -> None:
    result = evaluate(distilled_set(ipc=1), data=data, compare=(), repeats=1, protocol=Protocol(network, epochs=1), engine=Engine())
    assert result.protocol.network == network
    assert result.describe()["protocol"]["network"] == network
    assert int(result.score.confusion.sum()) == 45
    assert 0 <= result.score.mean <= 100


def test_a_network_learns_what_can_be_told_apart() -> None:
    data = data_set((20, 20, 20))
    for split in (data.train, data.validation, data.test):
        split.storage.div_(4, rounding_mode="floor").add_((split.labels * 90)[:, None, None, None].to(torch.uint8))
    images, labels = random_subset(data, torch.arange(3).repeat_interleave(5), seed=0)
    content = DistilledSet(images, labels, distilled_set().origin)
    result = evaluate(content, data=data, compare=(), repeats=1, protocol=Protocol(epochs=30, augment=False), engine=Engine())
    assert result.score.mean > 90
    wrong = replace(content, labels=labels.roll(5))
    assert evaluate(wrong, data=data, compare=(), repeats=1, protocol=Protocol(epochs=30, augment=False), engine=Engine()).score.mean < 10
