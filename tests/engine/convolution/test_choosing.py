from __future__ import annotations

import json
import logging
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from datastill.data import cache_folder
from datastill.engine import Engine, hardware
from datastill.engine.convolution import DIRECT, FUSED, WINOGRAD, bf16_is_faster, choosing, fastest, native, use
from datastill.engine.measuring import threads
from datastill.engine.policy import PRECISIONS
from datastill.errors import UserError
from datastill.networks import Network, build
from datastill.networks.layers import Convolution, InstanceNorm
from small_networks import made, noise

COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))
compiled = pytest.mark.skipif(not COMPILER, reason="no C++ compiler")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What measuring gives from now on: how many times faster convolutions are by the kernels, and in bf16, and norms in bf16."""
    ratios = [2.0, 0.0, 1.5]
    for place, name in enumerate(("_ratio", "_bf16_ratio", "_fused_ratio")):
        monkeypatch.setattr(choosing, name, lambda place=place: ratios[place])
    return ratios


def kept() -> list[Path]:
    return list((cache_folder() / "measured").glob("*"))


def test_what_is_faster_is_measured_once_and_kept(measured: list[float], cache: Path) -> None:
    assert fastest() == WINOGRAD
    measured[0] = 0.5
    assert fastest() == WINOGRAD
    [file] = kept()
    assert json.loads(file.read_text())["ratio"] == 2.0
    assert json.loads(file.read_text())["bf16"] == 0.0
    file.unlink()
    assert fastest() == DIRECT


@pytest.mark.parametrize(
    ("ratio", "bf16", "precision"), [(2.0, 0.5, "fp32"), (2.0, 1.9, "fp32"), (2.0, 2.1, "bf16"), (0.0, 0.9, "fp32"), (0.0, 1.1, "bf16")]
)
def test_bf16_is_taken_where_nothing_in_32_bits_is_as_fast(
    ratio: float, bf16: float, precision: str, measured: list[float], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured[:2] = ratio, bf16
    monkeypatch.setattr(hardware, "bf16_supported", lambda device: True)
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: "")
    assert bf16_is_faster() == (precision == "bf16")
    assert Engine.choose(device="cpu", compile=True).describe()["precision"] == precision
    assert Engine.choose(device="cpu", compile=False).describe()["precision"] == "fp32"
    assert Engine.choose(device="cpu", precision="bf16", compile=False).describe()["precision"] == "bf16"  # as asked for, however slow


def test_of_several_that_begin_at_once_one_measures(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that share a run must not differ in precision, as they may where ratios are close."""
    ratios = iter(range(1, 100))

    def slowly() -> float:
        time.sleep(0.05)
        return float(next(ratios))

    monkeypatch.setattr(choosing, "_ratio", slowly)
    monkeypatch.setattr(choosing, "_bf16_ratio", lambda: float(next(ratios)))
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(lambda number: choosing._found(), range(4)))
    assert set(found) == {choosing._Speeds(1.0, 2.0)}


def test_what_bf16_gains_is_kept_where_the_kernels_do_not_work(measured: list[float], cache: Path) -> None:
    measured[:2] = 0.0, 1.1
    assert bf16_is_faster()
    measured[:2] = 0.0, 0.9
    assert bf16_is_faster()
    measured[0] = 2.0  # a compiler was installed
    assert not bf16_is_faster()
    assert choosing._found() == choosing._Speeds(2.0, 1.1)


@compiled
def test_it_is_measured_where_gradients_are_off_too() -> None:
    choosing._times_faster.cache_clear()
    with torch.no_grad():
        assert choosing._ratio() > 0
        assert choosing._bf16_ratio() >= 0


@compiled
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's tracer only looks, and hides the warning by itself
def test_the_kernel_for_norms_is_measured_compiled() -> None:
    choosing._times_faster.cache_clear()
    assert choosing._fused_ratio() > 0


def test_what_was_measured_is_of_as_many_threads(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    choosing._times_faster.cache_clear()
    monkeypatch.setattr(choosing, "works", lambda convolutions: True)
    monkeypatch.setattr(choosing, "_faster", lambda *ways: float(torch.get_num_threads()))
    monkeypatch.setattr(hardware, "bf16_supported", lambda device: True)
    found = {}
    for count in (1, 3):
        with threads(count):
            found[count] = choosing.speed_up()
    choosing._times_faster.cache_clear()
    assert found == {1: 1.0, 3: 3.0}


def test_bf16_is_not_measured_where_the_hardware_lacks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "bf16_supported", lambda device: False)
    monkeypatch.setattr(choosing, "_faster", lambda *ways: pytest.fail("it was measured"))
    assert choosing._bf16_ratio() == 0.0


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"ratio": 0.5}', b'{"ratio": 0.5, "bf16": "magic"}', b'{"ratio": 0.5, "bf16": NaN}', b"[1]"]
)
def test_a_damaged_measurement_is_made_again(content: bytes, measured: list[float], cache: Path) -> None:
    fastest()
    [file] = kept()
    file.write_bytes(content)
    assert fastest() == WINOGRAD


def test_kernels_that_do_not_work_are_not_used_and_tried_again(measured: list[float], cache: Path) -> None:
    measured[0] = 0.0
    assert fastest() == DIRECT
    measured[0] = 2.0
    assert fastest() == WINOGRAD


def test_an_unwritable_cache_is_no_obstacle(measured: list[float], cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file")
    assert fastest() == WINOGRAD


def test_a_run_keeps_the_way_that_it_began_with(measured: list[float], caplog: pytest.LogCaptureFixture) -> None:
    begun = Engine(compiled=True, convolutions=WINOGRAD)
    recorded = begun.describe()
    assert recorded["convolutions"] == WINOGRAD
    assert "convolutions" not in Engine(compiled=True).describe()  # as in what earlier versions wrote
    with pytest.raises(
        UserError, match="the run's configuration is damaged: convolutions cannot be 'magic', expected direct, winograd or fused"
    ):
        Engine.choose(device="cpu", precision="fp32", compile=True).as_recorded({**recorded, "convolutions": "magic"})


@pytest.mark.parametrize(("way", "precision"), [(WINOGRAD, "fp32"), (FUSED, "bf16")])
def test_a_run_goes_on_where_its_kernels_do_not_work(
    way: str, precision: str, measured: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: "")
    recorded = Engine(precision=PRECISIONS[precision], compiled=True, convolutions=way).describe()
    monkeypatch.setattr(choosing, "works", lambda convolutions: convolutions == DIRECT)
    monkeypatch.setattr("datastill.engine.engine.works", lambda convolutions: convolutions == DIRECT)
    with caplog.at_level(logging.WARNING):
        resumed = Engine.choose(device="cpu", precision=precision, compile=True).as_recorded(recorded)
    assert "by kernels that do not work here" in caplog.text
    assert resumed.describe() == {**recorded, "in_flight": resumed.in_flight}  # so the folder of the run takes it
    network = resumed.place(build("convnet", channels=3, classes=2, size=(16, 16)))
    assert not any(ways(network))
    assert not any(layer.pooled for layer in network.modules() if isinstance(layer, InstanceNorm))


def test_norms_in_bf16_go_by_the_kernel_where_it_is_faster(measured: list[float], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "why_no_compiler", lambda device: "")
    chosen = Engine.choose(device="cpu", precision="bf16", compile=True)
    assert chosen.describe()["convolutions"] == FUSED
    assert Engine.choose(device="cpu", precision="bf16", compile=False).convolutions == DIRECT
    assert Engine.choose(device="cpu", precision="fp32", compile=True).convolutions == WINOGRAD
    assert chosen.as_recorded({"precision": "bf16", "compiled": True}).convolutions == DIRECT  # a run of an earlier version
    measured[2] = 0.9
    assert fastest(torch.bfloat16) == FUSED  # as it was found
    [file] = (cache_folder() / "measured").glob("norms-*")
    file.unlink()
    assert fastest(torch.bfloat16) == DIRECT


def ways(network: Network) -> list[bool]:
    return [layer.other is not None for layer in network.modules() if isinstance(layer, Convolution)]


@compiled
def test_layers_are_chosen_by_their_shape() -> None:
    network = build("resnet18", channels=3, classes=10, size=(32, 32))
    use(network, WINOGRAD)
    chosen = {tuple(layer.weight.shape) for layer in network.modules() if isinstance(layer, Convolution) and layer.other is not None}
    assert chosen == {(64, 3, 3, 3), (64, 64, 3, 3), (128, 128, 3, 3), (256, 256, 3, 3)}  # stride 1, 3x3, weights that a cache holds
    use(network, DIRECT)
    assert not any(ways(network))
    narrow = build("convnet", channels=3, classes=5, size=(8, 8))
    use(narrow, WINOGRAD)
    assert all(ways(narrow))


@compiled
@pytest.mark.parametrize("maps", [noise(2, 128, 3, 8), noise(2, 128, 8, 8).bfloat16(), noise(2, 128, 8, 8).double()])
def test_maps_that_do_not_suit_go_the_direct_way_to_the_bit(maps: torch.Tensor) -> None:
    network = made()
    layer = [layer for layer in network.modules() if isinstance(layer, Convolution)][1].to(maps.dtype)
    direct = layer(maps)
    use(network, WINOGRAD)
    assert layer.other is not None
    assert torch.equal(layer(maps), direct)


@pytest.mark.parametrize("way", [WINOGRAD, FUSED])
def test_where_nothing_compiles_torchs_own_are_used(way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such compiler\nat all")

    choosing.works.cache_clear()
    monkeypatch.setattr(native, "kernels", broken)
    with caplog.at_level(logging.INFO):
        assert not choosing.works(way)
    assert "do not compile, so these layers are torch's own (no such compiler)" in caplog.text
    assert choosing.works(DIRECT)
    choosing.works.cache_clear()


@compiled
@pytest.mark.parametrize("way", [WINOGRAD, FUSED])
def test_kernels_that_give_something_else_are_not_used(way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    name = {WINOGRAD: "_winograd", FUSED: "_fused"}[way]
    right = getattr(choosing, name)
    monkeypatch.setattr(choosing, name, lambda *tensors: right(*tensors) * 1.1)
    choosing.works.cache_clear()
    assert not choosing.works(way)
    assert "are wrong on this processor" in caplog.text
    choosing.works.cache_clear()


@compiled
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # as above
def test_norms_of_a_whole_network_in_bf16_are_fused_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    network = build("convnet", channels=3, classes=4, size=(8, 8))
    images = noise(6, 3, 8, 8).bfloat16().to(memory_format=torch.channels_last)
    use(network, FUSED)
    calls, normalised = list[torch.dtype](), native.normalised

    def counted(maps: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor]:
        calls.append(maps.dtype)
        return normalised(maps, *others)

    monkeypatch.setattr(native, "normalised", counted)
    expected = network(images).embedding.float()
    assert not calls  # which has second gradients, as whatever is not compiled must
    found = torch.compile(lambda images: network(images).embedding.float(), dynamic=False, fullgraph=True)(images)
    assert calls == [torch.bfloat16] * sum(isinstance(layer, InstanceNorm) for layer in network.modules())
    assert not any(ways(network))
    assert (found - expected).norm() < 2e-2 * expected.norm()
