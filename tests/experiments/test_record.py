from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from datastill.errors import UserError
from datastill.experiments.record import Record
from datastill.experiments.stored import read_record, write_record
from datastill.files import sealed
from records import record

AGREEING = (45.0, 55.0)
"""Accuracies of two networks whose confusion matrix is that of a record made by hand: half of the images right."""
DEEP = "nested"


def test_a_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    written = record(curve=((0, 10.0), (5, 20.0)), comparisons={"random": (1.0, 2.0)})
    write_record(written, tmp_path)
    assert read_record(Record, tmp_path, written.cell) == written
    assert read_record(Record, tmp_path, replace(written.cell, repeats=7)) == written  # fewer networks than asked for
    assert read_record(Record, tmp_path / "elsewhere", written.cell) is None


def test_a_record_of_before_soft_labels_reads_as_hard(tmp_path: Path) -> None:
    written = record(accuracies=AGREEING)
    write_record(written, tmp_path)
    path = tmp_path / "record.json"
    content = json.loads(path.read_text())
    del content["checksum"], content["label_kind"], content["learned_rate"], content["cell"]["protocol"]["learned_rate"]
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


def before(content: dict[str, Any]) -> dict[str, Any]:
    """Values as an earlier version wrote them."""
    return {key: value for key, value in content.items() if key != "checksum"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train": "many"}, "is damaged: train: Input should be a valid integer"),
        ({"train": None}, "is damaged: train: Input should be a valid integer"),
        ({"score": {"accuracies": [40.0, 150.0], "confusion": [[1, 2], [3, 4]]}}, "expected 2 accuracies in percent"),
        ({"score": {"accuracies": [40.0], "confusion": [[1, 2], [3, 4]]}}, "expected 2 accuracies in percent"),
        ({"class_names": ["a"]}, "a confusion matrix of 1 classes"),
        ({"method": DEEP}, r"damaged"),
    ],
)
def test_a_record_with_a_wrong_value_is_refused_with_a_checksum_or_without(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    written = record(accuracies=AGREEING)
    write_record(written, tmp_path)
    path = tmp_path / "record.json"
    content = {**before(json.loads(path.read_text())), **change}
    for each in (sealed, dict):
        path.write_text(json.dumps(each(content)) if change != {"method": DEEP} else '{"method": ' + "[" * 100_000)
        with pytest.raises(UserError, match=said):
            read_record(Record, tmp_path, written.cell)


def test_a_changed_figure_does_not_match_the_checksum(tmp_path: Path) -> None:
    written = record(accuracies=AGREEING)
    write_record(written, tmp_path)
    path = tmp_path / "record.json"
    path.write_text(path.read_text().replace("[45.0,55.0]", "[46.0,55.0]"))
    with pytest.raises(UserError, match=r"record.json is damaged, or was changed by hand: its content does not match its checksum"):
        read_record(Record, tmp_path, written.cell)


def test_a_record_of_an_earlier_version_is_read_with_a_warning_if_its_figures_agree(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datastill.files.sealing.TOLD", set())
    written = record(accuracies=AGREEING, comparisons={"random": (49.0, 51.0)})
    for folder in (tmp_path / "a", tmp_path / "b"):
        write_record(written, folder)
        path = folder / "record.json"
        path.write_text(json.dumps(before(json.loads(path.read_text()))))
        assert read_record(Record, folder, written.cell) == written
    assert caplog.text.count("was written by an earlier version, without a checksum") == 1
    path.write_text(path.read_text().replace("49.0", "94.0"))
    with pytest.raises(UserError, match="its accuracies are not those of its confusion matrix"):
        read_record(Record, tmp_path / "b", written.cell)


def test_another_specification_is_refused(tmp_path: Path) -> None:
    write_record(record(accuracies=AGREEING), tmp_path)
    with pytest.raises(UserError, match=r"another specification \(ipc was 2, is 3\)"):
        read_record(Record, tmp_path, replace(record().cell, ipc=3))
