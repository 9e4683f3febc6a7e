"""Running one cell of a table: distil, evaluate, record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from datastill import provenance
from datastill.data import DataSet, load
from datastill.distilled import DistilledSet
from datastill.distilled.folder import IMAGES
from datastill.distilled.packed import MOST_BYTES, fitting
from datastill.engine import Engine
from datastill.evaluation import Evaluation, Protocol, Score
from datastill.evaluation.evaluate import evaluate, followed
from datastill.evaluation.scorer import training_cost
from datastill.experiments.cell import Cell
from datastill.experiments.earlier import points, remove_earlier
from datastill.experiments.record import Found, Maker, Record
from datastill.experiments.stored import write_record
from datastill.files import leased, remove_leftovers, write_atomic
from datastill.kinds import Method
from datastill.logs import logger
from datastill.methods.grammar import compose as named
from datastill.runs import Run
from datastill.runs.distill import distill
from datastill.runs.timing import run_seconds_per_step
from datastill.setting import Lookup, Setting

log = logger(__name__)

KEPT = ("config.yaml", "metrics.jsonl", "distilled/grid.png")
"""What is copied from a run beside its record, where it is there: the log that the page links, and the picture."""


def run_cell(cell: Cell, *, results: Path, runs: Path, read: Callable[[str], DataSet] = load) -> Record:
    """Distil a set, or continue or find it in the folder of its run, evaluate it and write the record.

    Args:
        cell: What to do; its policy should leave nothing open, or precision goes by the size of this cell alone.
        results: Where the record goes, into the folder of the cell's name.
        runs: Where the run is kept, and continued from.
        read: Loads the data set.

    Raises:
        UserError: If another process is at work on the cell or its run, or nothing can be written there.
    """
    with leased(runs / cell.name, f"the cell {cell.name}"):
        return _run(cell, results, runs, read)


def _run(cell: Cell, results: Path, runs: Path, read: Callable[[str], DataSet]) -> Record:
    data = read(cell.data)
    composed = compose(cell, data)
    run, target = runs / cell.run, results / cell.name
    engine = engine_of(cell, composed.cost(data, cell.ipc) * composed.iterations(cell.iterations))
    distilled = _distilled(cell, composed, data, run, engine)
    form = _form(distilled) if cell.keep_set else ""
    if form:
        distilled = DistilledSet.load(distilled.pack(runs / f"{cell.name}.{IMAGES}", form))
    engine = engine_of(cell, training_cost(data, followed(cell.protocol, distilled), len(distilled)))
    evaluation = evaluate(
        distilled,
        repeats=cell.repeats,
        seed=cell.seed,
        split=cell.split,
        data=data,
        compare=cell.compare,
        protocol=cell.protocol,
        engine=engine,
        keep=runs / f"{cell.name}.evaluations.json",
    )
    remove_leftovers(target)
    for name in KEPT:
        if (run / name).exists():
            write_atomic(target / Path(name).name, (run / name).read_bytes())
    if form:
        write_atomic(target / IMAGES, (runs / f"{cell.name}.{IMAGES}").read_bytes())
    record = replace(_record(cell, data, Run(run), evaluation, composed.pretraining_seconds(data)), packed=form)
    write_record(record, target)
    remove_earlier(target)
    return record


def _form(distilled: DistilledSet) -> str:
    """How a set is packed; "", with a message, if it is too large to be kept."""
    form = fitting(distilled.images)
    if form is None:
        log.warning("the set is not kept: its %d pixel values take more than %d bytes", distilled.images.numel(), MOST_BYTES)
    return form or ""


def compose(cell: Cell, data: DataSet) -> Method:
    """The method of a cell."""
    side = min(data.size) if cell.by_size else None
    made = named(Lookup(cell.method, Setting(data.source, data.classes, cell.ipc, cell.preset, side), cell.settings))
    return made if cell.by_size else replace(made, lookup=None)  # a published table keeps its values whatever is looked up today


def engine_of(cell: Cell, cost: float) -> Engine:
    """The engine that a cell's policy asks for; what it leaves open goes by the size of the job."""
    return Engine.choose(precision=cell.policy.precision, compile=cell.policy.compile, cost=cost)


def _distilled(cell: Cell, composed: Method, data: DataSet, run: Path, engine: Engine) -> DistilledSet:
    return distill(  # a finished run takes no step, but is refused if it was made otherwise
        data,
        method=composed,
        ipc=cell.ipc,
        iterations=cell.iterations or None,  # a method that takes a fixed number of steps has none of its own
        seed=cell.seed,
        out=run,
        resume=(run / "config.yaml").exists(),
        validate_at=cell.validate_at,
        validation_protocol=Protocol(epochs=cell.validation_epochs),
        engine=engine,
    )


def _record(cell: Cell, data: DataSet, run: Run, evaluation: Evaluation, teacher_seconds: float) -> Record:
    config = run.config()
    now = (provenance.machine(), (provenance.commit(),))
    distilled_by = Maker.of({}, *now)
    if config is not None:
        distilled_by = Maker.of(config["engine"], config["made_by"]["machine"], tuple(run.commits()))
    return Record(
        cell=cell,
        fingerprint=data.fingerprint,
        class_names=data.class_names,
        train=len(data.train),
        images=evaluation.images,
        trained_on=evaluation.trained_on,
        method=config["method"] if config else {},
        encoders=config.get("encoders", {}) if config else {},
        seconds_per_step=run_seconds_per_step(run),
        teacher_seconds=teacher_seconds,
        curve=points(run),
        score=_found(evaluation.score),
        comparisons={name: _found(score) for name, score in evaluation.comparisons.items()},
        evaluation_epochs=evaluation.protocol.passes,
        distilled_by=distilled_by,
        evaluated_by=Maker.of(evaluation.engine, *now),
        label_kind=evaluation.label_kind,
        learned_rate=evaluation.learned_rate,
    )


def _found(score: Score) -> Found:
    return Found(score.accuracies, tuple(tuple(row) for row in score.confusion.tolist()))
