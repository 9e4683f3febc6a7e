from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from datastill.runs.metrics import line, read_metrics

ENTRIES: list[dict[str, Any]] = [
    {"iteration": 0, "validation_accuracy": 10.5, "labels": "hard"},
    {"iteration": 1, "loss": 1.25, "mm": 1.0, "cm": -0.25, "seconds": 0.5},
    {"iteration": 2, "loss": float("inf"), "held_out": None, "seconds": 0.5},
]


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(lines))
    return path


def test_lines_come_back_without_their_checksums(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "metrics.jsonl", *map(line, ENTRIES))
    assert read_metrics(path) == ENTRIES
    assert all(len(json.loads(each)["checksum"]) == 8 for each in path.read_text().splitlines())
    assert read_metrics(tmp_path / "nowhere") == []
    assert caplog.text == ""


def test_a_changed_line_is_left_out_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "metrics.jsonl", *map(line, ENTRIES))
    path.write_text(path.read_text().replace("10.5", "90.5"))
    with caplog.at_level(logging.WARNING):
        assert [read_metrics(path) for _ in range(2)] == [ENTRIES[1:]] * 2
    assert caplog.text.count(f"{path} is damaged: 1 line is left out") == 1


def test_a_line_whose_checksum_was_renamed_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lines = [line(entry) for entry in ENTRIES]
    path = written(tmp_path / "metrics.jsonl", lines[0], lines[1].replace("checksum", "checksun").replace("1.25", "9.25"), lines[2])
    assert read_metrics(path) == [ENTRIES[0], ENTRIES[2]]
    assert "1 line is left out" in caplog.text


@pytest.mark.parametrize("tail", ['{"iteration": 6, "lo', '{"iteration"', "7", "\x00\x00\x00"])
def test_a_last_line_that_was_cut_off_is_no_damage(tmp_path: Path, tail: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read_metrics(written(tmp_path / "metrics.jsonl", *map(line, ENTRIES), tail)) == ENTRIES
    assert caplog.text == ""


def test_lines_of_earlier_versions_have_no_checksums(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert read_metrics(written(tmp_path / "metrics.jsonl", *(json.dumps(entry) + "\n" for entry in ENTRIES))) == ENTRIES
    assert caplog.text == ""


ODD: tuple[dict[str, Any], ...] = (
    {"loss": "x"}, {"loss": None}, {"loss": [1]}, {"seconds": -1}, {"seconds": "1"}, {"seconds": True}, {"validation_accuracy": 102.79},
    {"validation_accuracy": float("nan")}, {"validation_accuracy": None}, {"iteration": -9}, {"iteration": True}, {"iteration": 1.0},
    {"iteration": "1"}, {"mm": {}}, {"mm": "1"}, {"labels": 3},
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_are_left_out_with_a_checksum_or_without(tmp_path: Path, odd: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    entry = {**ENTRIES[1], **odd}
    for each in (line, lambda entry: json.dumps(entry) + "\n"):
        path = written(tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl", each(entry), each(ENTRIES[0]))
        assert read_metrics(path) == [ENTRIES[0]]
        assert f"{path} is damaged: 1 line is left out" in caplog.text


def test_a_line_that_is_nested_deeply_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "metrics.jsonl", line(ENTRIES[0]), "[" * 100_000 + "\n", line(ENTRIES[1]))
    assert read_metrics(path) == ENTRIES[:2]
    assert "1 line is left out" in caplog.text
