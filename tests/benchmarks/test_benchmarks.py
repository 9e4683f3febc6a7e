from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.page import write_page
from PIL import Image

from benchmarks import bench, measure
from datastill.engine import Engine
from datastill.networks import build
from datastill.operations import forward_operations


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "choose", classmethod(lambda cls, **options: cls()))
    monkeypatch.setattr(measure, "PER_CLASS", 6)
    monkeypatch.setattr(measure, "peak", lambda: {"bf16": 400.0, "fp32": 200.0})


SMALL: dict[str, Any] = {"method": "dm+iid", "ipc": 2, "classes": 2, "side": 8, "real_batch": 4}
STEP = {**SMALL, "kind": "step", "rounds": 1, "reference": True}


def test_two_functions_are_timed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def ours() -> None:
        calls.append("ours")

    def reference() -> None:
        calls.append("reference")

    def clocked(function: Callable[[], object]) -> float:
        function()
        return 3.0 if function is reference else 0.5

    monkeypatch.setattr(measure, "seconds", clocked)
    found = measure.paired(ours, reference, rounds=2)
    assert (found["seconds"], found["reference"], found["ratio"]) == (0.5, 3.0, 6.0)
    assert calls == ["ours", "ours", "reference", *["ours", "ours", "reference"] * 2]
    assert measure.rates(2e9, found, {"bf16": 400.0, "fp32": 200.0}) == {"gflop": 2, "gflops": 4, "peak": 400, "peak_fp32": 200}


def test_a_step_is_measured_against_the_reference() -> None:
    found = measure.step(STEP)
    convnet, resnet = (forward_operations(build(name, channels=3, classes=2, size=(8, 8))) for name in ("convnet", "resnet18"))
    assert found["gflop"] * 1e9 == pytest.approx(2 * (4 + 2 * 2) * convnet + 2 * 2 * 2 * resnet)
    assert found["memory"] > 50
    assert "reference" not in measure.step({**STEP, "reference": False})


def test_the_parts_of_a_step_add_up_to_it() -> None:
    found = measure.parts({**SMALL, "kind": "parts", "rounds": 2})
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"])
    assert {"augmentation", "backward", "the term cm", "the rest"} <= set(found["parts"])
    assert found["parts"]["the rest"] < 0.5 * found["seconds"]


def test_training_is_measured_against_the_reference() -> None:
    case = {"kind": "train", "network": "convnet", "images": 4, "side": 8, "augmentation": "dsa", "rounds": 1}
    found = measure.train(case)
    assert found["ratio"] > 0
    assert found["gflop"] * 1e9 == pytest.approx(3 * 4 * forward_operations(build("convnet", channels=3, classes=10, size=(8, 8))))


def test_the_page_shows_every_measurement(tmp_path: Path) -> None:
    row: dict[str, Any] = {
        "seconds": 0.5,
        "reference": 2.0,
        "ratio": 4.0,
        "gflop": 100.0,
        "gflops": 200.0,
        "peak": 400.0,
        "memory": 900.0,
        "first": 9.0,
    }
    row["engine"] = {"precision": "bf16", "compiled": True}
    content = {
        "made_by": {"commit": "abc", "machine": {"processor": "some", "cores": 2, "torch": "2"}},
        "steps": [{**case, **row} for case in bench.STEPS],
        "training": [{**case, **row} for case in bench.TRAINING],
        "parts": [{**bench.PARTS[0], "seconds": 0.5, "parts": {"backward": 0.4, "the rest": 0.1}}],
        "scaling": [{**case, **row} for case in bench.SCALING],
    }
    (tmp_path / "measurements.json").write_text(json.dumps(content))
    write_page(tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert page.count("| 4.00 |") == len(bench.STEPS) + len(bench.TRAINING)
    assert page.count("| 50% |") == len(bench.STEPS) + len(bench.TRAINING)
    assert "| backward | 0.4000 | 80.0% |" in page
    assert page.count("| 9.0 |") == len(bench.SCALING)
    with Image.open(tmp_path / "bench.png") as picture:
        assert picture.width > 800
