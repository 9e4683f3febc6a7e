from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import datastill
from datastill import DistilledSet, UserError
from datastill.data import DataSet
from datastill.engine import Engine
from doubles import Compiler, KilledError
from run_folders import ITERATIONS, assert_same_run, checkpoints, interrupted, method, metrics, run
from small_methods import small


@pytest.mark.parametrize("at", [0, 3, 7])
def test_an_interrupted_run_goes_on_to_the_same_bits(tiny: DataSet, straight: Path, tmp_path: Path, at: int) -> None:
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", seed=3, method=interrupted(method(), at))
    assert not (tmp_path / "run" / "distilled").exists()
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


def test_an_interrupted_average_goes_on_to_the_same_bits(tiny: DataSet, tmp_path: Path) -> None:
    averaged = method(averaging=0.7)
    expected = run(tiny, None, method=averaged)
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", method=interrupted(averaged, 5))
    assert torch.equal(run(tiny, tmp_path / "run", method=averaged, resume=True).images, expected.images)
    assert not torch.equal(run(tiny, None).images, expected.images)


def test_steps_since_the_last_checkpoint_are_repeated(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    """Between checkpoints, metrics are written that no checkpoint stands on."""
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", seed=3, method=interrupted(method(), 3))
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", seed=3, method=interrupted(method(), 6), resume=True, checkpoint_seconds=1000)
    assert [line["iteration"] for line in metrics(tmp_path / "run")] == [1, 2, 3, 4, 5, 6]
    assert checkpoints(tmp_path / "run")[-1].name == "00000003.safetensors"
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
    tiny: DataSet, straight: Path, tmp_path: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny, tmp_path / "run", 4, seed=3)
    monkeypatch.setattr("datastill.engine.policy.WORTH_COMPILING", 1.0)
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)
    with pytest.raises(UserError, match=r"engine.precision was fp32, is bf16"):
        run(tiny, tmp_path / "run", seed=3, resume=True, engine=Engine.choose(device="cpu", precision="bf16", compile=False))


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


@pytest.mark.long
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
def test_a_killed_run_of_networks_that_are_trained_goes_on_to_the_same_bits(tiny: DataSet, tmp_path: Path, name: str) -> None:
    expected = run(tiny, None, method=small(name))
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", method=interrupted(small(name), 5))
    assert torch.equal(run(tiny, tmp_path / "run", method=small(name), resume=True).images, expected.images)
