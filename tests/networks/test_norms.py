from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from datastill.networks import Network
from datastill.networks.layers import BatchNorm, InstanceNorm
from plain_networks import batch, made, reference


def perturbed_norm(channels: int) -> InstanceNorm:
    norm = InstanceNorm(channels)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(1))
        norm.bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(2))
    return norm


@pytest.mark.parametrize("compiling", [False, True])
def test_instance_norm_is_group_norm_with_one_channel_a_group(compiling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    norm = perturbed_norm(6)
    input = (3 * batch(4, 3, (5, 7)) + 2).repeat(1, 2, 1, 1).requires_grad_()
    expected = nn.functional.group_norm(input, 6, norm.weight, norm.bias, norm.epsilon)
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(3))
    (gradient,) = torch.autograd.grad((expected * weight).sum(), input)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: compiling)
    found = norm(input)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.autograd.grad((found * weight).sum(), input)[0], gradient, atol=1e-5, rtol=1e-4)


def test_the_compiled_formula_is_the_eager_one(monkeypatch: pytest.MonkeyPatch) -> None:
    norm = perturbed_norm(3)
    input = batch(8, 3, (9, 9))
    eager = norm(input), norm(input.bfloat16())
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    monkeypatch.setattr(nn.functional, "instance_norm", lambda *arguments, **options: pytest.fail("not the formula"))
    torch.testing.assert_close(norm(input), eager[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm(input.bfloat16()), eager[1], atol=0.02, rtol=0.01)
    assert norm(input.bfloat16()).dtype == torch.bfloat16


def perturbed_batch_norm(name: str = "convnet-bn") -> Network:
    """A network whose scales, shifts and running statistics are not those it began with."""
    network = made(name)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, BatchNorm):
            for entry, low, high in ((module.weight, 0.5, 2), (module.bias, -1, 1), (module.running_mean, -1, 1)):
                entry.data.uniform_(low, high, generator=generator)
            module.running_variance.uniform_(0.5, 2, generator=generator)
    return network


def running(network: nn.Module) -> list[Tensor]:
    return [entry for name, entry in network.named_buffers() if "running" in name]


def test_batch_norm_is_torchs_own_in_training_and_afterwards() -> None:
    network = perturbed_batch_norm()
    plain_one = reference("convnet-bn", network)
    for mode, rounds in ((True, 3), (False, 1)):
        network.train(mode), plain_one.train(mode)
        for seed in range(rounds):
            ours, theirs = (2 * batch(5, seed=seed) + 1).requires_grad_(), (2 * batch(5, seed=seed) + 1).requires_grad_()
            found, expected = network(ours).logits, plain_one(theirs)
            torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
            gradients = [torch.autograd.grad(logits.square().sum(), images)[0] for logits, images in ((found, ours), (expected, theirs))]
            # As a whole and loosely: what is next to zero may pass the rectifier in one of the two. The layer alone is compared below.
            assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 1e-2
            torch.testing.assert_close(running(network), running(plain_one), atol=1e-5, rtol=1e-4)


def test_the_gradients_of_batch_norm_are_torchs_own() -> None:
    ours, theirs = BatchNorm(4), nn.BatchNorm2d(4)
    found: list[Tensor] = []
    expected: list[Tensor] = []
    for layer, gradients in ((ours, found), (theirs, expected)):
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(0.5, 2, 4)), layer.bias.copy_(torch.linspace(-1, 1, 4))
        images = (2 * batch(5)[:, :1].repeat(1, 4, 1, 1) + 1).requires_grad_()
        gradients += torch.autograd.grad((layer(images) ** 3).sum(), (images, layer.weight, layer.bias))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max()))


@pytest.mark.parametrize("training", [False, True])
def test_only_training_of_weights_keeps_running_statistics(training: bool) -> None:
    network = perturbed_batch_norm().train(training)
    before = [entry.clone() for entry in running(network)]
    network.freeze(torch.float32)
    network(batch(4))
    assert all(torch.equal(entry, other) for entry, other in zip(running(network), before, strict=True))
    network.requires_grad_(True)(batch(4))
    assert all(torch.equal(entry, other) != training for entry, other in zip(running(network), before, strict=True))


def test_batch_norm_of_one_value_a_channel_is_finite() -> None:
    norm = BatchNorm(3)
    assert bool(norm(batch(1, 3, (1, 1))).isfinite().all())
    assert bool(norm.running_variance.isfinite().all())
