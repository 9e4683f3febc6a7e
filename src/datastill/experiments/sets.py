"""Sets that are kept beside their results, by name."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from datastill.distilled import DistilledSet
from datastill.distilled.fetching import is_of_hub
from datastill.distilled.folder import IMAGES
from datastill.errors import UserError, unknown
from datastill.experiments.record import RECORD, Record
from datastill.experiments.specification import as_folder
from datastill.experiments.stored import record_of
from datastill.files import read_sealed


@dataclass(frozen=True)
class KeptSet:
    """A set and what networks trained on it reach.

    Attributes:
        folder: It holds the set's file and the record.
        record: Of the cell that made it.
    """

    folder: Path
    record: Record

    @property
    def summary(self) -> str:
        """A line on it."""
        cell, score = self.record.cell, self.record.score
        trained = f"{len(score.accuracies)} x {cell.protocol.network}, {cell.protocol.title}, {self.record.evaluation_epochs} epochs"
        images = f"{self.record.images} images, {self.record.track} labels"
        return f"{fmean(score.accuracies):.2f}% on the {cell.split} split ({trained}); {images}, {cell.iterations} iterations"

    def load(self) -> DistilledSet:
        """Read it."""
        return DistilledSet.load(self.folder)


def results_folder(results: Path | str | None = None) -> Path:
    """Where results are looked for: what is given, ``DATASTILL_RESULTS``, ``results`` here, or that of the checkout we run from."""
    if results is not None or os.environ.get("DATASTILL_RESULTS"):
        return Path(results or os.environ["DATASTILL_RESULTS"])
    checkout = Path(__file__).resolve().parents[3] / "results"
    return checkout if not Path("results").is_dir() and (checkout.parent / "pyproject.toml").exists() else Path("results")


def kept_sets(results: Path | str | None = None) -> dict[str, KeptSet]:
    """All kept sets by name: ``DATA/ipcN/ROW``, with ``/seedS`` where there are several, and ``@EXPERIMENT`` where several have that name.

    A set that was evaluated again in another table is listed once, with the table that made it.

    Args:
        results: The folder of results; by default see `results_folder`.

    Raises:
        UserError: If a record is damaged.
    """
    folder = results_folder(results)
    found = []
    for path in sorted(folder.rglob(RECORD)):
        if (path.parent / IMAGES).exists():
            record = record_of(Record, *read_sealed(path), path)
            found.append((_name(record), KeptSet(path.parent, record)))
    makers = {kept.record.cell.name for _, kept in found}
    found = [(name, kept) for name, kept in found if kept.record.cell.run not in makers - {kept.record.cell.name}]
    several = Counter(name for name, _ in found)
    return {f"{name}@{kept.record.cell.name.partition('/')[0]}" if several[name] > 1 else name: kept for name, kept in found}


def load_set(name: str, results: Path | str | None = None) -> DistilledSet:
    """A kept set, as it was evaluated.

    Args:
        name: As `datastill list sets` prints it, such as "digits/ipc10/dm+iid"; or "hub:OWNER/NAME" for one of the Hugging Face hub.
        results: The folder of results; by default ``DATASTILL_RESULTS``, ``results`` in the current folder, or that of the checkout that
            this package runs from.

    Raises:
        UserError: If there is no such set, or its file is damaged.
    """
    if is_of_hub(name):
        return DistilledSet.load(name)
    sets = kept_sets(results)
    if name in sets:
        return sets[name].load()
    others = [each for each in sets if each.startswith(f"{name}@")]
    if others:
        raise UserError(f"several experiments have a set '{name}': give one of {', '.join(others)}")
    if not sets:
        raise UserError(
            f"no sets are kept in {results_folder(results)}: give the folder of results, such as that of a checkout, with `results`"
        )
    hint = f"To load a run or a file: `datastill.DistilledSet.load({name!r})`." if Path(name).exists() else ""
    raise unknown("set", name, sets, hint=hint)


def _name(record: Record) -> str:
    cell = record.cell
    *_, row = (part for part in cell.name.split("/") if part != f"seed{cell.seed}")
    seed = f"/seed{cell.seed}" if cell.name.endswith(f"/seed{cell.seed}") else ""
    return f"{as_folder(cell.data)}/ipc{cell.ipc}/{row}{seed}"
