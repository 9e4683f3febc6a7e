"""Classes that come in steps: from Python, and as a figure by the command."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import datastill
from datastill.cli import main
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, ContinualExperiment, ContinualRecord, ContinualRow
from datastill.experiments.continual.course import Course
from datastill.experiments.reading import read_cell
from datastill.experiments.scale import scaled

DIGITS = "digits[0-4]"
OPTIONS: dict[str, Any] = {
    "steps": 2, "ipc": 2, "iterations": 2, "repeats": 1, "protocol": Protocol(epochs=2), "settings": ("real_batch=8",), "engine": Engine(),
}  # fmt: skip
TINY = ContinualExperiment(
    "A figure",
    DIGITS,
    steps=(2,),
    rows=(ContinualRow("random", iterations=0), ContinualRow("dm", settings=("real_batch=8",))),
    iterations=2,
    ipc=2,
    seeds=(0, 1),
    repeats=1,
    protocol=Protocol(epochs=2),
    policy=Policy("fp32", compile=False),
)


def test_an_order_has_every_class_once_and_derives_from_its_seed() -> None:
    data = datastill.load("digits")
    courses = [Course(data, 3, seed) for seed in (0, 0, 1)]
    for course in courses:
        assert [len(part) for part in course.classes] == [4, 3, 3]
        assert sorted(label for part in course.classes for label in part) == list(range(10))
    assert courses[0].classes == courses[1].classes != courses[2].classes
    assert len({course.draws(step) for course in courses for step in range(3)}) == 6
    assert courses[0].new(1).class_names == tuple(map(str, courses[0].classes[1]))
    assert courses[0].seen(1).class_names == tuple(map(str, (*courses[0].classes[0], *courses[0].classes[1])))
    assert [label for part in Course(data, 1, 0).classes for label in part] == [label for part in courses[0].classes for label in part]


@pytest.mark.parametrize("steps", [0, 6, 1.5])
def test_a_step_has_at_least_two_classes(steps: Any) -> None:
    with pytest.raises(UserError, match="steps"):
        datastill.continual("digits", **{**OPTIONS, "steps": steps})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "ld"}, "a memory of several steps has hard labels, those of ld are weights"),
        ({"method": "frepo"}, "those of frepo are scores"),
        ({"method": "dd"}, "which no learned steps fit: use another method than 'dd'"),
        ({"protocol": "dd"}, "which no learned steps fit"),
        ({"protocol": 3}, r"`protocol` must be a Protocol or the name of one \(dc, idc, dd\), got 3"),
        ({"protocol": "ddc"}, "unknown protocol 'ddc'"),
        ({"settings": 8}, "`settings` must be a list of texts, got 8"),
        ({"settings": "real_batch=0"}, "dm needs a real batch of at least 1"),
    ],
)
def test_what_cannot_work_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], said: str) -> None:
    monkeypatch.delattr("datastill.experiments.continual.learning.distill")
    with pytest.raises(UserError, match=said):
        datastill.continual("digits", **{"method": "dm", "steps": 2, "ipc": 1, "iterations": 1, **options})


def test_every_step_condenses_its_own_classes_and_the_memory_is_tested_on_those_seen(tmp_path: Path) -> None:
    data = datastill.load(DIGITS)
    found = datastill.continual(data, method="dm", seed=3, out=tmp_path / "kept", **OPTIONS)
    course = Course(data, 2, 3)
    assert (found.seen, found.class_names, len(found.memory.images)) == ((3, 5), course.seen(1).class_names, 10)
    assert [stage.classes for stage in found.stages] == [course.new(step).class_names for step in range(2)]
    for step, stage in enumerate(found.stages):
        assert stage.evaluation.score.confusion.sum() == len(course.seen(step).test)
        alone = datastill.distill(
            course.new(step), method="dm", ipc=2, iterations=2, seed=course.draws(step), settings=("real_batch=8",), engine=Engine()
        )
        rows = [row for row, name in enumerate(found.class_names) if name in stage.classes]
        mine = torch.isin(found.memory.labels, torch.tensor(rows))
        assert torch.equal(found.memory.images[mine], alone.images)
        assert found.memory.labels[mine].tolist() == [row for row in rows for _ in range(2)]
    last = datastill.evaluate(
        found.memory, data=course.seen(1), repeats=1, seed=course.draws(1), compare=(), protocol=Protocol(epochs=2), engine=Engine()
    )
    assert last.score.accuracies == found.stages[1].evaluation.score.accuracies
    (tmp_path / "kept" / "step2").rename(tmp_path / "gone")  # as after a kill between the steps
    (tmp_path / "kept" / "evaluations.json").unlink()
    again = datastill.continual(data, method="dm", seed=3, out=tmp_path / "kept", **OPTIONS)
    assert torch.equal(again.memory.images, found.memory.images)
    assert again.accuracies == found.accuracies


def test_real_images_are_those_of_the_new_classes() -> None:
    data = datastill.load(DIGITS)
    memory = datastill.continual(data, method="random", **{**OPTIONS, "settings": ()}).memory
    for image, label in zip(memory.images, memory.labels.tolist(), strict=True):
        own = data.only([memory.origin.class_names[label], *{"0", "1"} - {memory.origin.class_names[label]}]).train
        images = data.normalise(own.gather(torch.arange(own.counts[0])))
        assert bool((images == image).flatten(1).all(1).any())


def test_the_command_draws_the_figure_and_continues_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPERIMENTS, "fig", TINY)
    options = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    main(["experiment", "fig", *options, "--only", "method=dm,seed=1"])
    folder = tmp_path / "results" / "fig"
    page = (folder / "README.md").read_text()
    assert page.startswith("# A figure (1 of 4 cells)\n")
    assert "| `random` | not run | not run | 0 |" in page
    before = (folder / "2-steps" / "dm" / "seed1" / "record.json").read_bytes()
    main(["experiment", "fig", *options, "--dry-run"])
    assert "3 of 3 missing cells can be run" in capsys.readouterr().out
    main(["experiment", "fig", *options])
    assert (folder / "2-steps" / "dm" / "seed1" / "record.json").read_bytes() == before
    records = [read_cell(cell, folder.parent) for cell in TINY.cells_of("fig", 2, TINY.rows[1])]
    means = [record.stages[-1].score.accuracies[0] for record in records if record]
    with (folder / "table.csv").open() as file:
        random, dm = csv.DictReader(file)
    assert (random["method"], dm["orders"], dm["n"], dm["iterations"]) == ("random", "2", "1", "2")
    assert float(dm["accuracy"]) == pytest.approx(sum(means) / 2, abs=0.005)
    assert float(dm["std"]) == pytest.approx(abs(means[0] - means[1]) / 2, abs=0.005)
    where = "--only 2-steps/dm/seed0,2-steps/dm/seed1 --precision fp32 --no-compile --results repeated --runs repeated/runs"
    assert dm["commands"] == f"datastill experiment fig {where}"
    with (folder / "curve.csv").open() as file:
        assert [(row["method"], row["classes_seen"], row["images"]) for row in csv.DictReader(file)] == [
            ("random", "3", "6"), ("random", "5", "10"), ("dm", "3", "6"), ("dm", "5", "10"),
        ]  # fmt: skip
    assert (folder / "curve.png").exists()


def test_a_rehearsal_and_a_record_of_another_specification(tmp_path: Path) -> None:
    name, smaller = scaled("figure7", EXPERIMENTS, 0.01)
    found = smaller[name]
    assert isinstance(found, ContinualExperiment)
    assert (found.iterations, found.seeds, found.repeats, found.protocol.epochs, found.ipc) == (20, (0,), 1, 10, 20)
    assert found.title.startswith("Rehearsal at scale 0.01, not a result: ")
    whole = EXPERIMENTS["figure7"].cells("figure7", EXPERIMENTS)
    assert len(whole) == 2 * 5 * 5
    with pytest.raises(UserError, match="at least one number of steps"):
        replace(TINY, steps=())
    with pytest.raises(ValueError, match="expected 2 steps up to 5 classes"):
        ContinualRecord(TINY.cells("fig", {})[0], "0", tuple("abcde"), 9, {}, (), 2, *[None] * 2)  # type: ignore[arg-type]
