"""Finding the record of a cell, of this version or an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from datastill.experiments.application import ApplicationRecord
from datastill.experiments.applications import APPLICATIONS
from datastill.experiments.cell import AnyCell, ApplicationCell, Cell, ContinualCell, TeacherCell
from datastill.experiments.earlier import read_earlier, read_earlier_teacher
from datastill.experiments.record import AnyRecordOf, ContinualRecord, Record, TeacherRecord
from datastill.experiments.stored import read_record


@overload
def read_cell(cell: Cell, results: Path) -> Record | None: ...


@overload
def read_cell(cell: TeacherCell, results: Path) -> TeacherRecord | None: ...


@overload
def read_cell(cell: ContinualCell, results: Path) -> ContinualRecord | None: ...


@overload
def read_cell(cell: ApplicationCell, results: Path) -> ApplicationRecord | None: ...


def read_cell(cell: AnyCell, results: Path) -> AnyRecordOf | ApplicationRecord | None:
    """The record of a cell, or what an earlier version left in its folder; None if it has not been run."""
    folder = results / cell.name
    if isinstance(cell, ApplicationCell):
        return read_record(APPLICATIONS[type(cell)].kind, folder, cell)
    if isinstance(cell, ContinualCell):
        return read_record(ContinualRecord, folder, cell)
    if isinstance(cell, TeacherCell):
        return read_record(TeacherRecord, folder, cell) or read_earlier_teacher(folder, cell)
    return read_record(Record, folder, cell) or read_earlier(folder, cell)
