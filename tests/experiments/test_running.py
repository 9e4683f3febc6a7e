from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from datastill import provenance
from datastill.cli import main
from datastill.data import load
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, Block, Experiment, Record, Row, TeacherExperiment, run_experiment
from datastill.experiments.reading import read_cell
from datastill.methods import method
from datastill.report.results import write
from datastill.runs.distill import distill
from datastill.teachers.recipe import RECIPES

BLOCK = Block("digits", (2,), 5, validate_at=(0, 5), validation_epochs=2, repeats=2, epochs=1)
TINY = Experiment(
    "The title",
    (BLOCK,),
    (Row("dm", 48.5), Row("dm+cm", settings=("cm.weight=0.5",))),
    settings=("real_batch=16",),
    compare=("random",),
)
WIDE = Experiment(
    "Wide",
    (
        replace(BLOCK, ipcs=(1, 2), seeds=(0, 1), validate_at=(), iterations=2, settings=("real_batch=16",)),
        Block("digits[0-2]", (2,), 1, repeats=1, epochs=1, label="three digits"),
    ),
    (Row("random", inherits=False, iterations=0), Row("dm", {("three digits", 2): 77.0})),
)
ACROSS = Experiment(
    "Across",
    (BLOCK,),
    tuple(Row("dm", label=network, network=network, of="tiny/dm") for network in ("convnet", "vgg11")),
    settings=("real_batch=3",),  # not its own: the set is the other table's
)
SPECIFICATIONS = {"tiny": TINY, "wide": WIDE, "across": ACROSS}

Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs one of the specifications, or another one in the place of "tiny", in folders of the test's own."""

    def running(name: str, *only: str, repeats: int | None = None, changed: Experiment = TINY) -> Path:
        experiments = {**SPECIFICATIONS, "tiny": changed}
        results, runs = tmp_path / "results", tmp_path / "runs"
        return run_experiment(name, results=results, runs=runs, only=only, repeats=repeats, recorded=write, experiments=experiments)

    return running


def record(folder: Path, place: str = "") -> Record:
    experiment = SPECIFICATIONS[folder.name]
    for cell in experiment.cells(folder.name, SPECIFICATIONS):
        if cell.name == f"{folder.name}/{place}":
            found = read_cell(cell, folder.parent)
            assert found is not None
            return found
    raise KeyError(place)


def table(folder: Path, name: str = "table.csv") -> list[dict[str, str]]:
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


def test_a_table_a_curve_a_page_and_every_record_are_written(run: Run, tmp_path: Path) -> None:
    folder = run("tiny")
    assert folder == tmp_path / "results" / "tiny"
    first, second = table(folder)
    assert (first["method"], first["data"], first["ipc"], first["iterations"], first["n"]) == ("dm", "digits", "2", "5", "2")
    assert (first["paper"], second["paper"], first["split"], first["real_batch"]) == ("48.5", "", "test", "16")
    assert (first["terms"], second["terms"]) == ("mm weight=1.0", "mm weight=1.0; cm weight=0.5")
    assert (first["pixels"], first["networks"]) == ("rate 1.0, momentum 0.5", "matching: FreshNetwork convnet")
    for row in (first, second):
        assert (row["network"], row["images"], row["trained_on"], row["epochs"]) == ("convnet", "20", "20", "1")
        assert row["commit"] == row["evaluation_commit"] == provenance.commit()
        assert row["precision"] == row["evaluation_precision"] == "fp32"
        found = record(folder, row["method"])
        assert float(row["accuracy"]) == pytest.approx(sum(found.score.accuracies) / 2, abs=0.005)
        log = [json.loads(line) for line in (folder / row["log"]).read_text().splitlines()]
        assert [entry["iteration"] for entry in log if "loss" in entry] == [1, 2, 3, 4, 5]
        assert (folder / row["method"] / "grid.png").exists()
    assert (set(record(folder, "dm+cm").comparisons), set(record(folder, "dm").comparisons)) == ({"random"}, set())
    assert [(row["method"], row["iteration"]) for row in table(folder, "curve.csv")] == [
        ("dm", "0"), ("dm", "5"), ("dm+cm", "0"), ("dm+cm", "5"),
    ]  # fmt: skip
    page = (folder / "README.md").read_text()
    assert page.startswith("# The title\n")
    assert "curve.png" in page


def test_blocks_ipcs_and_seeds_are_one_table(run: Run) -> None:
    folder = run("wide")
    lines = table(folder)
    assert [(line["data"], line["ipc"], line["method"], line["n"], line["sets"]) for line in lines] == [
        ("digits", "1", "random", "4", "2"), ("digits", "1", "dm", "4", "2"), ("digits", "2", "random", "4", "2"),
        ("digits", "2", "dm", "4", "2"), ("three digits", "2", "random", "1", "1"), ("three digits", "2", "dm", "1", "1"),
    ]  # fmt: skip
    assert [line["paper"] for line in lines] == [""] * 5 + ["77.0"]
    sets = [record(folder, f"digits-ipc2/dm/seed{seed}") for seed in (0, 1)]
    means = [sum(found.score.accuracies) / 2 for found in sets]
    assert float(lines[3]["accuracy"]) == pytest.approx(sum(means) / 2, abs=0.005)
    assert float(lines[3]["std"]) == pytest.approx(abs(means[0] - means[1]) / 2, abs=0.005)  # over the sets
    assert (lines[3]["run_seed"], lines[3]["evaluation_seeds"]) == ("0, 1", "0/0..1, 1/0..1")
    assert (lines[5]["std"], lines[5]["interval95"]) == ("", "")
    subset = DistilledSet.load(folder.parents[1] / "runs" / "wide" / "digits-ipc2" / "random" / "seed1")
    real = load("digits").train
    pixels = load("digits").normalise(real.gather(torch.arange(len(real))))
    assert all(bool((pixels == image).flatten(1).all(1).any()) for image in subset.images)
    assert "| `dm` |" in (folder / "README.md").read_text()
    assert "over distilling seeds" in (folder / "README.md").read_text()


def test_a_part_of_a_table_says_so_in_its_title_and_is_completed_later(run: Run) -> None:
    folder = run("wide", "three-digits-ipc2")
    page = (folder / "README.md").read_text()
    assert page.startswith("# Wide (2 of 10 cells)\n\nNot run: `digits-ipc1/random/seed0`, ")
    run("wide", "digits-ipc1/dm/seed1")
    assert [(line["data"], line["sets"]) for line in table(folder)] == [("digits", "1"), ("three digits", "1"), ("three digits", "1")]


def test_killed_between_cells_it_goes_on_with_the_next(tmp_path: Path) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    results, runs = tmp_path / "results", tmp_path / "runs"
    with pytest.raises(KeyboardInterrupt):
        run_experiment("tiny", results=results, runs=runs, recorded=killed, experiments=SPECIFICATIONS)
    first = tmp_path / "results" / "tiny" / "dm" / "record.json"
    before = first.read_bytes(), first.stat().st_mtime_ns
    folder = run_experiment("tiny", results=results, runs=runs, recorded=write, experiments=SPECIFICATIONS)
    assert [row["method"] for row in table(folder)] == ["dm", "dm+cm"]
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before


def test_a_run_that_was_begun_is_continued_to_the_same_bits(run: Run, tmp_path: Path) -> None:
    composed, exact = method("dm", ipc=2, settings=["real_batch=16"]), Engine.choose(precision="fp32", compile=False)
    distill(
        "digits",
        method=composed,
        ipc=2,
        iterations=2,
        out=tmp_path / "runs" / "tiny" / "dm",
        validation_protocol=Protocol(epochs=2),
        engine=exact,
    )
    run("tiny", "dm")
    straight = distill("digits", method=composed, ipc=2, iterations=5, engine=exact)
    assert torch.equal(DistilledSet.load(tmp_path / "runs" / "tiny" / "dm").images, straight.images)


def test_fewer_networks_come_first_and_only_those_missing_later(run: Run, tmp_path: Path) -> None:
    folder, kept = run("tiny", "dm", repeats=1), tmp_path / "runs" / "tiny" / "dm.evaluations.json"
    assert [(row["n"], row["std"], row["interval95"], row["evaluation_seeds"]) for row in table(folder)] == [("1", "", "", "0/0..0")]
    (one,) = json.loads(kept.read_text())
    run("tiny", "dm")
    assert next(iter(json.loads(kept.read_text()))) == one
    assert len(json.loads(kept.read_text())) == 2
    both = record(folder, "dm").score
    run("tiny", "dm", repeats=1)  # what is there stays
    run("tiny", "dm", repeats=99)  # and no more are trained than the specification says
    assert record(folder, "dm").score == both
    with pytest.raises(UserError, match="`repeats` must be a whole number of at least 1, got"):
        run("tiny", repeats=0)


def test_what_was_made_otherwise_is_not_published(run: Run) -> None:
    folder = run("tiny", "dm")
    other = replace(TINY, settings=("real_batch=17",))
    with pytest.raises(UserError, match=r"another specification \(settings was \('real_batch=16',\), is \('real_batch=17',\)\)"):
        run("tiny", "dm", changed=other)
    (folder / "dm" / "record.json").unlink()
    with pytest.raises(UserError, match=r"method\.real_batch was 16, is 17"):
        run("tiny", "dm", changed=other)


def test_one_set_is_evaluated_with_several_networks(run: Run, tmp_path: Path) -> None:
    folder = run("across")
    assert sorted(path.parent.name for path in (tmp_path / "runs").rglob("config.yaml")) == ["dm"]
    kept = (tmp_path / "runs" / "tiny" / "dm" / "metrics.jsonl").read_bytes()
    assert [(row["method"], row["network"], row["real_batch"], row["n"]) for row in table(folder)] == [
        ("convnet", "convnet", "16", "2"),
        ("vgg11", "vgg11", "16", "2"),
    ]
    other = run("tiny", "dm")  # finds its set distilled
    assert (tmp_path / "runs" / "tiny" / "dm" / "metrics.jsonl").read_bytes() == kept
    assert record(other, "dm").score == record(folder, "convnet").score != record(folder, "vgg11").score


@pytest.mark.parametrize(
    ("of", "said"), [("teacher/fast", "teacher is not a table"), ("tiny/dx", "no row 'dx'"), ("tinny/dm", "Did you mean 'tiny'")]
)
def test_a_set_that_is_not_there_cannot_be_evaluated(of: str, said: str) -> None:
    teacher = TeacherExperiment("T", "digits", "convnet", {"fast": RECIPES["fast"]})
    with pytest.raises(UserError, match=said):
        replace(ACROSS, rows=(Row("dm", of=of),)).cells("across", {**SPECIFICATIONS, "teacher": teacher})


def test_one_precision_holds_for_both_halves_of_a_table(run: Run) -> None:
    folder = run("tiny", "dm", changed=replace(TINY, policy=Policy("bf16", compile=False)))
    assert [(row["precision"], row["evaluation_precision"]) for row in table(folder)] == [("bf16", "bf16")]
    run("tiny")  # left open, the precision is that of what is there
    assert {row["precision"] for row in table(folder)} == {"bf16"}
    (folder / "dm" / "record.json").unlink()
    with pytest.raises(UserError, match="run in bf16, not compiled, but its specification asks for fp32"):
        run("tiny", changed=replace(TINY, policy=Policy("fp32")))


def test_the_command_completes_an_experiment_and_redraws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPERIMENTS, "tiny", TINY)
    folder, results = tmp_path / "results" / "tiny", ["--results", str(tmp_path / "results")]
    options = ["experiment", "tiny", *results, "--runs", str(tmp_path / "runs"), "--only", "dm"]
    main([*options, "--repeats", "1"])
    main(options)
    assert capsys.readouterr().out == f"results in {folder}\n" * 2
    assert table(folder)[0]["n"] == "2"
    page = (folder / "README.md").read_text()
    config = yaml.safe_load((folder / "dm" / "config.yaml").read_text())
    assert config["ipc"] == 2
    for path in (*folder.glob("*.*"), folder / "dm" / "config.yaml", folder / "dm" / "metrics.jsonl"):
        path.unlink()  # everything but the record
    main(["experiment", "--redraw", *results])
    assert (folder / "README.md").read_text() == page
    assert "- [The title](tiny/README.md)" in (tmp_path / "results" / "README.md").read_text()
    nowhere = ["--results", str(tmp_path / "none")]
    for arguments, said in (
        ([*options, "--repeats", "0"], "--repeats must be a whole number of at least 1, got 0"),
        (["experiment"], "which experiment?"),
        (["experiment", "tiny", "--redraw", *nowhere], "none/tiny has no records of tiny: run the experiment first"),
        (["experiment", "--redraw", *nowhere], "none has no records of experiments: run one first"),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert said in capsys.readouterr().err


def test_unknown_experiments_and_rows_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown experiment 'tinny'\. Did you mean 'tiny'"):
        run("tinny")
    with pytest.raises(UserError, match=r"unknown row 'dm\+cc'"):
        run("tiny", "dm+cc")
    assert not (tmp_path / "results").exists()


def test_rows_may_be_of_chosen_real_images(run: Run) -> None:
    rows = (Row("random", 14.4, inherits=False), Row("herding", settings=("recipe.epochs=1",), inherits=False), Row("dm"))
    folder = run("tiny", changed=replace(TINY, rows=rows, blocks=(replace(BLOCK, validate_at=()),)))
    random, herding, dm = table(folder)
    assert (random["pixels"], random["terms"], random["networks"], random["real_batch"]) == ("", "", "", "")
    assert herding["networks"].startswith("pretrained: 1 x convnet, 1 epochs (")
    assert float(herding["teacher_minutes"]) > 0
    assert float(herding["minutes"]) < 1
    assert (random["paper"], dm["real_batch"]) == ("14.4", "16")
    assert "pretrained: 1 x convnet" in (folder / "README.md").read_text()
