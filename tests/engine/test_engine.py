from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine import Engine, Runner, Trainer, even_micro_batch, hardware, pieces
from datastill.engine.cost import feature_values, forward_cost, widest_map
from datastill.errors import UserError
from datastill.networks import FIELDS, Network, build

BIG = 1e18
COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))


def picture(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def made(name: str = "convnet", seed: int = 0) -> Network:
    network = build(name, channels=3, classes=5, size=(8, 8))
    network.reset(torch.Generator().manual_seed(seed))
    return network


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * max(1e-3, float(expected.detach().abs().max())))


@pytest.mark.parametrize("count", [1, 4, 5, 7, 12])
def test_micro_batches_give_the_features_and_gradients_of_one_batch(count: int) -> None:
    network = made()
    network.freeze(torch.float32)
    images, weight = picture(count).requires_grad_(), picture(count, seed=1)[:, 0, 0, :1]
    expected = network(images)
    (gradient,) = torch.autograd.grad((expected.embedding * weight).square().sum() + expected.map.square().sum(), images)
    runner = Runner(Engine(micro_batch=4), network, FIELDS)
    found = runner(images)
    for name in FIELDS[1:]:
        close(getattr(found, name), getattr(expected, name))
    assert len(found.blocks) == len(expected.blocks) == 2
    for ours, theirs in zip(found.blocks, expected.blocks, strict=True):
        close(ours, theirs)
    (ours,) = torch.autograd.grad((found.embedding * weight).square().sum() + found.map.square().sum(), images)
    close(ours, gradient)


def test_a_ragged_batch_after_a_full_one_keeps_the_size_of_micro_batches() -> None:
    network = made()
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    runner = Runner(Engine(micro_batch=64), network, ("logits",))
    images = picture(10)
    with torch.no_grad():
        whole, part = runner(images).logits, runner(images[:3]).logits
    assert sizes == [10, 10]  # the second one padded: nothing is compiled twice
    assert part.shape == (3, 5)
    close(part, whole[:3])


def test_only_the_fields_asked_for_are_there() -> None:
    found = Runner(Engine(), made(), ("embedding",))(picture(2))
    assert found.embedding.shape == (2, 512)
    assert found.map.numel() == found.logits.numel() == 0
    assert found.blocks == ()


def test_features_are_in_32_bits_whatever_the_precision() -> None:
    network = made()
    network.freeze(torch.bfloat16)
    found = Runner(Engine(precision=torch.bfloat16), network, FIELDS)(picture(2))
    assert {found.map.dtype, found.embedding.dtype, found.logits.dtype, *(block.dtype for block in found.blocks)} == {torch.float32}


def test_a_runner_follows_its_networks_weights() -> None:
    network = made(seed=0)
    runner = Runner(Engine(), network, ("logits",))
    first = runner(picture(2)).logits
    network.reset(torch.Generator().manual_seed(1))
    close(runner(picture(2)).logits, made(seed=1)(picture(2)).logits)
    assert not torch.allclose(runner(picture(2)).logits, first)


@pytest.mark.parametrize(("count", "limit"), [(1, 64), (64, 64), (65, 64), (100, 64), (2560, 64), (129, 64), (7, 1)])
def test_micro_batches_are_few_and_even(count: int, limit: int) -> None:
    size = even_micro_batch(count, limit)
    parts = [len(part) for part in pieces(torch.ones(count, 2), size)]
    assert set(parts) == {size}
    assert size <= limit
    assert len(parts) == min(number for number in range(1, count + 1) if number * limit >= count)
    assert sum(parts) - count < len(parts)  # not even one image more than needed in each
    padded = torch.cat(pieces(torch.ones(count, 2), size))
    assert padded[:count].eq(1).all()
    assert padded[count:].eq(0).all()


def sizes_seen(network: Network) -> list[int]:
    """Grows by the number of images for every batch that goes through."""
    sizes: list[int] = []
    network.register_forward_pre_hook(lambda module, arguments: sizes.append(len(arguments[0])))
    return sizes


def test_a_batchwise_network_sees_all_images_together_and_no_others() -> None:
    network = made("convnet-bn")
    network.freeze(torch.float32)
    sizes = sizes_seen(network)
    runner = Runner(Engine(micro_batch=4), network, FIELDS)
    for count in (5, 2, 7, 4):  # more than a micro-batch holds, fewer, more than the call before, and never filled up with zeros
        images = picture(count, seed=count).requires_grad_()
        expected = network(images)
        (gradient,) = torch.autograd.grad(expected.embedding.square().mean(0).sum(), images)
        sizes.clear()
        found = runner(images)
        assert sizes == [count]
        for name in FIELDS[1:]:
            close(getattr(found, name), getattr(expected, name))
        close(found.blocks[0], expected.blocks[0])
        close(torch.autograd.grad(found.embedding.square().mean(0).sum(), images)[0], gradient)


def test_in_evaluation_a_batchwise_network_may_be_cut() -> None:
    network = made("convnet-bn")
    network.freeze(torch.float32)
    sizes = sizes_seen(network)
    runner = Runner(Engine(micro_batch=4), network.eval(), ("embedding",))
    found = runner(picture(7)).embedding
    assert sizes == [4, 4]
    close(found, network(picture(7)).embedding)
    network.train()  # from then on the images are normalised by one another again
    close(runner(picture(7)).embedding, network(picture(7)).embedding)
    assert not torch.allclose(found, runner(picture(7)).embedding, rtol=1e-2)


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
        close(parameter.detach(), dict(theirs.named_parameters())[name].detach())
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


def test_counting_operations_leaves_a_network_as_it_is() -> None:
    network = made("convnet-bn")
    before = {name: value.clone() for name, value in network.weights().items()}
    assert widest_map(network) == widest_map(made())
    assert forward_cost(network) == forward_cost(made())
    assert feature_values(network, FIELDS) == feature_values(made(), FIELDS)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.weights().items())


def test_the_values_of_features_are_those_of_the_fields_that_are_asked_for() -> None:
    network = made()  # two blocks of 8x8 and 4x4 at a width of 128, the last map 2x2, five classes
    blocks, embedding = 128 * 8 * 8 + 128 * 4 * 4, 128 * 2 * 2
    assert feature_values(network, ("blocks",)) == blocks
    assert feature_values(network, ("embedding",)) == feature_values(network, ("map",)) == embedding
    assert feature_values(network, ("logits",)) == 5
    assert feature_values(network, FIELDS) == blocks + 2 * embedding + 5
    assert feature_values(network.eval(), ()) == 0
    assert not network.training


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


@pytest.mark.parametrize("device", ["warp", "cuda:99", "cpu:banana"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(UserError, match=f"the device '{device}' is not to be had here .*; try --device cpu"):
        Engine.choose(device=device)


@pytest.mark.parametrize("precision", ["fp16", "", "FP32"])
def test_an_unknown_precision_is_refused(precision: str) -> None:
    with pytest.raises(UserError, match=f"unknown precision '{precision}'; expected auto, fp32 or bf16"):
        Engine.choose(device="cpu", precision=precision)


def test_what_is_asked_for_is_chosen() -> None:
    engine = Engine.choose(device="cpu", precision="bf16", compile=False, cost=BIG)
    assert engine.describe() == {
        "device": "cpu", "precision": "bf16", "compiled": False, "micro_batch": None, "in_flight": engine.in_flight,
    }  # fmt: skip
    assert Engine.choose(device="cpu", precision="fp32", compile=True, cost=1).compiled


def test_a_small_job_is_neither_compiled_nor_rounded() -> None:
    engine = Engine.choose(device="cpu", cost=1e9)
    assert (engine.compiled, engine.precision) == (False, torch.float32)


def test_a_big_job_is_compiled_where_there_is_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++" if name == "g++" else None)
    assert Engine.choose(device="cpu", cost=BIG).compiled
    assert Engine.choose(device="cpu", precision="fp32", cost=BIG).precision == torch.float32


def test_without_a_compiler_one_line_warns_and_nothing_is_compiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with caplog.at_level(logging.WARNING):
        engine = Engine.choose(device="cpu", cost=BIG)
    assert (engine.compiled, engine.precision) == (False, torch.float32)
    assert len(caplog.records) == 1
    assert "no C++ compiler (g++, clang++) is found" in caplog.text
    assert "install one" in caplog.text
    caplog.clear()
    Engine.choose(device="cpu", cost=1)  # a small job would not have been compiled anyway
    assert not caplog.records


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
def test_a_compiler_that_does_not_work_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("Python.h: No such file\nand much more")

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setattr(hardware, "compile_trial", hardware.compile_trial.__wrapped__)
    with caplog.at_level(logging.WARNING):
        assert not Engine.choose(device="cpu", cost=BIG).compiled
    assert [record.getMessage() for record in caplog.records] == [
        "the C++ compiler does not work (Python.h: No such file): uncompiled it is several times slower"
    ]
    with pytest.raises(UserError, match="but the C\\+\\+ compiler does not work"):
        Engine.choose(device="cpu", compile=True)


def test_wider_maps_go_through_in_smaller_micro_batches() -> None:
    engine = Engine(precision=torch.bfloat16, in_flight=2**20)
    small, large = (build("convnet", channels=3, classes=5, size=(side, side)) for side in (32, 64))
    assert widest_map(small) == 128 * 32 * 32
    assert engine.images_at_a_time(small) == 8  # not fewer: 2**20 bytes would hold four
    roomy = replace(engine, in_flight=2**24)
    assert (roomy.images_at_a_time(small), roomy.images_at_a_time(large)) == (64, 16)
    assert replace(roomy, precision=torch.float32).images_at_a_time(small) == 32
    assert replace(roomy, micro_batch=5).images_at_a_time(small) == 5


def test_a_training_step_takes_twice_as_many_images_but_no_buffer_that_needs_fresh_pages() -> None:
    network = build("convnet", channels=3, classes=5, size=(32, 32))
    found = [
        Engine(precision=torch.bfloat16, in_flight=in_flight).images_at_a_time(network, training=True)
        for in_flight in (2**22, 2**23, hardware.MOST_IN_FLIGHT, hardware.IN_FLIGHT_ON_GPU)
    ]
    assert found == [32, 63, 63, 4096]
    assert 63 * widest_map(network) * 4 < 2**25 <= 64 * widest_map(network) * 4


def test_another_job_is_chosen_for_by_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    small = Engine.choose(device="cpu", precision="fp32", cost=1)
    assert small.suited(BIG) == replace(small, compiled=True)
    assert not Engine.choose(device="cpu", compile=False, cost=1).suited(BIG).compiled
    by_hand = Engine(precision=torch.bfloat16, micro_batch=16)
    assert by_hand.suited(BIG) == by_hand


def test_a_continued_run_keeps_what_it_chose_and_not_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    short, long = (Engine.choose(device="cpu", cost=cost) for cost in (1, BIG))
    assert short.describe() != long.describe()
    assert long.as_recorded(short.describe()) == short
    assert short.as_recorded(long.describe()) == long
    asked = Engine.choose(device="cpu", precision="bf16", compile=False)
    assert asked.as_recorded(long.describe()) == asked
    by_hand = Engine(micro_batch=16)
    assert by_hand.as_recorded(long.describe()) == by_hand
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not short.as_recorded(long.describe()).compiled  # and the run is refused, naming the difference


@pytest.mark.skipif(not COMPILER, reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
def test_compiled_half_precision_agrees_with_exact_computation() -> None:
    images, target = picture(6), torch.randn(512, generator=torch.Generator().manual_seed(2))
    found = {}
    engines = {
        "exact": Engine(),
        "half": Engine(precision=torch.bfloat16),
        "fast": Engine(precision=torch.bfloat16, compiled=True, micro_batch=3),
    }
    for name, engine in engines.items():
        network = engine.place(made())
        network.freeze(engine.precision)
        pixels = images.clone().requires_grad_()
        loss = (Runner(engine, network, ("embedding",))(pixels).embedding.mean(0) - target).square().sum()
        (gradient,) = torch.autograd.grad(loss, pixels)
        found[name] = loss.item(), gradient
    (exact_loss, exact), (_, half), (fast_loss, fast) = found["exact"], found["half"], found["fast"]
    assert fast_loss == pytest.approx(exact_loss, rel=0.004)  # a number in bf16 is right to 0.4%
    rounding, error = (float((gradient - exact).norm() / exact.norm()) for gradient in (half, fast))
    assert 1e-4 < error < 1.5 * rounding  # computed in bf16, and compiling adds nothing to its error
    assert float(torch.cosine_similarity(fast.flatten(), exact.flatten(), 0)) > 0.99
