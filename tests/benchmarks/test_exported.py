"""The experiment on exported folders, on a small table: it goes on where it stopped, and its page is made from the record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.exported import TRAININGS, Table, accuracy, run, trained
from benchmarks.exported_page import write_page

from datastill import distill, export, load

TABLE = Table(
    "digits[0-2]",
    ipc=2,
    iterations=2,
    epochs=2,
    sets=(("dm", ()), ("dm, pixels=box", ("pixels=box",))),
    method="dm",
    trainings=tuple(TRAININGS),
    repeats=1,
)


def networks(results: Path) -> list[dict[str, object]]:
    content: dict[str, list[dict[str, object]]] = json.loads((results / "exported" / "small" / "record.json").read_text())
    return content["networks"]


@pytest.mark.long
def test_a_table_is_trained_once_extended_and_written(tmp_path: Path) -> None:
    results, runs = tmp_path / "results", tmp_path / "runs"
    run("small", TABLE, results, runs)
    first = networks(results)
    assert [(entry["trained_on"], entry["training"]) for entry in first] == [
        (name, training) for training in ("batch norm", "as in README.md") for name in ("random", "dm", "dm, pixels=box")
    ]
    assert {entry["images"] for entry in first} == {6}
    assert [entry["clipped"] for entry in first if entry["trained_on"] != "dm"] == [0.0] * 4
    run("small", TABLE, results, runs)
    assert networks(results) == first, "what is there is not trained again"
    run("small", replace(TABLE, repeats=2), results, runs)
    assert networks(results)[:6] == first
    assert [entry["seed"] for entry in networks(results)] == [0] * 6 + [1] * 6
    page = (results / "exported" / "README.md").read_text()
    assert "## digits[0-2], IPC 2" in page
    assert "(exported/README.md)" in (results / "README.md").read_text()
    assert page.count("| 2 |") == 6
    with pytest.raises(SystemExit, match=r"networks of another table: remove it, or choose another --results"):
        run("small", replace(TABLE, epochs=3), results, runs)


@pytest.mark.long
def test_an_accuracy_is_that_of_the_training_in_the_folder(tmp_path: Path) -> None:
    data = load("digits[0-1]")
    folder = export(distill(data, method="random", ipc=20), tmp_path / "folder", "folder")
    network, transform = trained(folder, 25, 0, {})
    assert accuracy(network, data, transform) > 90  # two digits are told apart


def test_the_page_has_mean_deviation_and_difference(tmp_path: Path) -> None:
    made_by = {"datastill": "1", "commit": "0123456789ab", "machine": {"processor": "a processor", "torch": "2"}}
    facts = {"training": "batch norm", "clipped": 0.25, "loss_of_rendering": 0.1, "seconds": 90.0, "images": 6, "made_by": made_by}
    entries = [
        {"trained_on": name, "seed": seed, "accuracy": accuracy, **facts}
        for name, accuracies in (("random", (40.0, 45.0, 50.0)), ("dm", (60.0, 61.0, 62.0)))
        for seed, accuracy in enumerate(accuracies)
    ]
    described = {"data": "digits", "ipc": 2, "epochs": 3, "method": "dm", "preset": "fast", "iterations": 4}
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "record.json").write_text(json.dumps({"table": described, "networks": entries}))
    write_page(tmp_path)
    page = (tmp_path / "README.md").read_text()
    # Student's t at 0.975 with 2 degrees of freedom is 4.30265: 4.30265 * 5 / sqrt(3) = 12.42, 4.30265 / sqrt(3) = 2.48
    assert "| `random` | batch norm | 45.00 +- 4.08 | +- 12.42 | 3 |  | 25% | 1.5 |" in page
    assert "| `dm` | batch norm | 61.00 +- 0.82 | +- 2.48 | 3 | +16.00 | 25% | 1.5 |" in page
    assert "commit 0123456789ab" in page
