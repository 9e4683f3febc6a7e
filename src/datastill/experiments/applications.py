"""The applications that have cells of their own, and what runs, refuses and measures such a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datastill.data import DataSet, load
from datastill.engine import Engine
from datastill.engine.measuring import Part
from datastill.evaluation.scorer import training_cost
from datastill.experiments.application import ApplicationRecord
from datastill.experiments.cell import ApplicationCell, EmbeddingCell, PrivacyCell, SearchCell
from datastill.experiments.embeddings import running as embeddings
from datastill.experiments.embeddings.specification import EmbeddingRecord
from datastill.experiments.privacy import running as privacy
from datastill.experiments.privacy.specification import PrivacyRecord
from datastill.experiments.search import running as search
from datastill.experiments.search.specification import SearchRecord
from datastill.experiments.stored import write_record
from datastill.experiments.training_sets import Recipe
from datastill.files import leased, remove_leftovers
from datastill.methods import method
from datastill.runs.forecast import RunParts, Tested


@dataclass(frozen=True)
class Application:
    """What an application does with its cells.

    Attributes:
        kind: The class of its records.
        record: Runs what is missing of a cell in a folder, and gives its record.
        check: Refuses a cell that cannot be run on a data set.
        training: Floating-point operations of every network that is trained in a cell.
    """

    kind: type[ApplicationRecord]
    record: Callable[[Any, DataSet, Path, Engine], ApplicationRecord]
    check: Callable[[Any, DataSet], None]
    training: Callable[[Any, DataSet], list[float]]


APPLICATIONS: dict[type[ApplicationCell], Application] = {
    SearchCell: Application(SearchRecord, search.record, search.check, search.training),
    PrivacyCell: Application(PrivacyRecord, privacy.record, privacy.check, privacy.training),
    EmbeddingCell: Application(EmbeddingRecord, embeddings.record, embeddings.check, embeddings.training),
}
"""By the class of their cells."""


def run_application(cell: ApplicationCell, *, results: Path, runs: Path, read: Callable[[str], DataSet] = load) -> ApplicationRecord:
    """Run what is missing of a cell and write its record.

    Args:
        cell: What to do; its policy should leave nothing open.
        results: Where the record goes, into the folder of the cell's name.
        runs: Where its runs are kept, and continued from.
        read: Loads the data set.

    Raises:
        UserError: If another process is at work on the cell, or nothing can be written there.
    """
    data, folder, target = read(cell.data), runs / cell.name, results / cell.name
    with leased(folder, f"the cell {cell.name}"):
        found = APPLICATIONS[type(cell)].record(cell, data, folder, _engine(cell))
        remove_leftovers(target)
        write_record(found, target)
    return found


def check(cell: ApplicationCell, data: DataSet) -> None:
    """Refuse a cell that cannot be run on a data set."""
    APPLICATIONS[type(cell)].check(cell, data)


def sets(cell: ApplicationCell) -> int:
    """How many sets a cell makes."""
    return cell.models if isinstance(cell, PrivacyCell) else 1


def cost(cell: ApplicationCell, data: DataSet) -> float:
    """Approximate floating-point operations of the largest job of a cell."""
    return max(Recipe.of(cell).cost(data), *APPLICATIONS[type(cell)].training(cell, data))


def parts(cell: ApplicationCell, data: DataSet) -> Iterator[Part]:
    """Measure a cell: one set stands for all, and the training of the protocol's network on one for that of the others, by their sizes."""
    engine, trained = _engine(cell), sum(APPLICATIONS[type(cell)].training(cell, data))
    recipe = Recipe.of(cell)
    made = recipe.compose(data)
    ipc = cell.ipc or max(1, len(data.train) // data.classes)
    measured = made or method("random", data=data, ipc=ipc)
    iterations = measured.iterations(cell.iterations or None)
    one = training_cost(data, cell.protocol, ipc * data.classes)
    tested = (Tested(cell.protocol, 1, cell.split, snapshots=False, engine=engine.suited(one)),)
    *distilling, testing = RunParts(data, measured, ipc, iterations, engine.suited(max(recipe.cost(data), 1.0)), tested=tested)
    for part in distilling if made else ():
        yield Part(part.what, sets(cell) * part.seconds, sets(cell) * part.kept)
    yield Part(testing.what, testing.seconds * trained / one, 0)


def _engine(cell: ApplicationCell) -> Engine:
    return Engine.choose(precision=cell.policy.precision, compile=cell.policy.compile, cost=0)
