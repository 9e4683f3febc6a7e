"""Running one cell of a figure of continual learning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from datastill import provenance
from datastill.data import DataSet, load
from datastill.engine import Engine
from datastill.engine.measuring import Part
from datastill.evaluation.scorer import training_cost
from datastill.experiments.cell import ContinualCell
from datastill.experiments.continual.course import Course
from datastill.experiments.continual.learning import Learner
from datastill.experiments.record import ContinualRecord, Found, Maker, StageRecord
from datastill.experiments.stored import write_record
from datastill.files import leased, remove_leftovers
from datastill.kinds import Method
from datastill.methods import method
from datastill.runs import Run
from datastill.runs.forecast import RunParts, Tested
from datastill.runs.timing import run_seconds_per_step


def run_continual(cell: ContinualCell, *, results: Path, runs: Path, read: Callable[[str], DataSet] = load) -> ContinualRecord:
    """Take all steps of a cell, or those that are missing, and write the record.

    Args:
        cell: What to do; its policy should leave nothing open.
        results: Where the record goes, into the folder of the cell's name.
        runs: Where the runs of its steps are kept, and continued from.
        read: Loads the data set.

    Raises:
        UserError: If another process is at work on the cell, or nothing can be written there.
    """
    data, folder, target = read(cell.data), runs / cell.name, results / cell.name
    with leased(folder, f"the cell {cell.name}"):
        found = _learner(cell, data).learn(folder)
        steps = [Run(folder / f"step{step + 1}") for step in range(cell.steps)]
        now = (provenance.machine(), (provenance.commit(),))
        config = steps[0].config() or {}
        commits = tuple(dict.fromkeys(commit for run in steps for commit in run.commits()))
        record = ContinualRecord(
            cell=cell,
            fingerprint=data.fingerprint,
            class_names=found.class_names,
            train=len(data.train),
            method=config.get("method", {}),
            stages=tuple(
                StageRecord(
                    classes=classes,
                    images=stage.evaluation.images,
                    trained_on=stage.evaluation.trained_on,
                    seconds_per_step=run_seconds_per_step(run),
                    score=Found(stage.evaluation.score.accuracies, tuple(map(tuple, stage.evaluation.score.confusion.tolist()))),
                )
                for classes, stage, run in zip(found.seen, found.stages, steps, strict=True)
            ),
            evaluation_epochs=cell.protocol.passes,
            distilled_by=Maker.of(config["engine"], config["made_by"]["machine"], commits) if config else Maker.of({}, *now),
            evaluated_by=Maker.of(found.stages[-1].evaluation.engine, *now),
        )
        remove_leftovers(target)
        write_record(record, target)
    return record


def check(cell: ContinualCell, data: DataSet) -> None:
    """Refuse a cell that cannot be run on a data set."""
    _learner(cell, data).check()


def compose(cell: ContinualCell, new: DataSet) -> Method:
    """The method of a cell, for the classes of one step."""
    return method(cell.method, data=new, ipc=cell.ipc, preset=cell.preset, settings=cell.settings)


def cost(cell: ContinualCell, data: DataSet) -> float:
    """Approximate floating-point operations of the larger half of a cell, distilling or evaluating."""
    new = Course(data, cell.steps, cell.seed).new(0)
    made = compose(cell, new)
    distilling = made.cost(new, cell.ipc) * made.iterations(cell.iterations or None) * cell.steps
    tested = training_cost(data, cell.protocol, cell.ipc * data.classes) * cell.repeats
    return max(distilling, tested * (cell.steps + 1) / 2)


def parts(cell: ContinualCell, data: DataSet) -> Iterator[Part]:
    """Measure a cell: the first step of learning stands for all others, with the networks that its method reads first.

    The memory of step n has n times the images of the first one, and so have the classes seen.
    """
    new, engine = Course(data, cell.steps, cell.seed).new(0), _engine(cell)
    made = compose(cell, new)
    iterations = made.iterations(cell.iterations or None)
    tested = Tested(
        cell.protocol, cell.repeats, cell.split, snapshots=False,
        engine=engine.suited(training_cost(new, cell.protocol, cell.ipc * new.classes)),
    )  # fmt: skip
    *distilling, testing = RunParts(new, made, cell.ipc, iterations, engine.suited(made.cost(new, cell.ipc) * iterations), tested=(tested,))
    for part in distilling:
        yield replace(part, seconds=cell.steps * part.seconds, kept=cell.steps * part.kept, where="")
    yield replace(testing, seconds=cell.steps * (cell.steps + 1) / 2 * testing.seconds)


def _learner(cell: ContinualCell, data: DataSet) -> Learner:
    return Learner(
        Course(data, cell.steps, cell.seed),
        method=cell.method,
        ipc=cell.ipc,
        iterations=cell.iterations or None,
        repeats=cell.repeats,
        split=cell.split,
        preset=cell.preset,
        settings=cell.settings,
        protocol=cell.protocol,
        engine=_engine(cell),
    )


def _engine(cell: ContinualCell) -> Engine:
    return Engine.choose(precision=cell.policy.precision, compile=cell.policy.compile, cost=0)
