"""What holds for every method whose steps processes can share, and for those that refuse to: two processes give what one gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import datastill
import ranks
from datastill.engine import Engine, Ranks
from datastill.errors import UserError
from datastill.files import load_tensors
from datastill.kinds import DistributionMatching, GradientMatching
from datastill.runs import Run
from ranks import CONTINUED, COUNT, LOST, RUNS, STEPS, tiles
from tiny_sets import same_bits

MIXED = ("datadam-bn",)
"""Methods whose networks mix the images of all classes."""
SHARED = [name for name, method in RUNS.items() if isinstance(method, DistributionMatching | GradientMatching) and name not in MIXED]
SERVE = "import pathlib, ranks, sys; ranks.serve(pathlib.Path(sys.argv[1]))"
ROUNDING = 1e-4
"""Of what a step moves a pixel by at most, on the scale of the largest."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the two processes left; they were started once."""
    folder = tmp_path_factory.mktemp("ranks")
    datastill.distill(tiles(), out=folder / "begun", iterations=STEPS, **ranks.begun())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", SERVE, str(folder)], check=True, env=environment, timeout=600)
    return folder


def said(folder: Path, name: str) -> tuple[list[int], list[str]]:
    """The exit codes of a command's processes, and what they wrote to standard error, but for a message of the data set."""
    codes = json.loads((folder / name / "codes.json").read_text())
    return codes, [
        line for rank in range(COUNT) for line in (folder / name / f"{rank}.2").read_text().splitlines() if "test split" not in line
    ]


@pytest.mark.parametrize("name", SHARED)
def test_two_processes_give_the_pixels_of_one(found: Path, name: str) -> None:
    alone = datastill.distill(tiles(), method=RUNS[name], ipc=2, iterations=STEPS, engine=Engine()).images
    shared = [load_tensors(found / f"{name} {rank}.safetensors")[0]["images"] for rank in range(COUNT)]
    assert same_bits(*shared)
    assert float((shared[0] - alone).abs().max()) <= ROUNDING * float(alone.abs().max())


@pytest.mark.parametrize("name", sorted(set(RUNS) - set(SHARED)))
def test_what_cannot_be_shared_is_refused_by_every_process_and_says_why(found: Path, name: str) -> None:
    lines = {json.loads((found / f"said {rank}.json").read_text())[name] for rank in range(COUNT)}
    assert len(lines) == 1
    assert RUNS[name].name in (line := lines.pop())
    assert "run it in one process" in line
    assert "through convnet-bn together" in line if name in MIXED else f"a method of {RUNS[name].kind}" in line


def test_any_number_of_processes_continues_a_run(found: Path) -> None:
    whole = datastill.distill(tiles(), iterations=CONTINUED + 1, **ranks.begun())
    assert Run(found / "begun").config()["continued_by"][0]["processes"] == COUNT  # type: ignore[index]
    alone = datastill.distill(tiles(), iterations=CONTINUED + 1, out=found / "begun", resume=True, **ranks.begun())
    torch.testing.assert_close(alone.images, whole.images, rtol=0, atol=ROUNDING * float(whole.images.abs().max()))
    assert [entry["iteration"] for entry in Run(found / "begun").metrics()] == list(range(1, CONTINUED + 2))


def test_processes_with_other_options_refuse(found: Path) -> None:
    for rank in range(COUNT):
        assert "process 1 does not have the same run" in json.loads((found / f"said {rank}.json").read_text())["other options"]


def test_a_process_that_ends_ends_the_others_and_leaves_a_run_that_goes_on(found: Path) -> None:
    assert json.loads((found / "codes.json").read_text()) == [0, 9]
    assert (found / "lost.txt").read_text().startswith("another process of this run has ended")
    assert sorted(path.stem for path in (found / "lost" / "checkpoint").iterdir()) == [f"{LOST - 1:08d}", f"{LOST:08d}"]
    whole, lost = (datastill.distill(tiles(), out=out, resume=True, **ranks.left()).images for out in (None, found / "lost"))
    torch.testing.assert_close(lost, whole, rtol=0, atol=ROUNDING * float(whole.abs().max()))


def test_a_command_that_cannot_be_shared_says_one_line(found: Path) -> None:
    codes, lines = said(found, "refused")
    assert codes == [2] * COUNT
    assert len(lines) == 1
    assert lines[0].startswith("datastill: kip is a method of ")
    codes, lines = said(found, "alone")
    assert (codes, lines) == (
        [2] * COUNT,
        ["datastill: only distill and resume can be shared by the processes of torchrun: start `datastill evaluate` without it"],
    )


def test_a_command_in_two_processes_speaks_once(found: Path) -> None:
    codes, lines = said(found, "finished")
    assert codes == [0] * COUNT
    assert sum("2/2" in line for line in lines) == 1
    assert (found / "finished" / "0.1").read_text().count("distilled digits with dm") == 1
    assert not (found / "finished" / "1.1").read_text()


def test_a_signal_to_one_process_stops_all_after_the_same_step(found: Path) -> None:
    codes, lines = said(found, "stopped")
    assert codes == [143] * COUNT
    stops = [line for line in lines if "stopped by" in line]
    assert stops == [f"datastill: stopped by SIGTERM; datastill resume '{found / 'stopped run'}' continues the run"]
    run = Run(found / "stopped run")
    newest = max(int(path.stem) for path in (run.folder / "checkpoint").glob("*.safetensors"))
    assert newest == max(entry["iteration"] for entry in run.metrics())


def test_there_must_be_processes_to_share_with(tiny: Any) -> None:
    with pytest.raises(UserError, match="there are no processes to share the run with"):
        datastill.distill(tiny, method="dm", ipc=1, iterations=1, share=True)
    with pytest.raises(UserError, match="3 classes, too few for 4 processes"):
        RUNS["dm"].check_shared(tiny, 4)


@pytest.mark.parametrize(("classes", "count"), [(10, 3), (3, 2), (5, 5), (200, 8)])
def test_every_class_has_one_owner(classes: int, count: int) -> None:
    owned = [Ranks(rank, count).own(classes) for rank in range(count)]
    assert [label for each in owned for label in each] == list(range(classes))
    assert max(map(len, owned)) - min(map(len, owned)) <= 1
