"""Loggers get every figure, and none of them ends a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

import datastill
from datastill import Protocol, UserError
from datastill.data import DataSet
from datastill.runs.loggers import Loggers
from doubles import KilledError
from run_folders import interrupted, method, metrics, run

SHORT = Protocol(epochs=2)


class Remembering:
    """A logger of a user's own."""

    def __init__(self) -> None:
        self.begun: list[tuple[Path | None, Mapping[str, Any], int]] = []
        self.figures: list[tuple[int, Mapping[str, float]]] = []
        self.ended = 0

    def begin(self, folder: Path | None, configuration: Mapping[str, Any], done: int) -> None:
        self.begun.append((folder, configuration, done))

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        self.figures.append((iteration, figures))

    def end(self) -> None:
        self.ended += 1


class Failing(Remembering):
    """One that fails after some figures."""

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        super().log(iteration, figures)
        if iteration == 3:
            raise ConnectionError("no network")


def test_a_logger_gets_what_the_run_keeps(tiny: DataSet, tmp_path: Path) -> None:
    logger = Remembering()
    run(tiny, tmp_path / "run", validate_at=[4], validation_protocol=SHORT, loggers=[logger])
    folder, configuration, done = logger.begun[0]
    assert (folder, configuration["method"]["name"], done, logger.ended) == (tmp_path / "run", "dm+cm", 0, 1)
    given = [{"iteration": iteration, **figures} for iteration, figures in logger.figures]
    kept = [{key: value for key, value in line.items() if key != "labels"} for line in metrics(tmp_path / "run")]
    assert [{key: value for key, value in line.items() if key != "seconds"} for line in given] == kept
    assert all(figures["seconds"] > 0 for _, figures in logger.figures if "loss" in figures)


def test_a_continued_run_says_where_it_goes_on(tiny: DataSet, tmp_path: Path) -> None:
    first, second = Remembering(), Remembering()
    with pytest.raises(KilledError):
        run(tiny, tmp_path / "run", method=interrupted(method(), 3), loggers=[first])
    run(tiny, tmp_path / "run", resume=True, loggers=[second])
    assert first.ended == 1
    assert second.begun[0][2] == 3
    assert [iteration for iteration, _ in second.figures] == [4, 5, 6, 7, 8]


def test_a_logger_that_fails_is_told_once_and_ends_nothing(tiny: DataSet, caplog: pytest.LogCaptureFixture) -> None:
    failing, other = Failing(), Remembering()
    distilled = run(tiny, None, loggers=[failing, other])
    assert torch.equal(distilled.images, run(tiny, None).images)
    told = [record.message for record in caplog.records if "logger" in record.message]
    assert told == ["the logger Failing failed (no network) and gets nothing more of this run, which goes on"]
    assert (len(failing.figures), failing.ended, len(other.figures), other.ended) == (3, 0, 8, 1)


@pytest.mark.parametrize("asked", [["tensorbord"], [Remembering], [3], "wandb"])
def test_what_is_no_logger_is_refused_before_the_run(tiny: DataSet, tmp_path: Path, asked: Any) -> None:
    with pytest.raises(UserError, match="logger"):
        datastill.distill(tiny, method="dm", ipc=1, iterations=1, out=tmp_path / "run", loggers=asked)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "module"), [("tensorboard", "torch.utils.tensorboard.writer"), ("wandb", "wandb")])
def test_a_missing_package_is_named_before_the_run(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=rf"pip install 'datastill\[{name}\]'"):
        Loggers.of([name])


def test_tensorboard_reads_the_figures(tiny: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tiny, tmp_path / "run", 3, validate_at=[2], validation_protocol=SHORT, loggers=["tensorboard"])
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert [event.step for event in events.Scalars("mm")] == [1, 2, 3]
    kept = [line["mm"] for line in metrics(tmp_path / "run") if "mm" in line]
    assert [event.value for event in events.Scalars("mm")] == pytest.approx(kept, rel=1e-6)
    assert [event.step for event in events.Scalars("validation_accuracy")] == [2]
    run(tiny, None, 1, loggers=["tensorboard"])
    assert "it writes into a run's folder" in caplog.text


BLOCK = 2**15
"""Bytes of a block of wandb's files, which are logs as LevelDB writes them, after a header of 7 bytes."""


def history(path: Path) -> list[dict[str, float]]:
    """The history of a file that wandb keeps for `wandb sync`."""
    from wandb.proto import wandb_internal_pb2

    messages: Any = wandb_internal_pb2
    content, place, parts, rows = path.read_bytes(), 7, b"", []
    while place + 7 < len(content):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
        length, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # the whole of a record, or the last part of one
            record, parts = messages.Record.FromString(parts), b""
            if record.WhichOneof("record_type") == "history":
                rows.append({item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item})
    return rows


def test_wandb_keeps_the_figures_offline(tiny: DataSet, tmp_path: Path, environment: Callable[[Mapping[str, object]], None]) -> None:
    pytest.importorskip("wandb")
    environment({"WANDB_MODE": "offline", "WANDB_SILENT": "true"})
    run(tiny, tmp_path / "run", 2, loggers=["wandb"])
    (path,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    rows = [{key: row[key] for key in ("_step", "loss", "mm", "cm")} for row in history(path)]
    assert rows == [{"_step": line.pop("iteration"), **line} for line in metrics(tmp_path / "run")]
