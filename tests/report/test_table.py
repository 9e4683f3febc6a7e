from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datastill.report.curve import write_curves
from datastill.report.table import write_table


def line(method: str, accuracy: float, paper: float | None, interval: float | None) -> dict[str, Any]:
    return {
        "method": method, "data": "digits", "ipc": 2, "network": "convnet", "accuracy": accuracy, "std": 0.456, "interval95": interval,
        "n": 5, "labels": "hard", "images": 20, "trained_on": 20, "paper": paper, "split": "test", "iterations": 7, "real_batch": 8,
        "terms": "mm weight=1.0", "networks": "matching: FreshNetwork convnet", "pixels": "rate 1.0, momentum 0.5", "epochs": 1000,
        "learning_rate": 0.01,
        "train": 45000, "augment": True, "run_seed": 0, "evaluation_seeds": "0/0..4", "seconds_per_iteration": 0.5, "minutes": 0.5,
        "teacher_minutes": None, "preset": "paper", "precision": "fp32", "commit": "abc+", "evaluation_commit": "def",
        "log": f"{method}/metrics.jsonl",
    }  # fmt: skip


def test_a_page_has_a_line_per_row_with_the_difference_to_the_paper(tmp_path: Path) -> None:
    rows = [line("dm", 48.0, 48.5, 0.567), line("dm+cm", 52.345, 51.6, 0.5), line("dm+own", 40.0, None, None)]
    rows.append({**line("dm+once", 41.0, None, None), "n": 1, "std": 0.0})
    write_table("Some title", rows, tmp_path / "README.md", picture="curve.png")
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("# Some title\n")
    assert "| `dm` | 48.00 +- 0.46 | +- 0.57 | 5 | 48.5 | -0.50 |" in text
    assert "| 51.6 | +0.7" in text
    assert "| `dm+own` | 40.00 +- 0.46 |  | 5 |  |  |" in text
    assert "| `dm+once` | 41.00 |  | 1 |  |  |" in text  # one network has no spread
    assert "[dm+cm/metrics.jsonl](dm+cm/metrics.jsonl)" in text
    assert "for 1000 epochs" in text
    assert "on 45000 training images" in text
    assert "on the 20 images of the set after the last iteration. " in text
    assert "n networks (convnet) trained" in text
    assert "| matching: FreshNetwork convnet | rate 1.0, momentum 0.5 | 0.5; none | 0; 0/0..4 | fp32 | abc+; def |" in text
    assert "![accuracy over iterations](curve.png)" in text
    write_table("Some title", rows, tmp_path / "README.md", picture=None)
    assert "![" not in (tmp_path / "README.md").read_text()


def test_every_line_of_a_table_has_as_many_cells_as_its_head(tmp_path: Path) -> None:
    write_table("T", [line("dm", 48.0, None, None)], tmp_path / "README.md", picture=None)
    tables = [line.count("|") for line in (tmp_path / "README.md").read_text().splitlines() if line.startswith("|")]
    assert tables == [7, 7, 7, 13, 13, 13]


def test_what_differs_between_the_lines_is_said_of_all_of_them(tmp_path: Path) -> None:
    first, second = line("dm", 48.0, None, None), line("idm", 50.0, None, None)
    second = {
        **second,
        "network": "vgg11",
        "trained_on": 80,
        "networks": "matching: NetworkQueue convnet; pretrained: 1 x resnet18, 8 epochs",
    }
    write_table("T", [first, {**second, "teacher_minutes": 3.21}, {**second, "method": "old"}], tmp_path / "README.md", picture=None)
    text = (tmp_path / "README.md").read_text()
    assert "n networks (convnet, vgg11) trained" in text
    assert "on the 20, 80 images of the set after the last iteration, the parts of stored images counted. " in text
    minutes = [row.split("|")[8].strip() for row in text.splitlines() if "metrics.jsonl" in row]
    assert minutes == ["0.5; none", "0.5; 3.2", "0.5; not recorded"]  # without a teacher, with one, and with one that nobody timed


@pytest.mark.parametrize("count", [1, 3])
def test_a_curve_has_a_colour_per_method(tmp_path: Path, count: int) -> None:
    points = [
        {"method": f"dm+{number}", "iteration": iteration, "minutes": 2.0 * iteration, "validation_accuracy": 10.0 * number + iteration}
        for number in range(count)
        for iteration in (0, 5, 10)
    ]
    write_curves(points, tmp_path / "curve.png", "T")
    with Image.open(tmp_path / "curve.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    colours = [(31, 119, 180), (255, 127, 14), (44, 160, 44)]  # matplotlib's first three
    drawn = [bool((np.abs(pixels - np.array(colour)).sum(2) < 6).any()) for colour in colours]
    assert drawn == [number < count for number in range(3)]


def test_soft_and_hard_labels_are_never_one_table(tmp_path: Path) -> None:
    hard, soft = line("dm", 48.0, 48.5, 0.5), {**line("ld", 52.0, None, 0.5), "labels": "soft"}
    write_table("T", [hard, soft, {**hard, "method": "dm+cm"}], tmp_path / "README.md", picture=None)
    text = (tmp_path / "README.md").read_text()
    first, second = text.index("## Labels: hard"), text.index("## Labels: soft")
    assert first < text.index("| `dm` | 48.00") < text.index("| `dm+cm` | 48.00") < second < text.index("| `ld` | 52.00")
    assert text.count("| method | accuracy %") == 2
    assert "Labels: hard and soft; learning rate: 0.01." in text
    write_table("T", [soft], tmp_path / "README.md", picture=None)
    assert "##" not in (tmp_path / "README.md").read_text()
    assert "Labels: soft; learning rate" in (tmp_path / "README.md").read_text()
