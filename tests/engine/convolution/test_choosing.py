from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch

from datastill.data import cache_folder
from datastill.engine import Engine
from datastill.engine.convolution import DIRECT, WINOGRAD, choosing, fastest, native, use
from datastill.errors import UserError
from datastill.networks import Network, build
from datastill.networks.layers import Convolution
from small_networks import made, noise

COMPILER = any(shutil.which(name) for name in ("g++", "clang++", "c++"))
compiled = pytest.mark.skipif(not COMPILER, reason="no C++ compiler")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What measuring gives from now on, and how often it is measured is its length."""
    ratios = [2.0]
    monkeypatch.setattr(choosing, "_ratio", lambda: ratios[0])
    return ratios


def kept() -> list[Path]:
    return list((cache_folder() / "measured").glob("*"))


def test_what_is_faster_is_measured_once_and_kept(measured: list[float], cache: Path) -> None:
    assert fastest() == WINOGRAD
    measured[0] = 0.5
    assert fastest() == WINOGRAD
    [file] = kept()
    assert json.loads(file.read_text())["ratio"] == 2.0
    file.unlink()
    assert fastest() == DIRECT


@pytest.mark.parametrize("content", [b"", b"{}", b'{"convolutions": "magic"}', b"[1]"])
def test_a_damaged_measurement_is_made_again(content: bytes, measured: list[float], cache: Path) -> None:
    fastest()
    [file] = kept()
    file.write_bytes(content)
    assert fastest() == WINOGRAD


def test_kernels_that_do_not_work_are_not_used_and_that_is_not_kept(measured: list[float], cache: Path) -> None:
    measured[0] = 0.0
    assert fastest() == DIRECT
    assert not kept()


def test_an_unwritable_cache_is_no_obstacle(measured: list[float], cache: Path) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text("a file")
    assert fastest() == WINOGRAD


def test_a_run_keeps_the_way_that_it_began_with(measured: list[float], caplog: pytest.LogCaptureFixture) -> None:
    begun = Engine(compiled=True, convolutions=WINOGRAD)
    recorded = begun.describe()
    assert recorded["convolutions"] == WINOGRAD
    assert "convolutions" not in Engine(compiled=True).describe()  # as in what earlier versions wrote
    assert choosing.works()
    with pytest.raises(UserError, match="the run's configuration is damaged: convolutions cannot be 'magic', expected direct or winograd"):
        Engine.choose(device="cpu", precision="fp32", compile=True).as_recorded({**recorded, "convolutions": "magic"})
    measured[0] = 0.0
    with caplog.at_level(logging.WARNING):
        assert Engine.choose(device="cpu", precision="fp32", compile=True).as_recorded(recorded).convolutions == DIRECT
    assert "by kernels that do not compile here" in caplog.text


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


def test_where_nothing_compiles_torchs_own_are_used(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no such compiler\nat all")

    choosing._ratio.cache_clear()
    monkeypatch.setattr(native, "kernels", broken)
    with caplog.at_level(logging.INFO):
        assert choosing._ratio() == 0.0
    assert "since the faster ones do not compile (no such compiler)" in caplog.text
    choosing._ratio.cache_clear()
