"""The site of all results: one table made from the records, and a page for every line of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from datastill import provenance
from datastill.distilled.folder import IMAGES
from datastill.errors import UserError
from datastill.experiments import EXPERIMENTS, Experiment, Record
from datastill.experiments.file import kept
from datastill.experiments.reading import read_cell
from datastill.experiments.specification import Line, Specifications, as_folder
from datastill.files import is_empty, new_folder, remove_if_empty, remove_leftovers, write_atomic
from datastill.methods import kind_of
from datastill.report.model import MethodLine, method_line
from datastill.report.page import html
from datastill.report.page.reading import of_record
from datastill.report.page.rendering import render

INDEX = "index.html"
REAL = "real images"
"""What is said instead of a kind where a record has no method."""
Recorded = tuple[str, Experiment, Line, list[tuple[Path, Record]]]
"""An experiment's name, itself, a line of it, and the records of the line with their folders."""


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes:
        line: Its figures.
        table: The name of the experiment that it belongs to.
        experiment: The title of that.
        kind: Of the method.
        protocol: How the networks were trained, in words.
        page: The address of its page.
        sets: The addresses of its sets, where they are kept.
    """

    line: MethodLine
    table: str
    experiment: str
    kind: str
    protocol: str
    page: str
    sets: tuple[str, ...]


def write_site(results: Path, out: Path, experiments: Specifications | None = None) -> int:
    """Write the site: ``index.html``, ``runs/`` and ``sets/``. All addresses are relative, and nothing is fetched from elsewhere.

    Args:
        results: The folder of all results.
        out: The folder of the site; files of an earlier one are replaced.
        experiments: The specifications by name; by default ours, and those that are kept beside the results.

    Returns:
        How many lines the table has.

    Raises:
        UserError: If there are no records, one is damaged, or `out` holds other files.
    """
    if out.is_dir() and not is_empty(out) and not (out / INDEX).is_file():
        raise UserError(f"{out} holds other files and no site: choose another `out`")
    specifications = experiments if experiments is not None else {**EXPERIMENTS, **kept(results)}
    recorded = [
        (name, experiment, *each)
        for name, experiment in specifications.items()
        if isinstance(experiment, Experiment)
        for each in _recorded(name, experiment, results, specifications)
    ]
    if not recorded:
        raise UserError(f"no records of distilled sets in {results}: expected the folder of results of `datastill.experiment`")
    if (out / INDEX).is_file():  # the same command continues where it was stopped
        return _write(recorded, results, out)
    remove_if_empty(out)
    if os.path.lexists(out):  # what `is_empty` passes over, or no folder
        return _write(recorded, results, out)
    with new_folder(out) as built:
        return _write(recorded, results, built)


def _write(recorded: Sequence[Recorded], results: Path, out: Path) -> int:
    """Write all pages, the index last; how many lines it has."""
    remove_leftovers(out)
    entries = [_written(*each, results, out) for each in recorded]
    entries.sort(key=lambda each: (each.line.data, each.line.ipc, each.protocol, each.line.labels, -each.line.accuracy))
    filters = {
        "data": _values([entry.line.data for entry in entries]),
        "IPC": list(map(str, sorted({entry.line.ipc for entry in entries}))),
        "kind": _values([entry.kind for entry in entries]),
        "protocol": _values([entry.protocol for entry in entries]),
        "labels": _values([entry.line.labels for entry in entries]),
    }
    page = render("site.html", ("site.js",), entries=entries, filters=filters, runs=[], version=provenance.package_version())
    write_atomic(out / INDEX, page)
    return len(entries)


def _recorded(
    name: str, experiment: Experiment, results: Path, specifications: Specifications
) -> Iterator[tuple[Line, list[tuple[Path, Record]]]]:
    """The lines of an experiment of which there are records, with their folders."""
    for line in experiment.lines(name, specifications):
        found = [(results / cell.name, read_cell(cell, results)) for cell in line.cells]
        there = [(folder, record) for folder, record in found if record is not None]
        if there:
            yield line, there


def _written(name: str, experiment: Experiment, line: Line, records: Sequence[tuple[Path, Record]], results: Path, out: Path) -> Entry:
    """Write the page of a line and its sets."""
    figures = method_line(line, [record for _, record in records], name)
    place = f"{as_folder(name)}/{as_folder(line.place)}"
    subjects = [of_record(record, folder, None) for folder, record in records]
    sets = []
    for folder, record in records:
        if (folder / IMAGES).is_file():
            sets.append(f"sets/{place}/seed{record.cell.seed}/{IMAGES}")
            remove_leftovers((out / sets[-1]).parent)
            write_atomic(out / sets[-1], (folder / IMAGES).read_bytes())
    title = f"{figures.method} on {figures.data}, {figures.ipc} images per class"
    remove_leftovers((out / "runs" / place).parent)
    write_atomic(out / "runs" / f"{place}.html", html(subjects, look=False, title=title, back="../../index.html"))
    first = records[0][1]
    kind = kind_of(first.cell.method) if first.method else REAL
    protocol = f"{figures.protocol}: {figures.network}, {figures.epochs} epochs, {figures.split} split"
    return Entry(figures, name, experiment.title, kind, protocol, f"runs/{place}.html", tuple(sets))


def _values(found: Sequence[str]) -> list[str]:
    return sorted(set(found))
