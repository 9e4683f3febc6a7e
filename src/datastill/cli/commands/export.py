"""Write a set, or a split of a data set, in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import FromData, Labels, Number, foreign, opened

if TYPE_CHECKING:
    from datastill.data import DataSet


def export(
    path: Annotated[Path, Parameter(help="a run's or a set's folder, or a file of images made by other code; with --split a data set")],
    target: Annotated[Path, Parameter(help="the folder or the file to write")],
    /,
    *,
    format: Annotated[str, Parameter(help="folder (ImageFolder), dc (tensor file of the DC code), parquet (hub)")] = "folder",
    data: FromData = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
    split: Annotated[
        Literal["train", "validation", "test"] | None,
        Parameter(help="write this split of the data that the set is distilled from, as a folder with a manifest"),
    ] = None,
) -> None:
    """Write the distilled set at PATH (see `datastill evaluate --help`) to TARGET in a format that other programs read.

    With --split, PATH may also be a data set: `datastill export folder:photos@64 held-out --split test`.
    """
    from datastill.distilled.formats import export as write
    from datastill.report.terminal import say_line

    if split is not None:
        say_line(f"wrote {write(_data(path, data, choices, experiment, labels), target, format, split=split)}")
        return
    named = choices.of(data, "it is for files made by other code")
    say_line(f"wrote {write(opened(path, named, experiment, labels), target, format)}")


def _data(path: Path, data: str | None, choices: Choices, experiment: int | None, labels: str | None) -> DataSet:
    """The data set at a path; or that of a distilled set, or the one that is named in its place."""
    from datastill.data import CATALOGUE, load
    from datastill.evaluation.evaluate import resolve
    from datastill.reading import split_off

    if not path.exists() and data is None and split_off(str(path))[0].partition(":")[0].partition("@")[0] in CATALOGUE:
        return load(choices.named(str(path)))
    named = choices.of(data, "the set says what it was distilled from")
    distilled, examined = foreign(path, named, experiment, labels) or (path, named)
    return resolve(distilled, examined)[1]
