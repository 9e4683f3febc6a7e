"""Reading what a page is made of: folders of runs, and records."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from datastill.configuration import flat
from datastill.distilled import DistilledSet
from datastill.distilled.folder import IMAGES
from datastill.errors import UserError, unknown
from datastill.experiments import EXPERIMENTS, Record
from datastill.experiments.record import RECORD
from datastill.experiments.stored import record_of
from datastill.files import read_regular, read_sealed, reason
from datastill.labels import HARD
from datastill.report.commands import commands, measured
from datastill.report.comparison.reading import protocol_of
from datastill.report.page.model import Bar, Scores, Subject, bars, title_of
from datastill.runs import Run
from datastill.text import counted

MOST = 8
"""Runs that a page shows side by side."""
OF_MACHINES = ("checksum", "made_by", "continued_by", "encoders", "asked")
"""Parts of a configuration that are not settings of the run."""


class _Found(BaseModel):
    accuracies: Annotated[tuple[Annotated[float, Field(ge=0, le=100)], ...], Field(min_length=1)]
    confusion: tuple[tuple[Annotated[int, Field(ge=0)], ...], ...] = ()


class _Real(BaseModel):
    accuracy: Annotated[float, Field(ge=0, le=100)]


class _Robust(BaseModel):
    real: _Real


class _Evaluation(_Found):
    """What is read of an evaluation's JSON."""

    data: str
    split: str
    seed: int
    protocol: dict[str, Any]
    class_names: Annotated[tuple[str, ...], Field(min_length=1)]
    labels: str = HARD
    comparisons: dict[str, _Found] = {}
    robust: _Robust | None = None
    advice: str | None = None


def read(what: Sequence[str], *, results: Path, runs: Path) -> list[Subject]:
    """Read everything that a page is to show.

    Args:
        what: Folders of runs or of results, or names of experiments.
        results: Where the records of experiments are.
        runs: Where the runs of experiments are, if they were kept.

    Raises:
        UserError: If there is nothing there, a run is not finished, a file is damaged, or there are too many.
    """
    if not what:
        raise UserError("nothing to report: give folders of runs, such as runs/digits, or the name of an experiment")
    found: list[Path] = []
    for each in what:
        found += _folders(each, results)
    found = list(dict.fromkeys(found))
    if len(found) > MOST:
        named = what[0] if len(what) == 1 else "what was given"
        raise UserError(f"{named} has {len(found)} sets, and a page shows at most {MOST}: give some of them, such as {found[0]} {found[1]}")
    subjects = [_of_record(path, runs) if (path / RECORD).exists() else _of_run(path) for path in found]
    return _named_apart(subjects, found)


def _folders(what: str, results: Path) -> list[Path]:
    """The folders of runs and records that something stands for."""
    path = Path(what)
    if not path.exists() and what in EXPERIMENTS:
        path = results / what
        if not any(path.rglob(RECORD)):
            raise UserError(f"{what} has no records in {results}: run it with `datastill experiment {what}`")
    if not path.exists():
        if "/" not in what:
            raise unknown("run, folder or experiment", what, EXPERIMENTS)
        raise UserError(f"there is no {what}: expected a run's folder, a folder of results, or the name of an experiment")
    if not path.is_dir():
        raise UserError(f"{what} is a file: expected a run's folder, a folder of results, or the name of an experiment")
    if _is_run(path) or (path / RECORD).exists():
        return [path]
    below = sorted(record.parent for record in path.rglob(RECORD) if _of_a_set(record))
    below = below or sorted(folder for folder in path.iterdir() if _is_run(folder))
    if not below:
        raise UserError(f"no run in {what}: expected a folder with the config.yaml of a run, or with records of experiments")
    return below


def _is_run(folder: Path) -> bool:
    return (folder / "config.yaml").is_file() and "method" in (Run(folder).config() or {})


def _of_a_set(record: Path) -> bool:
    """Whether a record is of a set, and not of a teacher or of continual learning."""
    try:
        content = json.loads(read_regular(record))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{record} is damaged: it cannot be read as JSON ({reason(error)})") from error
    return isinstance(content, dict) and "score" in content


def _of_run(folder: Path) -> Subject:
    run = Run(folder)
    config = run.config() or {}
    metrics = run.metrics()
    if not (folder / "distilled" / IMAGES).is_file():
        done = max((entry["iteration"] for entry in metrics), default=0)
        raise UserError(
            f"the run in {folder} is not finished: {done} of {config.get('iterations')} iterations; continue it with `datastill.resume`"
        )
    distilled = DistilledSet.load(folder)
    method, made = config["method"], config.get("made_by", {})
    found = [scores for file in sorted(folder.glob("*.json")) for scores in _evaluations(file, folder)]
    found.sort(key=lambda each: ("test split" not in each[0].title, -each[0].headline.n))
    again = f"datastill distill --config {shlex.quote(str(folder / 'config.yaml'))} --out {shlex.quote(f'{folder}-again')}"
    notes = () if found else (f"Not evaluated yet: datastill evaluate {folder} --out {folder}/evaluation.json",)
    return Subject(
        name=str(method.get("name") or folder.name),
        about=_about(distilled, f"seed {config.get('seed', 0)}", [made.get("commit", "")]),
        folder=folder,
        distilled=distilled,
        config={key: value for key, value in flat(config).items() if key.partition(".")[0] not in OF_MACHINES},
        yaml=(folder / "config.yaml").read_text(encoding="utf-8"),
        metrics=metrics,
        scores=tuple(scores for scores, _ in found),
        commands=(again, *(command for _, command in found)),
        notes=notes,
    )


def _about(distilled: DistilledSet, seed: str, commits: Sequence[str]) -> str:
    origin, images = distilled.origin, distilled.images
    size = f"{images.shape[3]}x{images.shape[2]}"
    made = [
        f"{len(images)} images of {size} pixels", f"{counted(len(origin.class_names), 'class', 'classes')} of {origin.data}",
        counted(origin.iterations, "iteration"), seed, *(f"commit {commit}" for commit in commits if commit),
    ]  # fmt: skip
    return ", ".join(made)


def _evaluations(path: Path, folder: Path) -> list[tuple[Scores, str]]:
    """The evaluations in a JSON file, each with its command; none for other files."""
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: it cannot be read as JSON ({reason(error)})") from error
    if not isinstance(content, dict) or not {"accuracies", "networks"} & set(content):
        return []
    values, _ = read_sealed(path)
    several = values["networks"].values() if isinstance(values.get("networks"), dict) else [values]
    try:
        return [_evaluation(_Evaluation.model_validate(each), path, folder) for each in several]
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path} is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _evaluation(found: _Evaluation, path: Path, folder: Path) -> tuple[Scores, str]:
    protocol = protocol_of(found.protocol, path)
    compared = {name: each.accuracies for name, each in found.comparisons.items()}
    measured_bars, notes = bars(found.accuracies, compared, found.labels), []
    if found.robust is not None:
        measured_bars += (Bar("all real images", found.robust.real.accuracy, None, 1),)
        notes.append("The network on all real images is trained by a recipe of its own (see datastill evaluate --robust).")
    if found.advice:
        notes.append(found.advice)
    words = measured(protocol, protocol.passes, len(found.accuracies), found.seed, found.split, tuple(compared))
    command = shlex.join(["datastill", "evaluate", str(folder), *words, *(["--robust"] if found.robust else [])])
    if any(len(row) != len(found.class_names) for row in found.confusion) or len(found.confusion) not in (0, len(found.class_names)):
        raise UserError(f"{path} is damaged: expected a confusion matrix of {len(found.class_names)} classes")
    title = title_of(found.data, found.split, protocol, found.labels)
    return Scores(title, measured_bars, found.confusion, found.class_names, tuple(notes)), command


def _of_record(folder: Path, runs: Path) -> Subject:
    values, checked = read_sealed(folder / RECORD)
    if "score" not in values:
        raise UserError(f"{folder / RECORD} is not of a distilled set, so there is nothing to show of it")
    return of_record(record_of(Record, values, checked, folder / RECORD), folder, runs)


def of_record(record: Record, folder: Path, runs: Path | None) -> Subject:
    """What a page shows of a record.

    Args:
        record: What was measured.
        folder: Of the record, which may hold the set.
        runs: Where the run may be; None where it is not looked for.
    """
    cell = record.cell
    protocol = replace(cell.protocol, epochs=record.evaluation_epochs)
    compared = {name: found.accuracies for name, found in record.comparisons.items()}
    title = title_of(cell.data, cell.split, protocol, record.track)
    scores = Scores(title, bars(record.score.accuracies, compared, record.track), record.score.confusion, record.class_names)
    run = runs / cell.run if runs is not None and _is_run(runs / cell.run) else None
    kept = next((each for each in (folder, run) if each is not None and _has_set(each)), None)
    distilled = DistilledSet.load(kept) if kept is not None else None
    seed, commits = f"seed {cell.seed}", record.distilled_by.commits
    said = f"{record.images} images, {counted(len(record.class_names), 'class', 'classes')} of {cell.data}, IPC {cell.ipc}, {seed}"
    curve = [{"iteration": point.iteration, "validation_accuracy": point.validation_accuracy} for point in record.curve]
    settings = {"data": cell.data, "ipc": cell.ipc, "seed": cell.seed, "iterations": cell.iterations, "method": record.method}
    notes = () if distilled is not None else ("The set itself is not kept with the record; the command makes it again.",)
    return Subject(
        name=cell.name.partition("/")[2] or cell.name,
        about=f"{said}{''.join(f', commit {commit}' for commit in commits)}" if distilled is None else _about(distilled, seed, commits),
        folder=run,
        distilled=distilled,
        config=flat({**settings, "protocol": asdict(protocol)}),
        yaml="",
        metrics=Run(run).metrics() if run is not None else curve,
        scores=(scores,),
        commands=tuple(commands(record, cell).split(" && ")),
        notes=notes,
    )


def _has_set(folder: Path) -> bool:
    return (folder / IMAGES).is_file() or (folder / "distilled" / IMAGES).is_file()


def _named_apart(subjects: Sequence[Subject], folders: Sequence[Path]) -> list[Subject]:
    """Names that tell the runs of a page apart: with their folders where two have the same."""
    names = [subject.name for subject in subjects]
    return [
        subject if names.count(subject.name) == 1 else replace(subject, name=f"{subject.name} ({folder})")
        for subject, folder in zip(subjects, folders, strict=True)
    ]
