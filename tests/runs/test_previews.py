"""Pictures of a set on its way, which pages are made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from datastill import DistilledSet
from datastill.data import DataSet
from datastill.kinds import Canvas
from datastill.runs.previews import MOST, preview, preview_rows, previewed, read_previews
from doubles import KilledError
from run_folders import interrupted, method, run


def test_a_run_keeps_some_on_a_scale_of_powers_of_ten_and_the_last_is_what_it_distilled(tiny: DataSet, tmp_path: Path) -> None:
    run(tiny, tmp_path, iterations=5)
    found = read_previews(tmp_path)
    distilled = DistilledSet.load(tmp_path)
    assert list(found) == [0, 1, 2, 5]
    assert torch.equal(found[5]["images"], distilled.pixels[found[5]["rows"]])
    assert not torch.equal(found[0]["images"], found[5]["images"])


def test_a_run_that_is_killed_and_continued_has_the_same_ones(tiny: DataSet, tmp_path: Path) -> None:
    run(tiny, tmp_path / "whole")
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "killed", method=interrupted(method(), 3))
    run(tiny, tmp_path / "killed", resume=True)
    whole, killed = ({path.name: path.read_bytes() for path in (tmp_path / name / "previews").iterdir()} for name in ("whole", "killed"))
    assert len(whole) == 4
    assert killed == whole


def test_a_damaged_one_is_left_out_with_a_message(tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tiny, tmp_path, iterations=1)
    (tmp_path / "previews" / "00000000.safetensors").write_bytes(b"no tensors")
    assert list(read_previews(tmp_path)) == [1]
    assert "00000000.safetensors is truncated or not a safetensors file" in caplog.text
    assert "it is left out" in caplog.text


def test_how_many_there_are_is_bounded(tiny: DataSet) -> None:
    assert sum(map(previewed, range(20_001))) == 15
    assert len(preview_rows(torch.arange(10).repeat_interleave(50), 10)) == MOST
    assert len(preview_rows(torch.arange(200).repeat_interleave(50), 200)) == MOST
    soft = Canvas(torch.zeros(3, 3, 8, 8), torch.eye(3)[[2, 0, 1]], "logits")
    assert preview(soft, replace(tiny, mean=(0.5,) * 3))["rows"].tolist() == [
        0,
        1,
        2,
    ]  # by what images are made of, whatever their labels say
