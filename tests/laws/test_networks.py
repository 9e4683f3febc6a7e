"""The laws that every network of the zoo keeps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from datastill.errors import UserError
from datastill.networks import NETWORKS, Features, Network, Size, build, concatenate
from datastill.networks.layers import BatchNorm, Convolution, InstanceNorm

CASES: list[tuple[int, Size]] = [(1, (8, 8)), (1, (28, 28)), (3, (32, 32)), (3, (64, 64)), (3, (32, 48))]
every = pytest.mark.parametrize("name", NETWORKS)


def made(name: str, channels: int = 3, size: Size = (32, 32), *, classes: int = 10, seed: int = 0) -> Network:
    network = build(name, channels=channels, classes=classes, size=size)
    network.reset(torch.Generator().manual_seed(seed))
    return network.eval()


def batch(count: int, channels: int = 3, size: Size = (32, 32), seed: int = 0) -> Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(seed))


def last_map(name: str, size: Size) -> tuple[int, int, int]:
    """Channels, height and width of the last map as the papers' tables give them, for the sizes of `CASES`."""
    padded = (32, 32) if size == (28, 28) else size
    height, width = padded
    if name.startswith("convnet"):
        return {8: (128, 2, 2), 32: (128, 4, 4 * width // height), 64: (128, 4, 4)}[height]
    if name == "alexnet":
        return {8: (192, 2, 2), 32: (192, 4, 4 * width // height), 64: (192, 8, 8)}[height]
    if name == "vgg11":
        return {8: (512, 1, 1), 32: (512, 1, 1), 64: (512, 2, 2)}[height]
    return {8: (512, 2, 2), 32: (512, 4, 4 * width // height), 64: (512, 8, 8)}[height]


@every
@pytest.mark.parametrize(("channels", "size"), CASES)
def test_fields_have_the_shapes_of_the_zoo_and_are_alive(name: str, channels: int, size: Size) -> None:
    with torch.no_grad():
        features = made(name, channels, size)(batch(4, channels, size))
    depth, height, width = last_map(name, size)
    assert features.map.shape == (4, depth, height, width)
    assert features.embedding.shape == (4, 512 if name == "resnet18" else depth * height * width)
    assert features.logits.shape == (4, 10)
    convnet = {8: 2, 64: 4}.get(size[0], 3)
    assert len(features.blocks) == {"convnet": convnet, "convnet-bn": convnet, "alexnet": 5, "vgg11": 8, "resnet18": 4}[name]
    for tensor in (*features.blocks, features.map, features.embedding, features.logits):
        assert bool(tensor.isfinite().all())
        assert bool((tensor.var(0).flatten() > 0).any())
    assert all(bool((block >= 0).all()) for block in features.blocks)
    assert float((features.embedding.var(0) > 0).float().mean()) > 0.1


@every
def test_weights_are_a_function_of_the_generator(name: str) -> None:
    one, two, three = made(name, seed=5), made(name, seed=5), made(name, seed=6)
    assert set(one.weights()) == set(one.state_dict())
    for key, first in one.weights().items():
        assert torch.equal(first, two.weights()[key]), key
    assert not torch.equal(next(one.parameters()), next(three.parameters()))
    with torch.no_grad():
        one.train()(batch(4))  # what it saw in training is forgotten
    one.reset(torch.Generator().manual_seed(6))
    assert all(torch.equal(first, three.weights()[key]) for key, first in one.weights().items())


@every
def test_a_network_takes_over_all_that_another_one_is(name: str) -> None:
    one, other = made(name, seed=5), made(name, seed=6)
    with torch.no_grad():
        one.train()(batch(4) + 1)
    other.take({**one.weights(), "something else": torch.zeros(1)})
    with torch.no_grad():
        assert torch.equal(other.eval()(batch(2)).logits, one.eval()(batch(2)).logits)


@every
def test_weights_are_uniform_within_the_fan_in(name: str) -> None:
    for module in made(name).modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            bound = (module.weight.numel() / len(module.weight)) ** -0.5
            assert float(module.weight.detach().abs().max()) <= bound
            assert float(module.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.05)
        elif isinstance(module, InstanceNorm | BatchNorm):
            assert bool((module.weight == 1).all())
            assert bool((module.bias == 0).all())


@pytest.mark.parametrize(
    ("name", "count"),
    [
        # 3 (3x3 convolutions) + 3 norms + a linear layer: 3584 + 2 x 147584 + 3 x 256 + 20490
        ("convnet", 320_010),
        ("convnet-bn", 320_010),
        # 128x3x5x5+128 + 192x128x5x5+192 + 256x192x9+256 + 192x256x9+192 + 192x192x9+192 + (192x4x4)x10+10
        ("alexnet", 1_872_202),
        # torchvision's vgg11_bn features, 9,225,984, and a linear layer of 512x10+10
        ("vgg11", 9_231_114),
        # the widely published count of ResNet18 for CIFAR-10
        ("resnet18", 11_173_962),
    ],
)
def test_parameters_at_32x32_with_ten_classes(name: str, count: int) -> None:
    assert sum(parameter.numel() for parameter in made(name).parameters()) == count


@every
def test_the_zoo_is_the_plain_torch_network(name: str) -> None:
    """Against the layers written out with torch's own modules, instance norm as a group norm with one channel a group."""
    network = made(name)
    images = batch(2)
    with torch.no_grad():
        torch.testing.assert_close(network(images).logits, reference(name, network).eval()(images), atol=1e-4, rtol=1e-4)


def reference(name: str, network: Network) -> nn.Module:
    layers: list[nn.Module]
    if name == "resnet18":
        return ReferenceResNet(network)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in network.modules() if isinstance(module, InstanceNorm | BatchNorm)]
    pooled = {"convnet": (0, 1, 2), "convnet-bn": (0, 1, 2), "alexnet": (0, 1, 4), "vgg11": (0, 1, 3, 5, 7)}[name]
    layers = []
    for index, convolution in enumerate(convolutions):
        layers.append(plain(convolution))
        if norms:
            layers.append(plain_norm(norms[index]))
        layers.append(nn.ReLU())
        if index in pooled:
            layers.append(nn.AvgPool2d(2) if name.startswith("convnet") else nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), linear(network))


def plain(module: nn.Conv2d) -> nn.Conv2d:
    kernel = module.kernel_size[0]
    copy = nn.Conv2d(
        module.in_channels, module.out_channels, kernel, stride=module.stride[0], padding=kernel // 2, bias=module.bias is not None
    )
    copy.load_state_dict(module.state_dict())
    return copy


def group_norm(norm: InstanceNorm) -> nn.GroupNorm:
    copy = nn.GroupNorm(len(norm.weight), len(norm.weight))
    copy.load_state_dict(norm.state_dict())
    return copy


def plain_norm(norm: InstanceNorm | BatchNorm) -> nn.Module:
    if isinstance(norm, InstanceNorm):
        return group_norm(norm)
    copy = nn.BatchNorm2d(len(norm.weight), eps=norm.epsilon, momentum=norm.momentum)
    given = {"weight": norm.weight, "bias": norm.bias, "running_mean": norm.running_mean, "running_var": norm.running_variance}
    copy.load_state_dict(given, strict=False)
    return copy


def linear(network: Network) -> nn.Linear:
    found = next(module for module in network.modules() if isinstance(module, nn.Linear))
    copy = nn.Linear(found.in_features, found.out_features)
    copy.load_state_dict(found.state_dict())
    return copy


class ReferenceResNet(nn.Module):
    """ResNet18 by the order in which its layers are listed: stem, then per block two convolutions and perhaps a shortcut."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(plain(module) for module in network.modules() if isinstance(module, nn.Conv2d))
        self.norms = nn.ModuleList(group_norm(module) for module in network.modules() if isinstance(module, InstanceNorm))
        self.classifier = linear(network)

    def forward(self, images: Tensor) -> Tensor:
        steps = iter(zip(self.convolutions, self.norms, strict=True))

        def step(map: Tensor) -> Tensor:
            convolution, norm = next(steps)
            result: Tensor = norm(convolution(map))
            return result

        map = step(images).relu()
        for block in range(8):
            inner = step(step(map).relu())
            map = (inner + (step(map) if block in (2, 4, 6) else map)).relu()
        logits: Tensor = self.classifier(map.mean((2, 3)))
        return logits


@every
@pytest.mark.parametrize("channels", [1, 3])
def test_28x28_is_padded_to_32x32_with_zeros(name: str, channels: int) -> None:
    network = made(name, channels, (28, 28))
    images = batch(2, channels, (28, 28))
    padded = torch.zeros(2, channels, 32, 32)
    padded[:, :, 2:30, 2:30] = images
    with torch.no_grad():
        assert torch.equal(network(images).logits, network(padded).logits)


@every
def test_images_do_not_see_each_other(name: str) -> None:
    network, images = made(name), batch(4)
    with torch.no_grad():
        together, alone = network(images).embedding, network(images[2:3]).embedding
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=1e-4)


@every
def test_batchwise_says_whether_images_see_each_other_in_training(name: str) -> None:
    network, images = made(name).train(), batch(4)
    with torch.no_grad():
        together, alone = network(images).embedding, network(images[2:3]).embedding
    assert torch.allclose(together[2:3], alone, atol=1e-5, rtol=1e-4) != network.batchwise


@every
def test_pixels_get_gradients_through_a_frozen_network(name: str) -> None:
    network = made(name)
    network.freeze(torch.float32)
    images = batch(2).requires_grad_()
    network(images).embedding.square().sum().backward()
    assert images.grad is not None
    assert bool((images.grad.flatten(1).abs().sum(1) > 0).all())
    assert all(parameter.grad is None for parameter in network.parameters())


@every
def test_freezing_in_bfloat16_keeps_the_features_near_and_the_logits_in_32_bits(name: str) -> None:
    network, images = made(name), batch(2)
    with torch.no_grad():
        exact = network(images)
        network.freeze(torch.bfloat16)
        rough = network(images.bfloat16())
    assert all(module.weight.dtype == torch.bfloat16 for module in network.modules() if isinstance(module, Convolution))
    assert all(module.weight.dtype == torch.float32 for module in network.modules() if isinstance(module, InstanceNorm | BatchNorm))
    assert rough.logits.dtype == torch.float32
    error = (rough.embedding.float() - exact.embedding).norm() / exact.embedding.norm()
    assert 0 < float(error) < 0.05


@every
@pytest.mark.parametrize(("channels", "classes", "size"), [(2, 10, (32, 32)), (3, 0, (32, 32)), (3, 10, (3, 32)), (3, 10, (32, 2))])
def test_what_no_network_takes_is_refused(name: str, channels: int, classes: int, size: Size) -> None:
    with pytest.raises(UserError, match=f"a {name} takes 1 or 3 channels.*{channels} channels, {classes} classes and {size[0]}x{size[1]}"):
        build(name, channels=channels, classes=classes, size=size)


@every
@pytest.mark.parametrize("size", [(4, 4), (5, 7), (12, 40), (33, 33)])
def test_odd_sizes_work(name: str, size: Size) -> None:
    with torch.no_grad():
        features = made(name, 1, size, classes=2)(batch(2, 1, size))
    assert bool(features.embedding.isfinite().all())
    assert float(features.embedding.var(0).sum()) > 0


@every
def test_resizable_says_whether_half_the_side_fits(name: str) -> None:
    network = made(name)
    if network.resizable:
        with torch.no_grad():
            assert network(batch(2, 3, (16, 16))).logits.shape == (2, 10)
    else:
        with pytest.raises((RuntimeError, ValueError), match=r"shapes cannot be multiplied|spatial element"):
            network(batch(2, 3, (16, 16)))


@pytest.mark.parametrize(
    ("given", "meant"), [("ConvNet", "convnet"), ("resnet", "resnet18"), ("ResNet-18", "resnet18"), ("vgg-11", "vgg11")]
)
def test_a_misspelt_network_gets_a_suggestion(given: str, meant: str) -> None:
    with pytest.raises(UserError, match=f"unknown network '{given}'. Did you mean '{meant}'"):
        build(given, channels=3, classes=10, size=(32, 32))


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
            torch.testing.assert_close(*gradients, atol=1e-4 * float(gradients[1].abs().max()), rtol=1e-3)
            torch.testing.assert_close(running(network), running(plain_one), atol=1e-5, rtol=1e-4)


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


def features(count: int, seed: int = 0) -> Features:
    with torch.no_grad():
        result: Features = made("convnet", 1, (8, 8))(batch(count, 1, (8, 8), seed))
    return result


def test_features_stack_keep_and_join() -> None:
    whole = features(6)
    stacked = whole.stack(torch.tensor([4, 0, 2]), accuracy=0.25)
    assert stacked.labels.tolist() == [4, 0, 2]
    assert stacked.accuracy == stacked.only(("map",)).accuracy == stacked.float().accuracy == 0.25
    assert torch.equal(stacked.only(("map",)).labels, stacked.labels)
    assert whole.labels.numel() == whole.accuracy == 0
    assert stacked.embedding.shape == (3, 2, 512)
    assert torch.equal(stacked.embedding[1, 0], whole.embedding[2])
    assert stacked.blocks[0].shape == (3, 2, 128, 8, 8)
    kept = whole.only(("map", "blocks"))
    assert kept.embedding.numel() == kept.logits.numel() == 0
    assert torch.equal(kept.map, whole.map)
    assert len(kept.blocks) == 2
    assert whole.only(("logits",)).blocks == ()
    joined = concatenate([features(6), features(2, 1)]).only(("embedding",))
    assert joined.embedding.shape == (8, 512)
    assert joined.stack(torch.arange(4)).map.numel() == 0
    assert torch.equal(joined.embedding[6:], features(2, 1).embedding)
