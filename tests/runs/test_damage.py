from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from datastill import UserError
from datastill.data import DataSet
from datastill.files import load_tensors
from datastill.kinds import Stepper
from doubles import Disk
from run_folders import assert_same_run, checkpoints, interrupted, method, run


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
    tiny: DataSet, straight: Path, tmp_path: Path, disk: Disk
) -> None:
    with pytest.raises(
        UserError, match=r"no space left on the disk to write .* is intact: free some space and run the command again"
    ) as raised:
        run(tiny, tmp_path / "run", seed=3, method=interrupted(method(), 4, lambda stepper: disk.fill()))
    assert "\n" not in str(raised.value)
    found = [(path.name, load_tensors(path)[1]["iteration"]) for path in checkpoints(tmp_path / "run")]
    assert found == [("00000003.safetensors", "3"), ("00000004.safetensors", "4")]
    disk.free()
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)


def test_a_disk_that_is_full_from_the_start_leaves_no_half_written_run(tiny: DataSet, tmp_path: Path, disk: Disk) -> None:
    disk.fill()
    with pytest.raises(UserError, match=r"no space left on the disk to write .*config.yaml"):
        run(tiny, tmp_path / "run")
    disk.free()
    run(tiny, tmp_path / "run", 1)


def spoil(stepper: Stepper) -> None:
    stepper.state()["pixels"].fill_(float("nan"))


def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_kept(tiny: DataSet, straight: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match=r"the loss is not finite at iteration 5 \(mm nan, cm nan\): lower a term's weight \(for cc also its alpha\), or the `learn",
    ):
        run(tiny, tmp_path / "run", seed=3, method=interrupted(method(), 4, spoil))
    assert checkpoints(tmp_path / "run")[-1].name == "00000004.safetensors"
    run(tiny, tmp_path / "run", seed=3, resume=True)
    assert_same_run(tmp_path / "run", straight)
