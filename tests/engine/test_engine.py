from __future__ import annotations

import logging
import shutil
from dataclasses import replace

import pytest
import torch

from datastill.engine import Engine, Runner, hardware
from datastill.engine.convolution import fastest
from datastill.engine.cost import widest_map
from datastill.errors import UserError
from datastill.networks import build
from doubles import Compiler
from small_networks import made, picture

BIG = 1e18

COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))


@pytest.mark.parametrize("device", ["warp", "cuda:99", "cpu:banana"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(UserError, match=f"the device '{device}' is not available .*; try `device=cpu`"):
        Engine.choose(device=device)


@pytest.mark.parametrize("precision", ["fp16", "", "FP32"])
def test_an_unknown_precision_is_refused(precision: str) -> None:
    with pytest.raises(UserError, match=f"unknown precision '{precision}'.* Known: auto, fp32, bf16"):
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


def test_a_big_job_is_compiled_where_there_is_a_compiler(compiler: Compiler) -> None:
    assert Engine.choose(device="cpu", cost=BIG).compiled
    assert Engine.choose(device="cpu", precision="fp32", cost=BIG).precision == torch.float32


def test_without_a_compiler_one_line_warns_and_nothing_is_compiled(compiler: Compiler, caplog: pytest.LogCaptureFixture) -> None:
    compiler.remove()
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


def test_another_job_is_chosen_for_by_what_was_asked(compiler: Compiler) -> None:
    small = Engine.choose(device="cpu", precision="fp32", cost=1)
    assert small.suited(BIG) == replace(small, compiled=True, convolutions=fastest())
    assert not Engine.choose(device="cpu", compile=False, cost=1).suited(BIG).compiled
    by_hand = Engine(precision=torch.bfloat16, micro_batch=16)
    assert by_hand.suited(BIG) == by_hand


def test_a_continued_run_keeps_what_it_chose_and_not_what_was_asked(compiler: Compiler) -> None:
    short, long = (Engine.choose(device="cpu", cost=cost) for cost in (1, BIG))
    assert short.describe() != long.describe()
    assert long.as_recorded(short.describe()) == short
    assert short.as_recorded(long.describe()) == long
    asked = Engine.choose(device="cpu", precision="bf16", compile=False)
    assert asked.as_recorded(long.describe()) == asked
    by_hand = Engine(micro_batch=16)
    assert by_hand.as_recorded(long.describe()) == by_hand
    compiler.remove()
    assert not short.as_recorded(long.describe()).compiled  # and the run is refused, naming the difference


@pytest.mark.long
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
