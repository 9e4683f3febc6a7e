"""Write a set in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import FromData, Labels, Number, opened


def export(
    path: Path,
    target: Path,
    /,
    *,
    format: Annotated[str, Parameter(help="folder (ImageFolder), dc (tensor file of the DC code), parquet (hub)")] = "folder",
    data: FromData = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
) -> None:
    """Write the distilled set at PATH (see `datastill evaluate --help`) to TARGET in a format that other programs read."""
    from datastill.distilled.formats import export as write
    from datastill.report.terminal import say_line

    named = choices.of(data, "it is for files made by other code")
    say_line(f"wrote {write(opened(path, named, experiment, labels), target, format)}")
