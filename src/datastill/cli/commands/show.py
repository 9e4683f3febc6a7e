"""Summarise and draw a set, or list the values of a method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import FromData, Labels, Number, Preset, Set, Whole, opened
from datastill.errors import UserError, nearest, unknown


def show(
    path: Annotated[Path, Parameter(help="a run's or a set's folder, hub:OWNER/NAME, a file of images made by other code, or a method")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="where to write the picture; default grid.png in the set's folder")] = None,
    columns: Annotated[Whole, Parameter(help="images per class in the picture")] = 10,
    beside: Annotated[str | None, Parameter(help="what to draw beside it, comma-separated: real, start")] = None,
    evaluation: Annotated[Path | None, Parameter(help="a file written by `evaluate --out`; the picture shows its accuracies")] = None,
    data: FromData = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
    preset: Preset = None,
    ipc: Annotated[Whole | None, Parameter(help="images per class that a method's values are for; default 10")] = None,
    set_: Set = None,
) -> None:
    """Summarise the run or distilled set at PATH (see `datastill evaluate --help`) and draw its images, one row per class.

    If PATH is the name of a method, such as dm+iid, print every value of it for --data, --ipc and --preset, and where it comes from.
    Where a run is called like a method, --preset, --ipc or --set says that the method is meant.
    """
    from datastill.methods import NAMES
    from datastill.report.summary import show as summarise
    from datastill.report.values import print_values

    name, known = str(path), NAMES.all()
    base = name.lower().split("+")[0]
    if not path.exists() and base not in known and nearest(base, list(known)):
        raise unknown("path or method", base, known)
    of_a_method = preset or ipc is not None or set_  # and not of a run that is called like one
    if base in known and (of_a_method or not path.exists()):
        print_values(name, data=data or "digits", ipc=10 if ipc is None else ipc, preset=preset or "paper", settings=set_ or [])
        return
    if of_a_method:
        raise UserError(f"--preset, --ipc and --set are for a method, but '{name}' is none of `datastill list methods`")
    named = choices.of(data, "it is for files made by other code")
    strips = [part for part in (beside or "").split(",") if part]
    summarise(path, out, columns, opened(path, named, experiment, labels), beside=strips, evaluation=evaluation)
