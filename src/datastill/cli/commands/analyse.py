"""Look at sets with a network that was trained on the real images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import FromData, Labels, Number, Whole, opened
from datastill.errors import UserError


def analyse(
    *paths: Annotated[Path, Parameter(help="runs' or sets' folders, or files of images made by other code")],
    out: Annotated[
        list[Path] | None,
        Parameter(help="also write to this file: a picture if it ends in .png, the numbers if in .json; repeatable", negative=""),
    ] = None,
    network: Annotated[str, Parameter(help="whose embedding; trained first where it is not in the cache")] = "resnet18",
    recipe: Annotated[str, Parameter(help="how it is trained: fast, paper, trajectory")] = "fast",
    epochs: Annotated[Whole | None, Parameter(help="of its training; default as in the recipe")] = None,
    real: Annotated[Whole, Parameter(help="real images per class beside the set, or all of a class that has fewer")] = 100,
    seed: Annotated[Whole, Parameter(help="of the draw of real images and of t-SNE")] = 0,
    data: FromData = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
) -> None:
    """Compare sets with real images in the embedding of a trained network: scatter, distances, and t-SNE as a picture.

    PATHS are folders of runs or of distilled sets (see `datastill evaluate --help`). Scatter within classes is the mean squared distance
    of an image from the mean of its class, between classes that of the means from the mean of all.
    """
    import dataclasses

    from datastill.analysis import analyse as find
    from datastill.data import load
    from datastill.files import check_file
    from datastill.report.analysis import check_target, print_analyses, write_analyses
    from datastill.report.terminal import say_line
    from datastill.teachers.recipe import recipe as named

    if not paths:
        raise UserError("which set? Give the folder of a run or of a distilled set, or several")
    for target in out or ():
        check_target(target)
        check_file(target)
    trained = named(recipe) if epochs is None else dataclasses.replace(named(recipe), epochs=epochs)
    given = choices.of(data, "it is for files made by other code")
    sets = [(str(path), opened(path, given, experiment, labels)) for path in paths]
    real_data = None if given is None else load(given)
    found = [(name, find(each, network=network, recipe=trained, real=real, data=real_data, seed=seed)) for name, each in sets]
    print_analyses(found)
    for target in out or ():
        write_analyses(found, target)
        say_line(f"wrote {target}")
