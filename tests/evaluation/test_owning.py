"""What an evaluation writes is tried before its networks are trained, and written by one process."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from commands import refusal
from datastill.cli import main
from datastill.data import DataSet
from datastill.errors import UserError
from datastill.evaluation import Protocol, Scorer
from datastill.evaluation.evaluate import evaluate
from datastill.files import locked
from datastill.runs.distill import distill
from tiny_sets import distilled_set

QUICK = ("--repeats", "1", "--epochs", "1", "--compare", "none", "--no-augment")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A run of digits."""
    distill("digits", method="random", ipc=1, out=tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be trained."""
    monkeypatch.delattr(Scorer, "_train")


@pytest.mark.usefixtures("untrained")
def test_the_file_that_keeps_results_is_held_by_one_process(tmp_path: Path, data: DataSet) -> None:
    keep = tmp_path / "kept.json"
    with locked(keep, "the evaluation"), pytest.raises(UserError, match=f"the evaluation that {keep} keeps is in use by process"):
        evaluate(distilled_set(), data=data, protocol=Protocol(epochs=1), keep=keep)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .* choose another folder"):
        evaluate(distilled_set(), data=data, protocol=Protocol(epochs=1), keep=tmp_path / "file" / "kept.json")


@pytest.mark.usefixtures("untrained")
def test_out_is_tried_before_the_work(tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "device").symlink_to("/dev/full")
    (tmp_path / "nowhere").symlink_to("missing")
    capsys.readouterr()
    said = {
        "fifo": "fifo is a named pipe, and only a regular file can be written: name another file",
        "device": "device is a device, and only a regular file can be written: name another file",
        "nowhere": "nowhere is a link to nothing: remove it, or name another file",
        "fifo/e.json": "cannot write .*e.json .Not a directory.; choose another folder",
        "run": "--out must be a file, but .*run is a folder",
    }
    for name, why in said.items():
        line = refusal(capsys, "evaluate", str(saved), "--out", str(tmp_path / name), *QUICK)
        assert re.search(why, line), line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["device", "fifo", "nowhere", "run"]


def test_out_that_is_a_link_to_a_file_stays_a_link(tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "e.json").write_text("old")
    (tmp_path / "e.json").symlink_to(tmp_path / "disk" / "e.json")
    main(["evaluate", str(saved), "--out", str(tmp_path / "e.json"), *QUICK])
    assert (tmp_path / "e.json").is_symlink()
    assert json.loads((tmp_path / "disk" / "e.json").read_text())["n"] == 1
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["e.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "e.json", "run"]


@pytest.mark.usefixtures("untrained")
def test_a_second_command_with_the_same_out_is_refused(tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    with locked(tmp_path / "e.json", "the evaluation"):
        line = refusal(capsys, "evaluate", str(saved), "--out", str(tmp_path / "e.json"), *QUICK)
    assert f"the evaluation in {tmp_path / 'e.json'} is in use by process {os.getpid()} on " in line
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_results_of_networks_are_kept_under_a_name_that_no_user_has(
    tmp_path: Path, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A killed evaluation continues, and a user's file that was called as ours once was stays."""
    (tmp_path / "e.json.partial").write_text("a user's download")
    train, trained = Scorer._train, []

    def killed(scorer: Scorer, *arguments: Any, **options: Any) -> None:
        trained.append(1)
        if len(trained) == 2:
            raise KeyboardInterrupt
        train(scorer, *arguments, **options)

    command = ["evaluate", str(saved), "--out", str(tmp_path / "e.json"), *QUICK[2:], "--repeats", "2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scorer, "_train", killed)
        with pytest.raises(SystemExit):
            main(command)
        main(command)
    assert len(trained) == 3
    assert json.loads((tmp_path / "e.json").read_text())["n"] == 2
    assert (tmp_path / "e.json.partial").read_text() == "a user's download"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.json", "e.json.partial", "run"]
