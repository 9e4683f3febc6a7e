"""Summarise and draw a set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import FromData, Labels, Number, Whole, opened


def show(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="where to write the picture; default grid.png in the set's folder")] = None,
    columns: Annotated[Whole, Parameter(help="images per class in the picture")] = 10,
    beside: Annotated[str | None, Parameter(help="what to draw it beside, comma-separated: real, start")] = None,
    evaluation: Annotated[Path | None, Parameter(help="a file of `evaluate --out`, whose accuracies stand in the picture")] = None,
    data: FromData = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
) -> None:
    """Summarise the run or distilled set at PATH (see `datastill evaluate --help`) and draw its images, one row per class."""
    from datastill.report.summary import show as summarise

    named = choices.of(data, "it is for files made by other code")
    strips = [name for name in (beside or "").split(",") if name]
    summarise(path, out, columns, opened(path, named, experiment, labels), beside=strips, evaluation=evaluation)
