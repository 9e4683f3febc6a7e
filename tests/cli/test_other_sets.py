"""Commands on sets made by other code, and on what a set may hold apart from images and classes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from datastill.cli import main
from datastill.distilled import DistilledSet

QUICK = ("--epochs", "1", "--repeats", "1", "--compare", "none")


def test_sets_of_other_peoples_code_are_evaluated_shown_and_exported(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = DistilledSet.load(run)
    torch.save({"data": [[torch.zeros_like(content.images), content.labels], [content.images, content.labels]]}, tmp_path / "res_DC.pt")
    main(["evaluate", str(tmp_path / "res_DC.pt"), "--data", "digits", "--json", *QUICK])
    taken = json.loads(capsys.readouterr().out)
    main(["evaluate", str(run), "--json", *QUICK])
    assert json.loads(capsys.readouterr().out)["confusion"] == taken["confusion"]
    np.savez(tmp_path / "set.npz", images=content.pixels.numpy(), labels=np.eye(10)[content.labels] * 5 - 1)
    main(["show", str(tmp_path / "set.npz"), "--data", "digits", "--labels", "logits"])
    text = capsys.readouterr().out
    assert "soft: logits" in text
    assert (tmp_path / "set.png").exists()
    main(["export", str(tmp_path / "res_DC.pt"), str(tmp_path / "hub"), "--format", "parquet", "--data", "digits", "--experiment", "1"])
    assert not DistilledSet.load(tmp_path / "hub").images.any()


def test_a_learned_rate_can_be_left_out(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(DistilledSet.load(run), numbers={"learning_rate": 0.03}).save(tmp_path / "set")
    found = []
    for options in ((), ("--no-learned-rate",)):
        main(["evaluate", str(tmp_path / "set"), "--json", *QUICK, *options])
        found.append(json.loads(capsys.readouterr().out))
    assert [(result["learning_rate"], result["protocol"]["learned_rate"]) for result in found] == [(0.03, True), (0.01, False)]
    assert [result["labels"] for result in found] == ["hard", "hard"]


def test_options_for_other_peoples_code_are_refused_elsewhere(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in (("--experiment", "1"), ("--labels", "scores", "--data", "digits")):
        with pytest.raises(SystemExit) as stopped:
            main(["show", str(run), *options])
        assert stopped.value.code == 2
        assert "datastill: --experiment and --labels are for files made by other code" in capsys.readouterr().err
