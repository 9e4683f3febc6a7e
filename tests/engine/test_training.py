from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine import Engine, Trainer
from datastill.engine.convolution import WINOGRAD
from datastill.networks import Network
from small_networks import close, made, picture


def sizes_seen(network: Network) -> list[int]:
    """Grows by the number of images for every batch that goes through."""
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    return sizes


def plain_sgd(
    network: Network, batches: Sequence[tuple[Tensor, Tensor]], rates: Sequence[float], **options: float
) -> list[tuple[float, int]]:
    """Textbook SGD: velocity = momentum velocity + gradient + decay weight; weight -= rate velocity."""
    velocity = [torch.zeros_like(parameter) for parameter in network.parameters()]
    figures = []
    for (images, labels), rate in zip(batches, rates, strict=True):
        logits = network(images).logits
        loss = F.cross_entropy(logits, labels)
        gradients = torch.autograd.grad(loss, list(network.parameters()))
        figures.append((loss.item(), int((logits.argmax(1) == labels).sum())))
        with torch.no_grad():
            for index, (parameter, gradient) in enumerate(zip(network.parameters(), gradients, strict=True)):
                change = gradient + options["weight_decay"] * parameter
                velocity[index] = options["momentum"] * velocity[index] + change
                step = change + options["momentum"] * velocity[index] if options["nesterov"] else velocity[index]
                parameter.sub_(rate * step)
    return figures


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("micro_batch", [64, 4])
def test_training_in_micro_batches_is_plain_sgd(micro_batch: int, nesterov: bool) -> None:
    batches = [(picture(count, seed), torch.arange(count) % 5) for seed, count in enumerate((10, 10, 7))]
    rates = [0.05, 0.05, 0.01]
    ours, theirs = made(), made()
    trainer = Trainer(Engine(micro_batch=micro_batch), ours, learning_rate=0.05, momentum=0.8, weight_decay=0.01, nesterov=nesterov)
    expected = plain_sgd(theirs, batches, rates, momentum=0.8, weight_decay=0.01, nesterov=nesterov)
    before = made()
    for (images, labels), rate, (loss, hits) in zip(batches, rates, expected, strict=True):
        trainer.set_learning_rate(rate)
        found = trainer.step(images, labels)
        assert found[0] == pytest.approx(loss, rel=1e-4)
        assert found[1] == hits
    for name, parameter in ours.named_parameters():
        reached = dict(theirs.named_parameters())[name].detach()
        # As a whole: batches of other sizes are rounded otherwise, and what is next to zero may pass the rectifier in one of them.
        assert float((parameter.detach() - reached).norm()) < 1e-3 * max(0.1, float(reached.norm()))
        assert not torch.equal(parameter, dict(before.named_parameters())[name])


def test_a_step_reads_its_figures_from_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(name: str) -> Callable[[Tensor], float]:
        function: Callable[[Tensor], float] = getattr(Tensor, name)

        def call(tensor: Tensor) -> float:
            read.append(name)
            return function(tensor)

        return call

    trainer = Trainer(Engine(micro_batch=2), made(), learning_rate=0.05)
    for name in ("__float__", "__int__", "item"):
        monkeypatch.setattr(Tensor, name, counted(name))
    trainer.step(picture(8), torch.arange(8) % 5)
    assert read == ["__float__", "__int__"]


def test_training_with_batch_norm_is_plain_sgd_on_whole_batches() -> None:
    ours, theirs = made("convnet-bn"), made("convnet-bn")
    sizes = sizes_seen(ours)
    trainer = Trainer(Engine(micro_batch=4), ours, learning_rate=0.05, momentum=0.8, weight_decay=0.01)
    batches = [(picture(count, seed), torch.arange(count) % 5) for seed, count in enumerate((10, 10, 7))]
    sizes.clear()
    found = [trainer.step(*batch) for batch in batches]
    expected = plain_sgd(theirs, batches, [0.05] * 3, momentum=0.8, weight_decay=0.01, nesterov=False)
    assert sizes == [10, 10, 7]
    assert [loss for loss, _ in found] == pytest.approx([loss for loss, _ in expected], rel=1e-3)
    for name, value in ours.weights().items():
        torch.testing.assert_close(value, theirs.weights()[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["convnet", "convnet-bn"])
@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_a_trainer_goes_on_from_its_state_to_the_same_bits(name: str, momentum: float) -> None:
    engine = Engine()
    straight, other = (Trainer(engine, engine.place(made(name, seed)), learning_rate=0.05, momentum=momentum) for seed in (0, 1))
    straight.step(picture(8, seed=1), torch.arange(8) % 5)
    other.step(picture(8, seed=2), torch.arange(8) % 5)
    state = straight.state()
    momenta = {f"momentum.{entry}" for entry, _ in straight.network.named_parameters()} if momentum else set()
    assert set(state) == {*straight.network.weights(), *momenta}
    straight.step(picture(8, seed=3), torch.arange(8) % 5)
    other.restore({entry: value.contiguous() for entry, value in state.items()})  # the layout that files keep
    assert all(torch.equal(value, state[entry]) for entry, value in other.state().items())
    other.step(picture(8, seed=3), torch.arange(8) % 5)
    assert set(other.state()) == set(straight.state())
    assert all(torch.equal(value, straight.state()[entry]) for entry, value in other.state().items())


def test_a_state_without_momenta_starts_the_momentum_afresh() -> None:
    ours, theirs = made(), made(seed=1)
    trainer = Trainer(Engine(), ours, learning_rate=0.05)
    trainer.step(picture(8), torch.arange(8) % 5)
    trainer.restore(theirs.weights())
    trainer.step(picture(8, seed=1), torch.arange(8) % 5)
    Trainer(Engine(), theirs, learning_rate=0.05).step(picture(8, seed=1), torch.arange(8) % 5)
    assert all(torch.equal(value, theirs.weights()[name]) for name, value in ours.weights().items())


def test_the_momentum_starts_afresh_when_told_to() -> None:
    images, labels = picture(8), torch.arange(8) % 5
    ours, theirs = made(), made()
    trainer = Trainer(Engine(), ours, learning_rate=0.05)
    trainer.step(images, labels)
    theirs.load_state_dict(ours.state_dict())
    trainer.set_learning_rate(0.005, restart_momentum=True)
    trainer.step(images, labels)
    Trainer(Engine(), theirs, learning_rate=0.005).step(images, labels)
    for ours_, theirs_ in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(ours_, theirs_)


def test_training_in_half_precision_keeps_weights_in_32_bits() -> None:
    network = made()
    Trainer(Engine(precision=torch.bfloat16), network, learning_rate=0.01).step(picture(4), torch.arange(4))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["probabilities", "weights", "logits", "scores"])
def test_micro_batches_of_soft_labels_are_plain_sgd(kind: str) -> None:
    labels = torch.rand(7, 5, generator=torch.Generator().manual_seed(1))
    labels = labels / labels.sum(1, keepdim=True) if kind == "probabilities" else labels
    ours, theirs = made(), made()
    trainer = Trainer(Engine(micro_batch=4), ours, learning_rate=0.05, momentum=0.0, weight_decay=0.0)
    found, hits = trainer.step(picture(7), labels, kind)
    logits = theirs(picture(7)).logits
    expected = {
        "probabilities": F.cross_entropy(logits, labels),
        "weights": -(labels * logits.log_softmax(1)).sum(1).mean(),
        "logits": F.cross_entropy(logits, labels.softmax(1)),
        "scores": 5 * F.mse_loss(logits, labels) / 2,
    }[kind]
    assert found == pytest.approx(expected.item(), rel=1e-4)
    assert hits == int((logits.argmax(1) == labels.argmax(1)).sum())
    gradients = torch.autograd.grad(expected, list(theirs.parameters()))
    for moved, parameter, gradient in zip(ours.parameters(), theirs.parameters(), gradients, strict=True):
        close(moved.detach(), parameter.detach() - 0.05 * gradient)


def test_one_hot_soft_labels_train_to_nearly_the_same_network() -> None:
    labels = torch.arange(10) % 5
    ours, theirs = made(), made()
    soft, hard = (Trainer(Engine(micro_batch=4), network, learning_rate=0.05) for network in (ours, theirs))
    for seed in range(5):
        assert soft.step(picture(10, seed), F.one_hot(labels, 5).float(), "probabilities")[0] == pytest.approx(
            hard.step(picture(10, seed), labels)[0], rel=1e-4
        )
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(one.detach(), other.detach())


@pytest.mark.skipif(not any(shutil.which(name) for name in ("g++", "clang++", "c++")), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
@pytest.mark.parametrize("kind", ["hard", "scores"])
def test_compiled_training_is_the_plain_one(kind: str) -> None:
    """With kernels of our own for convolutions, norm and pool, and for hard and soft labels."""
    labels = torch.arange(8) % 5 if kind == "hard" else torch.rand(8, 5, generator=torch.Generator().manual_seed(1))
    found = []
    for engine in (Engine(micro_batch=4), Engine(micro_batch=4, compiled=True, convolutions=WINOGRAD)):
        network = engine.place(made())
        trainer = Trainer(engine, network, learning_rate=0.05)
        losses = [trainer.step(picture(8), labels, kind)[0] for _ in range(2)]
        found.append([torch.tensor(losses), *(entry.detach() for entry in network.parameters())])
    for fast, plain in zip(*reversed(found), strict=True):
        assert float((fast - plain).norm()) < 1e-3 * max(0.1, float(plain.norm()))


@pytest.mark.parametrize("micro_batch", [64, 4])
def test_it_says_which_images_were_classified_correctly_before_the_step(micro_batch: int) -> None:
    network, images, labels = made(), picture(10), torch.arange(10) % 5
    trainer = Trainer(Engine(micro_batch=micro_batch), network, learning_rate=0.5)
    for _ in range(3):
        expected = network(images).logits.argmax(1) == labels
        _, hits = trainer.step(images, labels)
        assert torch.equal(trainer.correct, expected)
        assert hits == int(expected.sum())
    assert trainer.correct.any()


@pytest.mark.parametrize("micro_batch", [64, 4])
@pytest.mark.parametrize("gap", [0.0, 0.3])
def test_sharpness_aware_training_is_that_of_a_plain_loop(gap: float, micro_batch: int) -> None:
    batches, rate, radius = [(picture(10, seed), torch.arange(10) % 5) for seed in range(3)], 0.05, 0.1
    ours, theirs, plain = made(), made(), made()
    options = {"learning_rate": rate, "momentum": 0.0, "weight_decay": 0.0}
    trainer = Trainer(Engine(micro_batch=micro_batch), ours, **options, sharpness=radius, gap=gap)  # type: ignore[arg-type]
    without = Trainer(Engine(), plain, **options)  # type: ignore[arg-type]
    for images, labels in batches:
        weights = list(theirs.parameters())
        before = [weight.detach().clone() for weight in weights]
        logits = theirs(images).logits
        here = torch.autograd.grad(F.cross_entropy(logits, labels), weights)
        length = torch.cat([slope.flatten() for slope in here]).norm()
        with torch.no_grad():
            for weight, slope in zip(weights, here, strict=True):
                weight.add_(radius * slope / length)
        there = torch.autograd.grad(F.cross_entropy(theirs(images).logits, labels), weights)
        one, other = (torch.cat([slope.flatten() for slope in slopes]) for slopes in (here, there))
        across = one - (one @ other) / (other @ other) * other
        assert abs(float(across @ other)) < 1e-5 * float(one.norm() * other.norm())
        taken = torch.split(other - gap * across, [weight.numel() for weight in weights])
        with torch.no_grad():
            for weight, value, step in zip(weights, before, taken, strict=True):
                weight.copy_(value - rate * step.reshape(weight.shape))
        loss, hits = trainer.step(images, labels)
        assert loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)
        assert hits == int((logits.argmax(1) == labels).sum())
        without.step(images, labels)
    for name, parameter in ours.named_parameters():
        close(parameter.detach(), dict(theirs.named_parameters())[name].detach())
    assert not torch.allclose(ours.weights()["classifier.weight"], plain.weights()["classifier.weight"], rtol=1e-4, atol=1e-6)
