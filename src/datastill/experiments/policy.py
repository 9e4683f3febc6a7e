"""One precision for a whole table, distilling and evaluating alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from datastill.data import DataSet
from datastill.engine import hardware
from datastill.engine.policy import PRECISIONS, Policy
from datastill.errors import UserError
from datastill.evaluation.scorer import training_cost
from datastill.experiments.application import ApplicationRecord
from datastill.experiments.applications import cost as application_cost
from datastill.experiments.cell import AnyCell, ApplicationCell, ContinualCell, TeacherCell, alike
from datastill.experiments.continual.running import cost as continual_cost
from datastill.experiments.record import AnyRecordOf, Maker, TeacherRecord
from datastill.experiments.specification import Specifications
from datastill.experiments.tables import compose
from datastill.networks import build
from datastill.teachers.pool import pretraining_cost


def settled(
    name: str, cells: Sequence[AnyCell], found: Iterable[AnyRecordOf | ApplicationRecord], read: Callable[[str], DataSet]
) -> Policy:
    """Settle what the policy of a table leaves open: as in the existing records, otherwise by the largest job of all its cells.

    Args:
        name: Of the table, for messages.
        cells: All of them, whichever are to be run.
        found: What is recorded.
        read: Loads a data set; not called where nothing is open.

    Raises:
        UserError: If the records are of several precisions, or of another one than the specification asks for, or if it asks for compiled
            code and there is no compiler.
    """
    asked = cells[0].policy
    if asked.compile and (why := hardware.why_no_compiler(hardware.device("auto"))):
        raise UserError(f"all of {name} is run compiled, but {why}: install a compiler; a rehearsal (`scale`) needs none")
    ways = {(maker.precision, maker.compiled) for record in found for maker in makers(record) if maker.precision}
    if len(ways) > 1:
        raise UserError(
            f"the records of {name} were run with different settings ({'; '.join(sorted(map(_said, ways)))}), so nothing "
            f"comparable can be added: choose another folder of results and run the whole table"
        )
    if ways:
        precision, compiled = ways.pop()
        if asked.precision not in ("auto", precision) or asked.compile not in (None, compiled):
            raise UserError(
                f"the records of {name} were run in {_said((precision, compiled))}, but its specification asks for "
                f"{_said((asked.precision, asked.compile))}: choose another folder of results"
            )
        return Policy(precision, compiled)
    if asked.precision != "auto" and asked.compile is not None:
        return asked
    jobs = dict.fromkeys(alike(cell) for cell in cells)
    chosen, compile = asked.resolve(hardware.device("auto"), max(cost(cell, read(cell.data)) for cell in jobs))
    return Policy(next(key for key, value in PRECISIONS.items() if value == chosen), compile)


def computed(experiments: Specifications, precision: str = "auto", compile: bool | None = None) -> Specifications:
    """The same experiments, with every cell computed in another way.

    Args:
        experiments: By name.
        precision: See `Policy`; "auto" leaves that of each.
        compile: The same; None leaves that of each.
    """
    return {
        name: replace(
            each,
            policy=Policy(each.policy.precision if precision == "auto" else precision, each.policy.compile if compile is None else compile),
        )
        for name, each in experiments.items()
    }


def makers(record: AnyRecordOf | ApplicationRecord) -> tuple[Maker, ...]:
    """How the parts of a cell were run."""
    return (record.trained_by,) if isinstance(record, TeacherRecord) else (record.distilled_by, record.evaluated_by)


def _said(way: tuple[str, bool | None]) -> str:
    precision, compiled = way
    return precision if compiled is None else f"{precision}, {'compiled' if compiled else 'not compiled'}"


def cost(cell: AnyCell, data: DataSet) -> float:
    """Approximate floating-point operations of the larger half of a cell, distilling or evaluating."""
    if isinstance(cell, TeacherCell):
        network = build(cell.network, channels=data.channels, classes=data.classes, size=data.size)
        return pretraining_cost(data, network, cell.recipe)
    if isinstance(cell, ContinualCell):
        return continual_cost(cell, data)
    if isinstance(cell, ApplicationCell):
        return application_cost(cell, data)
    composed = compose(cell, data)
    steps = composed.cost(data, cell.ipc) * composed.iterations(cell.iterations)
    return max(steps, training_cost(data, cell.protocol, cell.ipc * data.classes) * cell.repeats)
