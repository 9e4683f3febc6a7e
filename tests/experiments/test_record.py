from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from datastill.errors import UserError
from datastill.experiments.record import Record, read_record, write_record
from records import record


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    written = record(curve=((0, 10.0), (5, 20.0)), comparisons={"random": (1.0, 2.0)})
    write_record(written, tmp_path)
    assert read_record(Record, tmp_path, written.cell) == written
    assert read_record(Record, tmp_path, replace(written.cell, repeats=7)) == written  # fewer networks than asked for
    assert read_record(Record, tmp_path / "elsewhere", written.cell) is None


def test_a_record_of_before_soft_labels_reads_as_hard(tmp_path: Path) -> None:
    written = record()
    write_record(written, tmp_path)
    path = tmp_path / "record.json"
    content = json.loads(path.read_text())
    del content["label_kind"], content["learned_rate"], content["cell"]["protocol"]["learned_rate"]
    path.write_text(json.dumps(content))
    assert read_record(Record, tmp_path, written.cell) == written
    assert written.track == "hard"


def test_random_images_of_before_there_was_a_method_are_read(tmp_path: Path) -> None:
    cell = replace(record().cell, method="random", settings=("real_batch=32",))
    written = record(cell, method={}, seconds_per_step=None)
    write_record(written, tmp_path)
    assert read_record(Record, tmp_path, replace(cell, settings=())) == written
    with pytest.raises(UserError, match=r"another specification \(seed was 0, is 1\)"):
        read_record(Record, tmp_path, replace(cell, settings=(), seed=1))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text[:-20], "is damaged: Invalid JSON"),
        (lambda text: text.replace('"train":90', '"train":"many"'), "is damaged: train: Input should be a valid integer"),
        (lambda text: text.replace('"train":90,', ""), "is damaged: train: Field required"),
        (lambda text: text.replace("[40.0,50.0]", "[40.0,150.0]"), "expected 2 accuracies in percent"),
        (lambda text: text.replace("[40.0,50.0]", "[40.0]"), "expected 2 accuracies in percent"),
        (lambda text: text.replace('"class_names":["a","b"]', '"class_names":["a"]'), "a confusion matrix of 1 classes"),
        (lambda text: text.replace('"ipc":2', '"ipc":3'), r"another specification \(ipc was 3, is 2\)"),
    ],
)
def test_a_damaged_record_is_refused(damage: Callable[[str], str], said: str, tmp_path: Path) -> None:
    written = record()
    write_record(written, tmp_path)
    path = tmp_path / "record.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(UserError, match=said):
        read_record(Record, tmp_path, written.cell)
