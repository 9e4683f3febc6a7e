from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks.page import write_page
from benchmarks.reference import ReferenceFeatures
from benchmarks.reference_constraints import ReferenceConstraints
from PIL import Image

from benchmarks import bench, kinds, measure, targets
from datastill import provenance
from datastill.augment import DSA
from datastill.data import ClassImages
from datastill.encoders.fresh import FreshSession
from datastill.engine import Engine, Runner
from datastill.engine.cost import forward_cost
from datastill.kinds.canvas import PixelSGD
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import method
from datastill.networks import build
from datastill.terms import CovarianceMatching, MeanMatching


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "choose", classmethod(lambda cls, **options: cls()))
    monkeypatch.setattr(measure, "PER_CLASS", 6)
    monkeypatch.setattr(measure, "peak", lambda engine: 400.0)


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
    assert measure.rates(2e9, found, 400.0) == {"gflop": 2, "gflops": 4, "peak": 400}


PEAK = measure.peak


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_the_peak_is_that_of_the_precision_which_the_engine_uses(precision: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    multiplied: set[torch.dtype] = set()

    def product(one: torch.Tensor, other: torch.Tensor) -> None:
        multiplied.update((one.dtype, other.dtype))

    monkeypatch.setattr(torch, "matmul", product)
    monkeypatch.setattr(measure, "seconds", lambda function: (function(), 2.0)[1])
    assert PEAK(Engine(precision=precision)) == pytest.approx(2048**3 / 1e9)
    assert multiplied == {precision}


def test_the_share_of_the_peak_names_its_precision() -> None:
    row = {"seconds": 0.5, "gflops": 50.0, "peak": 200.0, "engine": {"precision": "fp32"}}
    line = bench.described({**bench.STEPS[0], **row})
    assert line == "dm ipc 1: 0.500 s, 50 GFLOP/s, 25% of the fp32 matrix peak"


def test_a_step_is_measured_against_the_reference() -> None:
    found = measure.step(STEP)
    convnet, resnet = (forward_cost(build(name, channels=3, classes=2, size=(8, 8))) for name in ("convnet", "resnet18"))
    assert found["gflop"] * 1e9 == pytest.approx(2 * (4 + 2 * 2) * convnet + 2 * 2 * 2 * resnet)
    assert found["memory"] > 50
    assert "reference" not in measure.step({**STEP, "reference": False})


class Clock:
    """A clock that goes on by what functions are said to take, and by nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.patch = 0.0, monkeypatch
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def takes(self, owner: Any, attribute: str, seconds: float) -> None:
        function = getattr(owner, attribute)

        def call(*arguments: Any, **options: Any) -> Any:
            self.now += seconds
            return function(*arguments, **options)

        self.patch.setattr(owner, attribute, call)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(monkeypatch)
    clock.takes(DSA, "__call__", 1)  # for real images inside what draws them
    clock.takes(ClassImages, "gather", 2)
    clock.takes(torch.autograd, "backward", 4)
    clock.takes(torch.autograd, "grad", 128)
    clock.takes(FreshSession, "begin", 8)
    clock.takes(CovarianceMatching, "__call__", 16)
    clock.takes(MatchingStepper, "_expanded", 32)
    clock.takes(PixelSGD, "before", 64)  # of no part
    return clock


def test_a_part_inside_another_one_is_counted_once(clock: Clock) -> None:
    found = measure.parts({**SMALL, "kind": "parts", "rounds": 2})
    assert {name: seconds for name, seconds in found["parts"].items() if seconds} == {
        "drawing, gathering, normalising": 2,
        "augmentation": 2 * 1,
        "backward": 4 + 2 * 128,  # of the pixels, and of the features of two networks
        "new weights": 8,
        "the term cm": 16,
        "enlarging parts": 32,
        "the rest": 64,
    }
    assert {"the term mm", "the term cc", "step of the pixels", "synthetic images through the resnet18 (pretrained)"} <= set(found["parts"])
    assert found["seconds"] == 2 + 2 + 4 + 2 * 128 + 8 + 16 + 32 + 64
    assert sum(found["parts"].values()) == found["seconds"]


@pytest.mark.long
def test_the_training_of_networks_is_counted_as_a_whole(clock: Clock) -> None:
    found = measure.parts({**SMALL, "method": "idm+cm", "preset": "fast", "kind": "parts", "rounds": 1})
    parts = {name: seconds for name, seconds in found["parts"].items() if seconds}
    # two networks, two steps each: a gather and a backward pass a step
    assert parts.pop("training of networks (matching)") == 2 * 2 * (2 + 4)
    assert parts == {
        "drawing, gathering, normalising": 2,
        "augmentation": 2,
        "backward": 4 + 2 * 128,  # the constraint is bounded, so its gradient is taken apart from that of the method
        "the term cm": 16,
        "enlarging parts": 32,
        "the rest": 64,
    }


def test_what_is_timed_is_put_back_as_it_was() -> None:
    before = DSA.__call__, torch.autograd.backward, torch.autograd.grad, MeanMatching.__call__
    found = measure.parts({**SMALL, "method": "dm", "kind": "parts", "rounds": 1})
    assert (DSA.__call__, torch.autograd.backward, torch.autograd.grad, MeanMatching.__call__) == before
    assert sum(found["parts"].values()) == pytest.approx(found["seconds"])
    assert 0 <= found["parts"]["the rest"] < 0.5 * found["seconds"]  # the greatest part has a name


def test_training_is_measured_against_the_reference() -> None:
    case = {"kind": "train", "network": "convnet", "images": 4, "side": 8, "augmentation": "dsa", "rounds": 1}
    found = measure.train(case)
    assert found["ratio"] > 0
    assert found["gflop"] * 1e9 == pytest.approx(3 * 4 * forward_cost(build("convnet", channels=3, classes=10, size=(8, 8))))


def test_features_are_measured_against_the_reference() -> None:
    found = measure.features({"kind": "features", "network": "resnet18", "images": 6, "side": 8, "rounds": 1})
    assert found["ratio"] > 0
    assert found["gflop"] * 1e9 == pytest.approx(6 * forward_cost(build("resnet18", channels=3, classes=10, size=(8, 8))))


@pytest.mark.parametrize(
    ("name", "few"), [("dsa", "real_batch=4"), ("mtt", "inner=2"), ("dd", "target_batch=4"), ("kip", "target_batch=4")]
)
def test_a_step_of_another_kind_is_measured_against_its_loop(name: str, few: str) -> None:
    case = {"kind": "other", "method": name, "ipc": 1, "classes": 2, "side": 8, "settings": [few], "warm": 1, "rounds": 1, "times": 1}
    found = kinds.step(case)
    assert min(found["ratio"], found["gflop"]) > 0
    assert found["reference_memory"] >= found["memory"] > 50


@pytest.mark.parametrize(("name", "few"), [("dsa+iid", "real_batch=4"), ("mtt+iid", "inner=2")])
def test_a_step_with_constraints_is_measured_against_its_loop(name: str, few: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure.DrawnOnce, "network", "convnet")
    taught, added = list[int](), ReferenceConstraints.added

    def counted(*given: Any) -> torch.Tensor:
        taught.append(given[-1])
        return added(*given)

    monkeypatch.setattr(ReferenceConstraints, "added", counted)
    case = {"kind": "other", "method": name, "ipc": 2, "classes": 2, "side": 8, "preset": "paper", "settings": [few], "warm": 1}
    found = kinds.step({**case, "rounds": 1, "times": 1})
    assert set(taught) == {0, 1}
    assert min(found["ratio"], found["gflop"]) > 0


def test_cases_that_an_earlier_run_did_not_have_are_added_in_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measured", lambda case: {**case, "seconds": 0.25})
    monkeypatch.setattr(bench, "write_page", lambda folder: None)
    there = [{**case, "seconds": 0.5} for number, case in enumerate(bench.OTHERS) if number not in (2, 5)]
    others = {name: [{**case, "seconds": 0.5} for case in cases] for name, cases in bench.GROUPS.items()}
    content = {"made_by": {"machine": provenance.machine()}, **others, "others": there}
    (tmp_path / "measurements.json").write_text(json.dumps(content))
    bench.missing(tmp_path)
    found = json.loads((tmp_path / "measurements.json").read_text())
    assert [bench.named(case) for case in found["others"]] == [bench.named(case) for case in bench.OTHERS]
    assert [number for number, case in enumerate(found["others"]) if case.get("commit") == provenance.commit()] == [2, 5]
    assert found["steps"] == content["steps"]


def test_what_has_no_plain_loop_is_not_measured() -> None:
    with pytest.raises(TypeError, match="no plain loop for random of selection"):
        kinds.opened(method("random"), measure.noise(2, 8), Engine(), 1)


def test_the_reference_computes_the_features_of_the_network() -> None:
    network, generator = build("resnet18", channels=3, classes=10, size=(8, 8)), torch.Generator().manual_seed(0)
    network.reset(generator)
    images = torch.randn(300, 3, 8, 8, generator=generator)
    with torch.no_grad():
        expected = Runner(Engine(), network, ("embedding",))(images).embedding
    torch.testing.assert_close(ReferenceFeatures(network)(images), expected, rtol=1e-3, atol=1e-4)


def test_a_case_says_how_often_it_is_timed_and_how_many_images_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    step = MatchingStepper.step

    def counted(stepper: MatchingStepper, iteration: int) -> dict[str, float]:
        steps.append(iteration)
        return step(stepper, iteration)

    monkeypatch.setattr(MatchingStepper, "step", counted)
    found = measure.step({**STEP, "reference": False, "per_class": 5, "warm": 1, "rounds": 1, "times": 1})
    assert steps == [0, 1]
    assert found["images_memory"] == 2 * 5 * 3 * 8 * 8 / 2**20


def test_what_terms_keep_of_the_stand_in_for_a_pretrained_network_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    uses: list[str] = []
    real = measure.DrawnOnceSession.real

    def counted(session: measure.DrawnOnceSession, images: torch.Tensor, labels: torch.Tensor, use: str = "batch") -> Any:
        uses.append(use)
        return real(session, images, labels, use)

    monkeypatch.setattr(measure.DrawnOnceSession, "real", counted)
    measure.step({**STEP, "preset": "fast", "real_batch": 4, "reference": False, "warm": 1, "rounds": 2})
    assert uses == ["sample"] * STEP["classes"]


def test_cases_are_measured_again_on_the_same_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "measured", lambda case: {**case, "seconds": 0.25})
    monkeypatch.setattr(bench, "write_page", lambda folder: None)
    with pytest.raises(SystemExit, match="nothing is measured"):
        bench.again("dm", tmp_path)
    machine = provenance.machine()
    content = {"made_by": {"machine": machine}, "steps": [{**case, "seconds": 0.5} for case in bench.STEPS]}
    (tmp_path / "measurements.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit, match=r"no case of .* begins with 'dmm'"):
        bench.again("dmm", tmp_path)
    bench.again("dm+iid ipc 10 preset fast", tmp_path)
    found = json.loads((tmp_path / "measurements.json").read_text())["steps"]
    assert [(row["method"], row.get("preset")) for row in found if row["seconds"] == 0.25] == [("dm+iid", "fast")]
    assert [row.get("commit") for row in found if "commit" in row] == [provenance.commit()]
    assert "dm+iid ipc 10 preset fast: 0.250 s" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no case"):
        bench.again("dm", tmp_path, "others")
    content["made_by"] = {"machine": {**machine, "processor": "another"}}
    (tmp_path / "measurements.json").write_text(json.dumps(content))
    with pytest.raises(SystemExit, match="was measured with another machine or software \\(processor another there, "):
        bench.again("dm", tmp_path)


def test_every_case_has_a_line_on_the_terminal() -> None:
    figures = {"seconds": 0.5, "memory": 900.0}
    lines = [bench.described({**case, **figures}) for cases in bench.GROUPS.values() for case in cases]
    assert "dm+iid ipc 10 classes 200 side 64: 0.500 s, 900 MiB" in lines
    assert "training convnet images 100: 0.500 s, 900 MiB" in lines
    assert "features of resnet18 images 1024: 0.500 s, 900 MiB" in lines
    assert "mtt ipc 1, through=no: 0.500 s, 900 MiB" in lines


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
    row["images_memory"] = 77.0
    row["engine"] = {"precision": "bf16", "compiled": True}
    alone = {name: value for name, value in row.items() if name not in ("reference", "ratio")}
    content = {
        "made_by": {"commit": "abc", "machine": {"processor": "some", "cores": 2, "torch": "2"}},
        "steps": [{**case, **(row if case.get("reference") else alone)} for case in bench.STEPS],
        "training": [{**case, **row} for case in bench.TRAINING],
        "features": [{**case, **row} for case in bench.FEATURES],
        "others": [{**case, **row, "reference_memory": 4321.0} for case in bench.OTHERS],
        "parts": [{**bench.PARTS[0], "seconds": 0.5, "parts": {"backward": 0.4, "the rest": 0.1}, "commit": "later"}],
        "scaling": [{**case, **row} for case in bench.SCALING],
    }
    (tmp_path / "measurements.json").write_text(json.dumps(content))
    write_page(tmp_path)
    page = (tmp_path / "README.md").read_text()
    shown = len(bench.STEPS) + len(bench.TRAINING) + len(bench.FEATURES)
    assert page.count("| 900 | 4321 |") == len(bench.OTHERS)
    assert "| `mtt`, IPC 1, through=no | bf16, compiled | 0.500 | 2.000 | 4.00 | 100 | 900 | 4321 |" in page
    assert page.count("| 4.00 |") - len(bench.OTHERS) == shown - len([case for case in bench.STEPS if not case.get("reference")])
    assert page.count("| 50% |") == shown
    assert "| `idm+iid`, IPC 10, preset fast | bf16, compiled | 0.500 |  |  |" in page
    assert "| features of 1024 images, resnet18 | bf16, compiled | 0.500 |" in page
    assert "| backward | 0.4000 | 80.0% |" in page
    assert "Measured later on this machine, at commit later: the parts of `dm+iid`, IPC 10." in page
    assert page.count("| 900 | 77 | 9.0 |") == len(bench.SCALING)
    assert "| IPC 10, 200 classes, 64x64 (one step timed) | 0.500 |" in page
    assert page.count("one step timed") == 1
    with Image.open(tmp_path / "bench.png") as picture:
        assert picture.width > 800


def test_fresh_and_kept_targets_are_timed_in_turn_and_the_files_weighed(cache: Path) -> None:
    found = targets.compared("dm+cm", measure.noise(2, 8), ipc=2, targets=2, images=3, rounds=1)
    assert min(found["fresh_seconds"], found["kept_seconds"], found["computing_seconds"]) > 0
    # of two classes: the mean embedding, the mean map and its covariance
    assert found["bytes"] == pytest.approx(4 * 2 * (512 + 512 + 128**2), rel=0.05)
    assert not list((cache / "targets").iterdir())


def test_the_page_of_targets_is_written_beside_its_measurements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = (
        "--data",
        "digits[0-1]",
        "--ipc",
        "2",
        "--targets",
        "1",
        "--images",
        "3",
        "--rounds",
        "1",
        "--out",
        str(tmp_path / "a" / "b"),
    )
    monkeypatch.setattr(sys, "argv", ["targets", "dm", *options])
    monkeypatch.setenv("DATASTILL_CACHE", os.environ["DATASTILL_CACHE"])
    targets.main()
    page = (tmp_path / "a" / "b" / "README.md").read_text()
    (row,) = json.loads((tmp_path / "a" / "b" / "measurements.json").read_text())["rows"]
    assert f"| `dm` | 2 | {row['fresh_seconds']:.3f} | {row['kept_seconds']:.3f} |" in page
    assert "python -m benchmarks.targets dm --data 'digits[0-1]'" in page
