"""What added terms change: rows of one seed are paired, and only those that differ in the terms alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from datastill.evaluation import Protocol
from datastill.experiments import Block, Cell, Experiment, Record, Row
from datastill.experiments.specification import Line
from datastill.report.paired import differences, section
from records import METHOD, record

BLOCK = Block("digits", (2,), 5, seeds=(0, 1, 2), repeats=1)
TABLE = Experiment("A title", (BLOCK,), (Row("dm"), Row("dm+cc", label="beta1"), Row("random", iterations=0)))
ALONE, WITH = (40.0, 50.0, 60.0), (42.0, 51.0, 64.0)


def found(**changes: Any) -> list[tuple[Line, list[Record]]]:
    """The lines of the table with a set for each seed; `changes` are of the records with the term."""
    lines = TABLE.lines("table", {"table": TABLE})
    accuracies = {"dm": ALONE, "beta1": WITH, "random": WITH}
    pairs = []
    for line in lines:
        own = changes if line.row.name == "beta1" else {}
        cells = [replace(cell, **{name: value for name, value in own.items() if name == "protocol"}) for cell in line.cells]
        method = {**METHOD, **own.get("method", {})}
        pairs.append((line, [made(cell, value, method) for cell, value in zip(cells, accuracies[line.row.name], strict=True)]))
    return pairs


def made(cell: Cell, accuracy: float, method: dict[str, Any]) -> Record:
    return record(cell, (accuracy,), method=method)


def test_sets_of_one_seed_are_paired_also_where_the_row_has_a_label() -> None:
    (pair,) = differences(found(method={"terms": {"cc": {"weight": 0.1}}, "balance": 1.0, "name": "dm+cc"}))
    assert (pair.method, pair.base, pair.data, pair.ipc) == ("beta1", "dm", "digits", 2)
    assert pair.values == (2.0, 1.0, 4.0)
    page = "\n".join(section([pair]))
    assert "| `beta1` | `dm` | +2.33 +- 1.25 |" in page


@pytest.mark.parametrize("changes", [{"method": {"views": 4}}, {"method": {"learning_rate": 5.0}}, {"protocol": Protocol(epochs=9)}])
def test_rows_that_differ_in_more_are_not(changes: dict[str, Any]) -> None:
    assert differences(found(**changes)) == []
    assert section([]) == []


def test_a_method_that_has_another_ones_name_is_not_its_base() -> None:
    lines = found()
    renamed = [
        (replace(line, row=replace(line.row, method="cafe")), records) if line.row.name == "dm" else (line, records)
        for line, records in lines
    ]
    assert differences(renamed) == []
