from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from datastill import provenance
from datastill.cli import main
from datastill.data import load
from datastill.distilled import DistilledSet
from datastill.encoders import RECIPES
from datastill.errors import UserError
from datastill.evaluation import Evaluation, Scorer
from datastill.evaluation.evaluate import evaluate
from datastill.experiments import EXPERIMENTS, Experiment, Row, TeacherExperiment, run_experiment, tables
from datastill.kinds.distribution_matching import MatchingStepper
from datastill.report.results import write, write_index
from datastill.runs.distill import distill

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
    epochs=1,
    compare=("random",),
)


class Bench:
    """Runs the tiny experiment and counts what is done: sets distilled and evaluated, networks trained."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.results, self.runs = folder / "results", folder / "runs"
        self.distilled: list[str] = []
        self.evaluated: list[str] = []
        self.trained: list[object] = []
        self.killed: str | None = None
        train: Callable[..., None] = Scorer._train

        def watched(distilled: DistilledSet, **options: Any) -> Evaluation:
            method = distilled.origin.method
            if method == self.killed:
                raise KeyboardInterrupt
            self.evaluated.append(method)
            return evaluate(distilled, **options)

        def trained(scorer: Scorer, images: object, labels: object, path: tuple[int | str, ...], bar: object) -> None:
            if path[-1] != "validation":  # those of the curve
                self.trained.append(path)
            train(scorer, images, labels, path, bar)

        def counted(*arguments: Any, **options: Any) -> DistilledSet:
            self.distilled.append(options["method"].name)
            return distill(*arguments, **options)

        monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)
        monkeypatch.setattr(tables, "evaluate", watched)
        monkeypatch.setattr(Scorer, "_train", trained)
        monkeypatch.setattr(tables, "distill", counted)

    def run(self, *only: str, name: str = "tiny", repeats: int | None = None) -> Path:
        folder = run_experiment(name, results=self.results, runs=self.runs, only=only, repeats=repeats, recorded=write)
        write_index(EXPERIMENTS, self.results)
        return folder

    def table(self, name: str = "tiny") -> list[dict[str, str]]:
        with (self.results / name / "table.csv").open() as file:
            return list(csv.DictReader(file))

    def evaluation(self, row: str, name: str = "tiny") -> dict[str, Any]:
        content = json.loads((self.results / name / row / "evaluation.json").read_text())
        assert isinstance(content, dict)
        return content


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_table_a_curve_a_page_and_every_log_are_written(bench: Bench) -> None:
    folder = bench.run()
    assert folder == bench.results / "tiny"
    assert (bench.distilled, bench.evaluated) == (["dm", "dm+cm"], ["dm", "dm+cm"])
    first, second = bench.table()
    assert list(first) == [
        "method", "preset", "data", "ipc", "network", "accuracy", "std", "interval95", "n", "images", "trained_on", "paper", "split",
        "iterations", "train", "real_batch", "pixels", "terms", "networks", "epochs", "augment", "run_seed", "evaluation_seeds",
        "seconds_per_iteration", "minutes", "teacher_minutes", "precision", "commit", "evaluation_commit", "log",
    ]  # fmt: skip
    assert (first["method"], first["data"], first["ipc"], first["iterations"], first["n"]) == ("dm", "digits", "2", "5", "2")
    assert (first["paper"], second["paper"], first["split"], first["real_batch"]) == ("48.5", "", "test", "16")
    assert (first["terms"], second["terms"]) == ("mm weight=1.0", "mm weight=1.0; cm weight=0.5")
    assert (first["pixels"], first["networks"]) == ("rate 1.0, momentum 0.5", "matching: FreshNetwork convnet")
    for row in (first, second):
        assert (row["network"], row["images"], row["trained_on"], row["epochs"]) == ("convnet", "20", "20", "1")
        assert row["commit"] == row["evaluation_commit"] == provenance.commit()
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
    write(TINY, folder)
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
    write(TINY, folder)
    assert (bench.table()[0]["commit"], bench.table()[0]["evaluation_commit"]) == ("abc, def", provenance.commit())
    evaluation = bench.evaluation("dm")
    (folder / "dm" / "evaluation.json").write_text(json.dumps({**evaluation, "made_by": {**evaluation["made_by"], "commit": "fed"}}))
    write(TINY, folder)
    assert (bench.table()[0]["commit"], bench.table()[0]["evaluation_commit"]) == ("abc, def", "fed")
    assert "| abc, def; fed |" in (folder / "README.md").read_text()


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
    short = Experiment("T", "digits", 1, 1, (Row("dm"),), settings=("real_batch=4",), repeats=1, epochs=1)
    monkeypatch.setitem(EXPERIMENTS, "tiny", short)
    folder = bench.run()
    assert [row["interval95"] for row in bench.table()] == [""]
    assert not (folder / "curve.png").exists()


def test_fewer_networks_come_first_and_only_those_missing_later(bench: Bench) -> None:
    bench.run("dm", repeats=1)
    assert bench.trained == [(0, 0)]
    assert [(row["method"], row["n"], row["interval95"], row["evaluation_seeds"]) for row in bench.table()] == [("dm", "1", "", "0/0..0")]
    bench.run(repeats=1)  # the row that is there has as many as asked for
    assert bench.trained == [(0, 0), (0, 0), (0, 0)]  # the other row, and what it is compared with
    bench.trained.clear()
    bench.run()
    assert bench.trained == [(0, 1)] * 3
    assert [(row["n"], row["evaluation_seeds"]) for row in bench.table()] == [("2", "0/0..1")] * 2
    bench.trained.clear()
    pages = (bench.results / "tiny" / "README.md").read_bytes()
    bench.run(repeats=1)  # what is there stays
    bench.run(repeats=99)  # and no more are trained than the specification says
    assert bench.trained == []
    assert (bench.results / "tiny" / "README.md").read_bytes() == pages
    with pytest.raises(UserError, match="at least one network, got --repeats 0"):
        bench.run(repeats=0)


def test_completed_later_the_figures_are_those_of_all_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for repeats in (1, None):
        bench.run("dm+cm", repeats=repeats)
    once = Bench(bench.results.parent / "once", monkeypatch)
    once.run("dm+cm")
    assert bench.evaluation("dm+cm") == once.evaluation("dm+cm")


def test_killed_within_an_evaluation_it_trains_only_the_networks_that_are_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    train: Callable[..., None] = Scorer._train

    def killed(scorer: Scorer, images: object, labels: object, path: tuple[int | str, ...], bar: object) -> None:
        if path == (0, 1):
            raise KeyboardInterrupt
        train(scorer, images, labels, path, bar)

    with monkeypatch.context() as patch:
        patch.setattr(Scorer, "_train", killed)
        with pytest.raises(KeyboardInterrupt):
            bench.run("dm")
    assert bench.trained == [(0, 0)]
    assert not (bench.results / "tiny" / "dm" / "evaluation.json").exists()
    bench.run("dm")
    assert bench.trained == [(0, 0), (0, 1)]


def test_a_choice_is_made_on_the_validation_split_and_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "tiny", replace(TINY, split="validation", epochs=3))
    folder = bench.run("dm")
    (row,) = bench.table()
    evaluation = bench.evaluation("dm")
    assert (row["split"], row["epochs"]) == (evaluation["split"], "3") == ("validation", "3")
    assert sum(map(sum, evaluation["confusion"])) == 2 * len(load("digits").validation)
    page = (folder / "README.md").read_text()
    assert "Top-1 on the validation split of digits" in page
    assert "for 3 epochs" in page


ACROSS = replace(
    TINY,
    title="Across",
    rows=tuple(Row("dm", label=network, network=network, of="tiny/dm") for network in ("convnet", "vgg11")),
    settings=("real_batch=3",),  # not its own: the set is the other table's
    compare=(),
)


def test_one_set_is_evaluated_with_several_networks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "across", ACROSS)
    folder = bench.run(name="across")
    assert sorted(path.name for path in bench.runs.iterdir() if any(path.glob("*/config.yaml"))) == ["tiny"]
    steps = len((bench.runs / "tiny" / "dm" / "metrics.jsonl").read_text().splitlines())
    assert [(row["method"], row["network"], row["real_batch"], row["n"]) for row in bench.table("across")] == [
        ("convnet", "convnet", "16", "2"),
        ("vgg11", "vgg11", "16", "2"),
    ]
    assert "n networks (convnet, vgg11) trained" in (folder / "README.md").read_text()
    bench.run("dm")  # finds its set distilled
    assert len((bench.runs / "tiny" / "dm" / "metrics.jsonl").read_text().splitlines()) == steps
    one, other = bench.evaluation("convnet", "across"), bench.evaluation("dm")
    assert one == other
    assert bench.evaluation("vgg11", "across")["accuracies"] != one["accuracies"]
    assert bench.evaluation("vgg11", "across")["protocol"]["network"] == "vgg11"
    assert (folder / "vgg11" / "config.yaml").read_bytes() == (bench.results / "tiny" / "dm" / "config.yaml").read_bytes()
    assert (folder / "vgg11" / "grid.png").exists()


def test_a_set_of_another_table_that_is_there_is_not_distilled_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "across", ACROSS)
    bench.run("dm")
    kept = (bench.runs / "tiny" / "dm" / "metrics.jsonl").read_bytes()
    bench.run("vgg11", name="across")
    assert (bench.runs / "tiny" / "dm" / "metrics.jsonl").read_bytes() == kept
    assert [row["method"] for row in bench.table("across")] == ["vgg11"]


def test_a_teacher_has_no_set_to_evaluate(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "teacher", TeacherExperiment("T", "digits", "convnet", {"fast": RECIPES["fast"]}))
    monkeypatch.setitem(EXPERIMENTS, "across", replace(ACROSS, rows=(Row("dm", of="teacher/fast"),)))
    with pytest.raises(TypeError, match="teacher is no table of distilled sets"):
        bench.run(name="across")


def test_a_line_says_what_moved_the_pixels_and_all_its_networks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = ("pretrained.network=convnet", "pretrained.recipe.epochs=1", "pretrained.every=2")
    rows = (
        Row("idm+cc", settings=(*teacher, "matching.steps=1", "matching.batch=8")),
        Row("cafe", settings=("matching.passes=1", "matching.query=2", "views=2", "learning_rate=0.5")),
    )
    wide = replace(TINY, rows=rows, preset="fast", iterations=1, validate_at=(), compare=(), repeats=1)
    monkeypatch.setitem(EXPERIMENTS, "tiny", wide)
    folder = bench.run()
    idm, cafe = bench.table()
    assert idm["pixels"] == "rate 1.0, momentum 0.5, averaging 0.99, factor 2, by class"
    networks, _, read = idm["networks"].partition(" epochs (")
    assert networks == "matching: NetworkQueue convnet push_every=30 trained=2 steps=1; pretrained: 1 x convnet, 1"
    checksum = yaml.safe_load((folder / "idm+cc" / "config.yaml").read_text())["encoders"]["pretrained 0"]
    assert read == f"{checksum[:8]}) every=2 most=2"
    assert (idm["images"], idm["trained_on"], idm["preset"]) == ("20", "80", "fast")
    assert float(idm["teacher_minutes"]) >= 0
    assert cafe["pixels"] == "rate 0.5, momentum 0.5, averaging 0.99, views 2"
    assert cafe["networks"] == "matching: GrowingNetwork convnet judged=2 passes=1 query=2"
    assert (cafe["images"], cafe["trained_on"], cafe["teacher_minutes"]) == ("20", "20", "0.0")
    assert "20 images of the set after the last iteration, the parts of stored images counted" in (folder / "README.md").read_text()
    assert not (folder / "curve.csv").exists()


def test_a_table_may_have_lines_of_chosen_real_images(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = (Row("random", 14.4), Row("herding", settings=("recipe.epochs=1",)), Row("dm", settings=("real_batch=16",)))
    monkeypatch.setitem(EXPERIMENTS, "mixed", replace(TINY, rows=chosen, settings=(), validate_at=()))
    bench.run(name="mixed")
    random, herding, dm = bench.table("mixed")
    assert [row["iterations"] for row in (random, herding, dm)] == ["1", "1", "5"]
    assert (random["pixels"], random["terms"], random["networks"], random["real_batch"]) == ("of real images", "none", "none", "none")
    assert herding["networks"].startswith("pretrained: 1 x convnet, 1 epochs (")
    assert float(herding["teacher_minutes"]) > 0
    assert "| `herding` | paper | 1 | none | none | pretrained: 1 x convnet" in (bench.results / "mixed" / "README.md").read_text()


def test_the_command_completes_an_experiment(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["experiment", "tiny", "--results", str(bench.results), "--runs", str(bench.runs), "--only", "dm"]
    main([*options, "--repeats", "1"])
    main(options)
    assert capsys.readouterr().out == f"results in {bench.results / 'tiny'}\n" * 2
    assert bench.trained == [(0, 0), (0, 1)]
    with pytest.raises(SystemExit):
        main([*options, "--repeats", "0"])
    assert "got --repeats 0" in capsys.readouterr().err


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
