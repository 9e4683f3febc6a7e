from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datastill.artifact import DistilledSet
from datastill.distill import distill
from datastill.errors import UserError
from datastill.evaluate import Evaluation, Protocol, evaluate
from datastill.experiments import EXPERIMENTS, Experiment, Row, run_experiment, running, tables
from datastill.methods.matching import MatchingStepper

TINY = Experiment(
    "The title",
    "digits",
    2,
    5,
    (Row("dm", 48.5), Row("dm+cm", settings=("cm.weight=0.5",))),
    settings=("real_batch=16",),
    validate_at=(0, 5),
    validation_epochs=2,
    repeats=2,
    compare=("random",),
)


class Bench:
    """Runs the tiny experiment, with evaluations of one epoch, and counts what is done."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.results, self.runs = folder / "results", folder / "runs"
        self.distilled: list[str] = []
        self.evaluated: list[str] = []
        self.killed: str | None = None

        def quick(distilled: DistilledSet, **options: Any) -> Evaluation:
            method = distilled.origin.method
            if method == self.killed:
                raise KeyboardInterrupt
            self.evaluated.append(method)
            return evaluate(distilled, **options, protocol=Protocol(epochs=1))

        def counted(*arguments: Any, **options: Any) -> DistilledSet:
            self.distilled.append(options["method"].name)
            return distill(*arguments, **options)

        monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)
        monkeypatch.setattr(tables, "evaluate", quick)
        monkeypatch.setattr(tables, "distill", counted)

    def run(self, *only: str) -> Path:
        return run_experiment("tiny", results=self.results, runs=self.runs, only=only)

    def table(self) -> list[dict[str, str]]:
        with (self.results / "tiny" / "table.csv").open() as file:
            return list(csv.DictReader(file))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_table_a_curve_a_page_and_every_log_are_written(bench: Bench) -> None:
    folder = bench.run()
    assert folder == bench.results / "tiny"
    assert (bench.distilled, bench.evaluated) == (["dm", "dm+cm"], ["dm", "dm+cm"])
    first, second = bench.table()
    assert list(first) == [
        "method", "preset", "data", "ipc", "network", "accuracy", "std", "interval95", "n", "paper", "split", "iterations", "train",
        "real_batch",
        "terms", "encoder", "epochs", "augment", "run_seed", "evaluation_seeds", "seconds_per_iteration",
        "minutes", "teacher_minutes", "precision", "commit", "log",
    ]  # fmt: skip
    assert (first["method"], first["data"], first["ipc"], first["iterations"], first["n"]) == ("dm", "digits", "2", "5", "2")
    assert (first["paper"], second["paper"], first["split"], first["real_batch"]) == ("48.5", "", "test", "16")
    assert (first["terms"], second["terms"]) == ("mm weight=1.0", "mm weight=1.0; cm weight=0.5")
    for row in (first, second):
        evaluation = json.loads((folder / row["method"] / "evaluation.json").read_text())
        assert float(row["accuracy"]) == pytest.approx(evaluation["accuracy"], abs=0.005)
        assert evaluation["made_by"]["machine"]["cores"] >= 1
        log = [json.loads(line) for line in (folder / row["log"]).read_text().splitlines()]
        assert [entry["iteration"] for entry in log if "loss" in entry] == [1, 2, 3, 4, 5]
        assert (folder / row["method"] / "config.yaml").exists()
        assert (folder / row["method"] / "grid.png").exists()
    assert set(json.loads((folder / "dm+cm" / "evaluation.json").read_text())["comparisons"]) == {"random"}
    assert json.loads((folder / "dm" / "evaluation.json").read_text())["comparisons"] == {}
    with (folder / "curve.csv").open() as file:
        curve = [(row["method"], row["iteration"]) for row in csv.DictReader(file)]
    assert curve == [("dm", "0"), ("dm", "5"), ("dm+cm", "0"), ("dm+cm", "5")]
    assert (folder / "curve.png").exists()
    page = (folder / "README.md").read_text()
    assert page.startswith("# The title\n")
    assert f"| `dm` | {float(first['accuracy']):.2f} +- " in page
    assert "curve.png" in page
    index = (bench.results / "README.md").read_text()
    assert "- [The title](tiny/README.md)" in index
    assert "components-cifar10-ipc10" not in index


def test_minutes_of_table_and_curve_follow_the_log(bench: Bench) -> None:
    folder = bench.run("dm")
    log = [json.loads(line) for line in (folder / "dm" / "metrics.jsonl").read_text().splitlines()]
    log = [{**entry, "seconds": 500.0 if entry["iteration"] == 2 else 6.0} if "loss" in entry else entry for entry in log]
    (folder / "dm" / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
    running.write(TINY, folder)
    (row,) = bench.table()
    assert (row["seconds_per_iteration"], row["minutes"]) == ("6.0", "0.5")
    with (folder / "curve.csv").open() as file:
        assert [float(point["minutes"]) for point in csv.DictReader(file)] == [0, 0.5]
    assert "median step times steps" in (folder / "README.md").read_text()


def test_a_line_names_every_commit_that_took_steps(bench: Bench) -> None:
    folder = bench.run("dm")
    config = yaml.safe_load((folder / "dm" / "config.yaml").read_text())
    config = {**config, "made_by": {"commit": "abc"}, "continued_by": [{"commit": "def"}, {"commit": "abc"}]}
    (folder / "dm" / "config.yaml").write_text(yaml.safe_dump(config))
    running.write(TINY, folder)
    assert bench.table()[0]["commit"] == "abc, def"


def test_killed_between_rows_it_goes_on_with_the_next(bench: Bench) -> None:
    bench.killed = "dm+cm"
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    assert [row["method"] for row in bench.table()] == ["dm"]
    before = (bench.results / "tiny" / "dm" / "evaluation.json").read_bytes()
    bench.killed = None
    bench.run()
    # the second set was distilled already: its run is asked for again, to be checked, and takes no step
    assert (bench.distilled, bench.evaluated) == (["dm", "dm+cm", "dm+cm"], ["dm", "dm+cm"])
    assert [row["method"] for row in bench.table()] == ["dm", "dm+cm"]
    assert (bench.results / "tiny" / "dm" / "evaluation.json").read_bytes() == before
    page = (bench.results / "tiny" / "README.md").read_bytes()
    (bench.results / "tiny" / "README.md").unlink()
    bench.run()
    assert len(bench.evaluated) == 2
    assert (bench.results / "tiny" / "README.md").read_bytes() == page


def test_a_finished_run_of_other_values_is_not_published(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.killed = "dm"
    with pytest.raises(KeyboardInterrupt):
        bench.run("dm")
    bench.killed = None
    monkeypatch.setitem(EXPERIMENTS, "tiny", replace(TINY, settings=("real_batch=17",)))
    with pytest.raises(UserError, match=r"method\.real_batch was 16, is 17"):
        bench.run("dm")
    assert not (bench.results / "tiny" / "dm" / "evaluation.json").exists()


def test_killed_within_a_row_it_continues_the_run_to_the_same_bits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    step = MatchingStepper.step
    steps: list[int] = []

    def killed(stepper: MatchingStepper, iteration: int) -> dict[str, float]:
        if iteration == 3:
            raise KeyboardInterrupt
        return step(stepper, iteration)

    def counted(stepper: MatchingStepper, iteration: int) -> dict[str, float]:
        steps.append(iteration)
        return step(stepper, iteration)

    monkeypatch.setitem(EXPERIMENTS, "tiny", replace(TINY, validate_at=(2,)))  # with a checkpoint there
    with monkeypatch.context() as patch:
        patch.setattr(MatchingStepper, "step", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.run("dm")
    assert not (bench.results / "tiny").exists()
    assert (bench.runs / "tiny" / "dm" / "checkpoint").is_dir()
    monkeypatch.setattr(MatchingStepper, "step", counted)
    bench.run("dm")
    assert steps == [2, 3, 4]
    fresh = Bench(bench.results.parent / "again", monkeypatch)
    monkeypatch.setitem(EXPERIMENTS, "tiny", replace(TINY, validate_at=(2,)))
    fresh.run("dm")
    assert steps[3:] == [0, 1, 2, 3, 4]
    one, other = (DistilledSet.load(runs / "tiny" / "dm").images for runs in (bench.runs, fresh.runs))
    assert torch.equal(one, other)


def test_one_row_can_be_run_alone(bench: Bench) -> None:
    bench.run("dm+cm")
    assert [row["method"] for row in bench.table()] == ["dm+cm"]
    bench.run("dm")
    assert [row["method"] for row in bench.table()] == ["dm", "dm+cm"]  # in the order of the specification


def test_one_network_leaves_the_interval_empty(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "tiny", Experiment("T", "digits", 1, 1, (Row("dm"),), settings=("real_batch=4",), repeats=1))
    folder = bench.run()
    assert [row["interval95"] for row in bench.table()] == [""]
    assert not (folder / "curve.png").exists()


def test_unknown_experiments_and_rows_are_refused(bench: Bench) -> None:
    with pytest.raises(UserError, match=r"unknown experiment 'tinny'\. Did you mean 'tiny'"):
        run_experiment("tinny", results=bench.results, runs=bench.runs)
    with pytest.raises(UserError, match=r"unknown row 'dm\+cc'"):
        bench.run("dm+cc")
    assert not bench.results.exists()


def test_what_is_published_stays_as_it_was_specified() -> None:
    experiment = EXPERIMENTS["components-cifar10-ipc10"]
    assert isinstance(experiment, Experiment)
    assert (experiment.data, experiment.ipc, experiment.iterations, experiment.repeats, experiment.seed) == ("cifar10", 10, 1000, 5, 0)
    # Table 6 of the paper
    assert {row.method: row.paper for row in experiment.rows} == {"dm": 48.5, "dm+cm": 51.6, "dm+cc": 52.2, "dm+iid": 55.1}
