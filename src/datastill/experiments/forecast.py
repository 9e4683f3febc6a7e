"""What is missing of an experiment would take, without running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from datastill.engine import Engine
from datastill.engine.measuring import Forecast, Part, forecast, threads
from datastill.evaluation import Protocol
from datastill.evaluation.scorer import training_cost
from datastill.experiments.applications import parts as application_parts
from datastill.experiments.catalogue import EXPERIMENTS
from datastill.experiments.cell import AnyCell, ApplicationCell, Cell, ContinualCell, TeacherCell, alike
from datastill.experiments.continual.running import parts as continual_parts
from datastill.experiments.running import Work, to_run
from datastill.experiments.specification import Specifications
from datastill.experiments.tables import compose, engine_of
from datastill.progress import clock, progress
from datastill.runs.forecast import RunParts, Tested
from datastill.teachers.missing import Untrained
from datastill.teachers.pool import pool_folder


def forecast_experiment(
    name: str,
    *,
    results: Path,
    runs: Path,
    only: Sequence[str] = (),
    repeats: int | None = None,
    experiments: Specifications = EXPERIMENTS,
    cores: int = 0,
    at_once: int = 1,
) -> Forecast:
    """Measure on a few steps what `run_experiment` would take with the same arguments, cell by cell.

    Cells that differ in the seed alone are measured once. Of a run that was begun, all steps are counted.

    Args:
        name: As for `run_experiment`.
        results: As there.
        runs: As there.
        only: As there.
        repeats: As there.
        experiments: As there.
        cores: Of a cell; 0 for those of this process.
        at_once: Cells that run at the same time.

    Raises:
        UserError: As `run_experiment`.
    """
    work = to_run(name, results=results, only=only, repeats=repeats, experiments=experiments)
    with threads(cores):
        return forecast(
            f"{name}: {len(work.cells)} of {work.missing} missing cells can be run",
            lambda: list(_parts(work, runs)),
            Engine.choose(cost=0).device,
            at_once=at_once,
        )


def _parts(work: Work, runs: Path) -> Iterator[Part]:
    """What is trained first, each network once, and then the cells."""
    measuring = Measuring(work, runs)
    different = set[AnyCell]()
    with progress("measuring", len({_measured_as(cell) for cell in work.cells}), unit="cell") as bar:
        for cell in work.cells:
            parts = measuring.parts(cell)
            yield from parts
            measuring.count(cell)
            if (same := _measured_as(cell)) not in different:
                different.add(same)
                bar.advance(f"{cell.name} takes {clock(sum(part.seconds for part in parts))}")


class Measuring:
    """Measures cells one by one; those that differ in the seed alone are measured once.

    Args:
        work: What they are of.
        runs: Where the runs are kept.
    """

    def __init__(self, work: Work, runs: Path) -> None:
        self._work, self._runs = work, runs
        self._measured: dict[AnyCell, list[Part]] = {}
        self._trained = set[str]()
        self._made = {cell.run for cell in work.cells if isinstance(cell, Cell) and (runs / cell.run / "distilled").is_dir()}

    def parts(self, cell: AnyCell) -> list[Part]:
        """What is trained before a cell, unless it was counted, and the cell."""
        if isinstance(cell, TeacherCell):
            return [replace(_teacher(cell, self._work, self._runs), what=cell.name, where="")]
        every = self._every(cell)
        if not isinstance(cell, Cell):
            return [_together(cell, every)]
        own = [part for part in every if not part.where][cell.run in self._made :]
        first = [part for part in every if part.where and part.where not in self._trained]
        return [*first, _together(cell, own)]

    def seconds(self, cell: AnyCell) -> float:
        """How long a cell takes, with what is trained before it."""
        return sum(part.seconds for part in self.parts(cell))

    def count(self, cell: AnyCell) -> None:
        """From now on the networks that a cell reads are trained, and its set is made."""
        if isinstance(cell, Cell):
            self._trained |= {part.where for part in self._every(cell)}
            self._made.add(cell.run)

    def _every(self, cell: Cell | ContinualCell | ApplicationCell) -> list[Part]:
        same = alike(cell)
        if same not in self._measured:
            if isinstance(cell, Cell):
                self._measured[same] = _cell(cell, self._work)
            elif isinstance(cell, ContinualCell):
                self._measured[same] = list(continual_parts(cell, self._work.read(cell.data)))
            else:
                self._measured[same] = list(application_parts(cell, self._work.read(cell.data)))
        return self._measured[same]


def _measured_as(cell: AnyCell) -> AnyCell:
    """What cells that take the same time have in common."""
    return cell if isinstance(cell, TeacherCell) else alike(cell)


def _together(cell: AnyCell, parts: Sequence[Part]) -> Part:
    return Part(cell.name, sum(part.seconds for part in parts), sum(part.kept for part in parts))


def _cell(cell: Cell, work: Work) -> list[Part]:
    """The parts of a cell: what is trained first, the steps, and the networks trained on its sets."""
    data = work.read(cell.data)
    method = compose(cell, data)
    iterations = method.iterations(cell.iterations or None)
    engine = engine_of(cell, method.cost(data, cell.ipc) * iterations)
    protocol = cell.protocol
    if protocol.called == "dd":  # its steps are those of a set that is not there yet
        protocol = replace(protocol, epochs=getattr(method, "epochs", 1), batch=data.classes)
    compared = engine_of(cell, training_cost(data, protocol, cell.ipc * data.classes))
    tested = (
        Tested(Protocol(epochs=cell.validation_epochs), len(cell.validate_at)),
        Tested(protocol, cell.repeats * (1 + len(cell.compare)), cell.split, snapshots=False, engine=compared),
    )
    return list(RunParts(data, method, cell.ipc, iterations, engine, tested=tested))


def _teacher(cell: TeacherCell, work: Work, runs: Path) -> Part:
    data = work.read(cell.data)
    engine = Engine.choose(precision=cell.policy.precision, compile=cell.policy.compile, cost=0)
    folder = pool_folder(data, cell.network, cell.recipe, runs / cell.name)
    return Untrained(cell.network, 1, cell.recipe, folder).part(data, engine)
