from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

import datastill
from datastill import DistilledSet, UserError
from datastill.data import DataSet
from datastill.encoders import PretrainedPool, TrainingRecipe
from datastill.engine import Engine
from datastill.files import load_tensors, save_tensors
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.methods import DistributionMatching, Method
from small_methods import matching, small

ITERATIONS = 8


class KilledError(Exception):
    """What stands for a kill."""


def method(name: str = "dm+cm", **changes: Any) -> Method:
    return replace(datastill.method(name, settings=["real_batch=6"]), **changes)


def run(data: DataSet, out: Path | None, iterations: int = ITERATIONS, **options: Any) -> DistilledSet:
    settings: dict[str, Any] = {"method": method(), "ipc": 2, "checkpoint_seconds": 0, **options}
    return datastill.distill(data, iterations=iterations, out=out, **settings)


def metrics(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def config(folder: Path) -> dict[str, Any]:
    content = yaml.safe_load((folder / "config.yaml").read_text())
    assert isinstance(content, dict)
    return content


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def checkpoints(folder: Path) -> list[Path]:
    return sorted((folder / "checkpoint").iterdir())


def assert_same_run(folder: Path, other: Path) -> None:
    assert torch.equal(DistilledSet.load(folder).images, DistilledSet.load(other).images)
    assert metrics(folder) == metrics(other)
    ours, theirs = (load_tensors(checkpoints(entry)[-1]) for entry in (folder, other))
    assert ours[1]["iteration"] == theirs[1]["iteration"]
    assert set(ours[0]) == set(theirs[0]) == {"pixels", "momentum"}
    for name, value in ours[0].items():
        assert torch.equal(value, theirs[0][name])


def interrupt(monkeypatch: pytest.MonkeyPatch, at: int, act: Callable[[], None]) -> None:
    """Do something before a step."""
    step = MatchingStepper.step

    def interrupted(stepper: MatchingStepper, iteration: int) -> dict[str, float]:
        if iteration == at:
            act()
        return step(stepper, iteration)

    monkeypatch.setattr(MatchingStepper, "step", interrupted)


def kill() -> None:
    raise KilledError


@pytest.fixture(scope="module")
def straight(tiny: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    run(tiny, folder, seed=3)
    return folder


def test_a_run_leaves_everything_that_is_needed_to_repeat_it(tiny: DataSet, straight: Path) -> None:
    assert {path.name for path in straight.iterdir()} == {"config.yaml", "metrics.jsonl", "checkpoint", "distilled"}
    found = config(straight)
    assert (found["ipc"], found["seed"], found["iterations"]) == (2, 3, ITERATIONS)
    assert found["data"] == {
        "name": "tiny", "fingerprint": "0123456789abcdef", "train": 36, "validation": 6, "held_out": 0.0,
        "mean": [0.3, 0.35, 0.4], "std": [0.2, 0.25, 0.3],
    }  # fmt: skip
    assert (found["method"]["name"], found["method"]["real_batch"]) == ("dm+cm", 6)
    assert found["method"]["terms"]["cm"]["weight"] == 0.01
    assert {"device": "cpu", "precision": "fp32", "compiled": False}.items() <= found["engine"].items()
    assert {"micro_batch", "in_flight"} <= set(found["engine"])
    assert {"datastill", "commit", "machine"} <= set(found["made_by"])
    lines = metrics(straight)
    assert [line["iteration"] for line in lines] == list(range(1, ITERATIONS + 1))
    assert all(set(line) == {"iteration", "loss", "mm", "cm"} for line in lines)
    assert [path.name for path in checkpoints(straight)] == ["00000007.safetensors", "00000008.safetensors"]
    distilled = DistilledSet.load(straight)
    assert distilled.images.shape == (6, 3, 8, 8)
    assert distilled.labels.tolist() == [0, 0, 1, 1, 2, 2]
    origin = distilled.origin
    assert (origin.data, origin.method, origin.seed, origin.iterations) == ("tiny", "dm+cm", 3, ITERATIONS)
    assert (origin.class_names, origin.mean, origin.flip) == (tiny.class_names, tiny.mean, True)


def test_the_last_checkpoint_holds_the_pixels_of_the_set(straight: Path) -> None:
    pixels = load_tensors(checkpoints(straight)[-1])[0]["pixels"]
    assert torch.equal(pixels.flatten(0, 1), DistilledSet.load(straight).images)


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    kept = DistilledSet.load(straight).images
    again = run(tiny, tmp_path / "again", seed=3)
    assert torch.equal(again.images, kept)
    assert_same_run(tmp_path / "again", straight)
    assert torch.equal(run(tiny, None, seed=3).images, kept)  # nor does it matter whether anything is kept
    other = run(tiny, None, seed=4).images
    assert not torch.equal(other, kept)


def test_the_pixels_move_and_stay_apart_from_the_data(tiny: DataSet) -> None:
    start, end = run(tiny, None, 1).images, run(tiny, None, 5).images
    assert not torch.allclose(start, end, atol=1e-3)
    assert tiny.train.storage.dtype == torch.uint8


@pytest.mark.parametrize("at", [0, 3, 7])
def test_an_interrupted_run_goes_on_to_the_same_bits(
    tiny: DataSet, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    with monkeypatch.context() as patch:
        interrupt(patch, at, kill)
        with pytest.raises(KilledError):
            run(tiny, tmp_path / "run", seed=3)
    assert not (tmp_path / "run" / "distilled").exists()
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


def test_an_interrupted_average_goes_on_to_the_same_bits(tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    averaged = method(averaging=0.7)
    expected = run(tiny, None, method=averaged)
    with monkeypatch.context() as patch:
        interrupt(patch, 5, kill)
        with pytest.raises(KilledError):
            run(tiny, tmp_path / "run", method=averaged)
    assert torch.equal(run(tiny, tmp_path / "run", method=averaged, resume=True).images, expected.images)
    assert not torch.equal(run(tiny, None).images, expected.images)


def test_steps_since_the_last_checkpoint_are_repeated(
    tiny: DataSet, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Between checkpoints, metrics are written that no checkpoint stands on."""
    with monkeypatch.context() as patch:
        interrupt(patch, 3, kill)
        with pytest.raises(KilledError):
            run(tiny, tmp_path / "run", seed=3)
        interrupt(patch, 6, kill)
        with pytest.raises(KilledError):
            run(tiny, tmp_path / "run", seed=3, resume=True, checkpoint_seconds=1000)
    assert [line["iteration"] for line in metrics(tmp_path / "run")] == [1, 2, 3]
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


def test_a_finished_run_may_be_resumed_and_stays_as_it_is(tiny: DataSet, straight: Path) -> None:
    before = metrics(straight)
    images = DistilledSet.load(straight).images
    assert torch.equal(run(tiny, straight, seed=3, resume=True).images, images)
    assert metrics(straight) == before


def test_a_run_may_be_extended(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    run(tiny, tmp_path / "run", ITERATIONS // 2, seed=3)
    assert DistilledSet.load(tmp_path / "run").origin.iterations == ITERATIONS // 2
    run(tiny, tmp_path / "run", ITERATIONS, seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)
    assert DistilledSet.load(tmp_path / "run").origin.iterations == ITERATIONS
    with pytest.raises(UserError, match=f"has {ITERATIONS} iterations already; ask for at least as many"):
        run(tiny, tmp_path / "run", 5, seed=3, resume=True)


def test_an_extension_that_would_be_worth_compiling_goes_on_as_the_run_began(
    tiny: DataSet, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny, tmp_path / "run", 4, seed=3)
    monkeypatch.setattr("datastill.engine.policy.WORTH_COMPILING", 1.0)
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/g++")
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)
    with pytest.raises(UserError, match=r"engine.precision was fp32, is bf16"):
        run(tiny, tmp_path / "run", seed=3, resume=True, engine=Engine.choose(device="cpu", precision="bf16", compile=False))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"seed": 5}, "seed was 3, is 5"),
        ({"ipc": 3}, "ipc was 2, is 3"),
        ({"method": method("dm")}, "method.name was dm.cm, is dm"),
        ({"method": method(real_batch=5)}, "method.real_batch was 6, is 5"),
        ({"engine": Engine(micro_batch=32)}, "engine.micro_batch was None, is 32"),
    ],
)
def test_another_configuration_is_refused_naming_the_difference(tiny: DataSet, straight: Path, options: dict[str, Any], said: str) -> None:
    before = contents(straight)
    with pytest.raises(UserError, match=f"holds a run with another configuration .*{said}.*choose another `out`"):
        run(tiny, straight, **{"seed": 3, **options}, resume=True)
    assert contents(straight) == before


def test_another_data_set_is_refused(tiny: DataSet, straight: Path) -> None:
    with pytest.raises(UserError, match=r"data.fingerprint was 0123456789abcdef, is fedcba9876543210"):
        run(replace(tiny, fingerprint="fedcba9876543210"), straight, seed=3, resume=True)


def test_a_run_is_not_overwritten_by_accident(tiny: DataSet, straight: Path) -> None:
    before = contents(straight)
    with pytest.raises(UserError, match="already holds a run: continue it with `resume=True`, or choose another `out`"):
        run(tiny, straight, seed=3)
    assert contents(straight) == before


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty])
def test_a_damaged_newest_checkpoint_costs_some_steps_and_no_bits(
    tiny: DataSet, straight: Path, tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    run(tiny, tmp_path / "run", 5, seed=3)
    damage(checkpoints(tmp_path / "run")[-1])
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert "00000005.safetensors is " in caplog.text
    assert "the previous checkpoint is used" in caplog.text
    assert "at iteration 4" in caplog.text
    assert_same_run(tmp_path / "run", straight)


def test_with_both_checkpoints_damaged_a_run_begins_again(
    tiny: DataSet, straight: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tiny, tmp_path / "run", 5, seed=3)
    for path in checkpoints(tmp_path / "run"):
        truncate(path)
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert "continuing" not in caplog.text
    assert_same_run(tmp_path / "run", straight)


def test_a_full_disk_gives_one_clear_line_and_costs_nothing_that_was_written(
    tiny: DataSet, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        interrupt(patch, 4, lambda: patch.setattr(os, "fsync", full))
        with pytest.raises(
            UserError, match=r"no space left on the disk to write .* is intact: free some space and run the command again"
        ) as raised:
            run(tiny, tmp_path / "run", seed=3)
    assert "\n" not in str(raised.value)
    found = [(path.name, load_tensors(path)[1]["iteration"]) for path in checkpoints(tmp_path / "run")]
    assert found == [("00000003.safetensors", "3"), ("00000004.safetensors", "4")]
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


def test_a_disk_that_is_full_from_the_start_leaves_no_half_written_run(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"no space left on the disk to write .*config.yaml"):
            run(tiny, tmp_path / "run")
    run(tiny, tmp_path / "run", 1)


def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_kept(
    tiny: DataSet, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = DataSet.normalise

    def broken(data: DataSet, pixels: Tensor) -> Tensor:
        return batch(data, pixels) * float("nan")

    with monkeypatch.context() as patch:
        interrupt(patch, 4, lambda: patch.setattr(DataSet, "normalise", broken))
        with pytest.raises(
            UserError,
            match=r"the loss is not finite at iteration 5 \(mm nan, cm nan\): lower a term's weight \(for cc also its alpha\), or --lr",
        ):
            run(tiny, tmp_path / "run", seed=3)
    assert checkpoints(tmp_path / "run")[-1].name == "00000004.safetensors"
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ipc": 0}, "an IPC and a number of iterations of at least 1, got 0 and 8"),
        ({"iterations": 0}, "of at least 1, got 2 and 0"),
        ({"validate_at": [3, 9]}, "validation at iteration 9 is not within the run's 0 to 8 iterations"),
        ({"validate_at": [-1]}, "validation at iteration -1"),
        ({"settings": ["real_batch=3"]}, "settings would change a method given by name"),
        ({"preset": "fast"}, "the preset 'fast' would change a method given by name"),
        ({"ipc": 1}, "the term 'cm' needs at least 2 images per class"),
        ({"ipc": 13}, "the class 'left' has 12 training images, fewer than IPC 13"),
        ({"method": method("m3d", real_batch=1)}, "'km' needs at least 2 real images per class and step, but the real batch is 1"),
        ({"method": method("cafe", views=2)}, "cafe does not augment, so the 2 views of an image would all be the same"),
        ({"method": method("idm+dl")}, "'dl' compares classes with each other, but idm.dl steps after each class"),
        ({"method": DistributionMatching("bare")}, "bare has no terms"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(tiny: DataSet, tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        run(tiny, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_the_checksums_of_pretrained_networks_are_bound_to_the_run(tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path / "cache"))
    pool = PretrainedPool("convnet", recipe=TrainingRecipe(epochs=1))
    composed = matching("dm+cc")
    composed = replace(composed, encoders={**composed.encoders, "pretrained": pool})
    run(tiny, tmp_path / "run", 2, method=composed)
    (bound,) = config(tmp_path / "run")["encoders"].items()
    (weights,) = (tmp_path / "cache").rglob("0.safetensors")
    tensors, _ = load_tensors(weights)
    assert bound[0] == "pretrained 0"
    weights.unlink()  # trained again, the same network comes out
    run(tiny, tmp_path / "run", 3, method=composed, resume=True)
    save_tensors(weights, {name: tensor + 0.1 for name, tensor in tensors.items()}, {"accuracy": "50", "seconds": "1"})
    with pytest.raises(UserError, match=r"started with other encoders .*pretrained 0.*restore them, or choose another `out`"):
        run(tiny, tmp_path / "run", 4, method=composed, resume=True)


def started(out: Path) -> subprocess.Popen[bytes]:
    command = [
        sys.executable, "-m", "datastill", "distill", "digits", "--out", str(out), "--method", "dm+cm", "--ipc", "2",
        "--iterations", "120", "--set", "real_batch=16", "--checkpoint-seconds", "0", "--device", "cpu", "--resume",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def done(out: Path) -> int:
    names = [path.stem for path in (out / "checkpoint").glob("*.safetensors")]
    return max((int(name) for name in names), default=0)


def test_a_run_killed_again_and_again_gives_the_bits_of_an_uninterrupted_one(tmp_path: Path) -> None:
    out = tmp_path / "killed"
    reached = []
    # To the first files, into the middle of writing, and again; each after a moment that falls anywhere in a step.
    for steps, moment in ((0, 0.0), (7, 0.003), (13, 0.011)):
        first = done(out)
        process = started(out)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if (out / "metrics.jsonl").exists() and done(out) >= first + steps:
                break
            time.sleep(0.001)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, said.decode()
        reached.append(done(out))
    assert 0 < reached[1] < reached[2] < 120, reached
    assert not (out / "distilled").exists()
    last = started(out)
    _, said = last.communicate(timeout=120)
    assert last.returncode == 0, said.decode()
    assert f"continuing {out} at iteration {reached[2]}" in said.decode()

    datastill.distill(
        "digits", method="dm+cm", ipc=2, iterations=120, settings=["real_batch=16"], out=tmp_path / "straight", engine=Engine()
    )
    assert_same_run(out, tmp_path / "straight")
    assert not list(out.rglob("*.partial"))


@pytest.mark.parametrize("name", ["idm+cm", "cafe"])
def test_a_killed_run_of_networks_that_are_trained_goes_on_to_the_same_bits(
    tiny: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    expected = run(tiny, None, method=small(name))
    with monkeypatch.context() as patch:
        interrupt(patch, 5, kill)
        with pytest.raises(KilledError):
            run(tiny, tmp_path / "run", method=small(name))
    assert torch.equal(run(tiny, tmp_path / "run", method=small(name), resume=True).images, expected.images)
