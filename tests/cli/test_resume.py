"""Continuing a run without its options, and options that a run does not use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from commands import TINY_RUN, refusal
from datastill.cli import main
from datastill.distilled import DistilledSet

OPTIONS = ("--set", "mm.weight=0.5", "--lr", "3", "--seed", "4", "--init", "noise", "--validation", "0.2", "--precision", "fp32")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with options of every sort and a checkpoint after every iteration, which never validates."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    main(["distill", "digits", *TINY_RUN, *OPTIONS, "--checkpoint-seconds", "0", "--out", str(folder)])
    return folder


@pytest.fixture
def stopped(finished: Path, tmp_path: Path) -> Path:
    """The same run, as it was after its second iteration."""
    folder = shutil.copytree(finished, tmp_path / "stopped")
    shutil.rmtree(folder / "distilled")
    (folder / "checkpoint" / "00000003.safetensors").unlink()
    return folder


def test_a_stopped_run_goes_on_without_its_options(
    finished: Path, stopped: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert "the run is not finished: continue it with `datastill resume`" in refusal(capsys, "show", str(stopped))
    main(["resume", str(stopped)])
    said = capsys.readouterr()
    assert f"continuing {stopped} at iteration 2" in caplog.text
    assert said.out.splitlines()[0] == f"distilled digits with dm: 10 images in {stopped / 'distilled'}"
    assert torch.equal(DistilledSet.load(stopped).images, DistilledSet.load(finished).images)
    before, after = (yaml.safe_load((folder / "config.yaml").read_text()) for folder in (finished, stopped))
    assert before == after


def test_a_finished_run_goes_on_with_more_iterations(finished: Path, stopped: Path) -> None:
    main(["resume", str(stopped), "--iterations", "4"])
    assert DistilledSet.load(stopped).origin.iterations == 4
    assert not torch.equal(DistilledSet.load(stopped).images, DistilledSet.load(finished).images)


def test_a_folder_that_is_taken_is_refused_before_anything_is_read(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading the data and compiling the networks take minutes."""
    missing = ("distill", f"folder:{tmp_path / 'absent'}", "--ipc", "1", "--out")
    taken = refusal(capsys, *missing, str(finished))
    assert f"{finished} already holds a run: continue it with --resume, or choose another --out" in taken
    (tmp_path / "notes.txt").write_text("")
    assert "is not empty and does not hold a run" in refusal(capsys, *missing, str(tmp_path))
    assert "no such folder" in refusal(capsys, *missing, str(tmp_path / "new"))


def test_what_is_no_run_is_named(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"there is no configuration at {tmp_path / 'config.yaml'}" in refusal(capsys, "resume", str(tmp_path))
    assert f"there is no run at {tmp_path / 'none'}" in refusal(capsys, "resume", str(tmp_path / "none"))
    assert "has 3 iterations already; ask for at least as many --iterations" in refusal(
        capsys, "resume", str(finished), "--iterations", "2"
    )


def test_options_of_validations_that_are_not_made_are_no_contradiction(finished: Path, stopped: Path, tmp_path: Path) -> None:
    unused = ("--validation-epochs", "7", "--validation-network", "vgg11")
    main(["distill", "digits", *TINY_RUN, *OPTIONS, *unused, "--out", str(stopped), "--resume"])
    main(["distill", "--config", str(finished / "config.yaml"), *unused, "--out", str(tmp_path / "again")])
    for folder in (stopped, tmp_path / "again"):
        assert torch.equal(DistilledSet.load(folder).images, DistilledSet.load(finished).images)


def test_iterations_of_a_method_that_takes_one_step_are_no_contradiction(tmp_path: Path) -> None:
    main(["distill", "digits", "--method", "random", "--ipc", "1", "--out", str(tmp_path / "a")])
    main(["distill", "--config", str(tmp_path / "a" / "config.yaml"), "--iterations", "50", "--out", str(tmp_path / "b")])
    main(["resume", str(tmp_path / "a"), "--iterations", "50"])
    assert torch.equal(DistilledSet.load(tmp_path / "a").images, DistilledSet.load(tmp_path / "b").images)
