from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from datastill import provenance
from datastill.cli import main
from datastill.data import load
from datastill.encoders import TrainingRecipe
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS, TeacherExperiment, run_experiment
from datastill.files import checksum, load_tensors
from datastill.networks import build
from datastill.report.results import write
from datastill.teachers.pool import pretraining_cost
from doubles import KilledError, Training

RECIPE = TrainingRecipe(epochs=2, batch=64)
TINY = TeacherExperiment("A teacher", "digits", "convnet", {"two": RECIPE, "one": replace(RECIPE, epochs=1)}, remark="Tiny.")
SPECIFICATIONS = {"tiny": TINY}


@pytest.fixture(autouse=True)
def _known(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_command_writes_a_page_a_table_and_a_curve(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["experiment", "tiny", "--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")])
    folder = tmp_path / "results" / "tiny"
    assert f"results in {folder}" in capsys.readouterr().out
    assert not (cache / "networks").exists()  # nothing is found trained there, and nothing kept
    assert (tmp_path / "runs" / "tiny" / "two" / "networks").is_dir()
    two, one = table(folder / "table.csv")
    assert (two["recipe"], two["epochs"], one["recipe"], one["epochs"]) == ("two", "2", "one", "1")
    data = load("digits")
    work = pretraining_cost(data, build("convnet", channels=1, classes=10, size=(8, 8)), RECIPE)
    assert float(two["tflop"]) == pytest.approx(work / 1e12, abs=6e-4)
    assert (two["seed"], two["precision"], two["commit"]) == ("0", "fp32", provenance.commit())
    assert (int(two["train"]), int(two["held_out"])) == (len(data.train), len(data.validation))
    curve = table(folder / "curve.csv")
    assert [(point["recipe"], point["epoch"]) for point in curve] == [("two", "1"), ("two", "2"), ("one", "1")]
    assert all(0 <= float(point[name]) <= 100 for point in curve for name in ("training_accuracy", "held_out_accuracy"))
    assert float(curve[1]["held_out_accuracy"]) == float(two["held_out_accuracy"]) > 30
    config = yaml.safe_load((folder / "two" / "config.yaml").read_text())
    assert config["recipe"]["epochs"] == 2
    assert config["made_by"] == provenance.made_by()
    page = (folder / "README.md").read_text()
    assert page.startswith("# A teacher\n")
    assert page.count("| `two` |") == 1 + 2 + 1
    assert "\n\nTiny.\n\n" in page
    rows = [line.count("|") for line in page.splitlines() if line.startswith("|")]
    assert rows == [10] * 4 + [6] * 5 + [7] * 4
    with Image.open(folder / "curve.png") as picture:
        assert picture.width > 500
    assert "- [A teacher](tiny/README.md)" in (tmp_path / "results" / "README.md").read_text()


def test_killed_it_goes_on_to_the_same_weights_and_says_who_did(
    tmp_path: Path, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:

    def weights(runs: str) -> str:
        (path,) = (tmp_path / runs).rglob("0.safetensors")
        return checksum(load_tensors(path)[0])

    results, runs = tmp_path / "results", tmp_path / "runs"
    training.kill_at = 80  # there are 64 in an epoch
    monkeypatch.setattr(provenance, "commit", lambda: "before")
    with pytest.raises(KilledError):
        run_experiment("tiny", results=results, runs=runs, only=["two"], experiments=SPECIFICATIONS)
    training.forget()
    assert not results.exists()
    monkeypatch.setattr(provenance, "commit", lambda: "after")
    folder = run_experiment("tiny", results=results, runs=runs, only=["two"], recorded=write, experiments=SPECIFICATIONS)
    assert [row["commit"] for row in table(folder / "table.csv")] == ["before, after"]
    log = (folder / "two" / "metrics.jsonl").read_text()
    assert [json.loads(line)["iteration"] for line in log.splitlines()] == [1, 2]
    record = (folder / "two" / "record.json").read_text()
    (folder / "two" / "record.json").unlink()
    (folder / "two" / "metrics.jsonl").unlink()  # as if it had been killed before they were written
    run_experiment("tiny", results=results, runs=runs, only=["two"], experiments=SPECIFICATIONS)  # the network is found trained
    assert (folder / "two" / "record.json").read_text() == record
    run_experiment("tiny", results=tmp_path / "others", runs=tmp_path / "straight", only=["two"], experiments=SPECIFICATIONS)
    assert weights("straight") == weights("runs")


def test_a_run_of_another_recipe_is_not_published(tmp_path: Path) -> None:
    results, runs = tmp_path / "results", tmp_path / "runs"
    folder = run_experiment("tiny", results=results, runs=runs, only=["one"], experiments=SPECIFICATIONS)
    other = {"tiny": replace(TINY, recipes={"one": replace(RECIPE, epochs=1, momentum=0.8)})}
    with pytest.raises(UserError, match="has another specification"):
        run_experiment("tiny", results=results, runs=runs, experiments=other)
    for file in ("record.json", "metrics.jsonl"):
        (folder / "one" / file).unlink()
    with pytest.raises(UserError, match=r"recipe\.momentum was 0\.9, is 0\.8"):
        run_experiment("tiny", results=results, runs=runs, experiments=other)
