"""Small pictures of a set on its way, at few iterations and in 8 bits: what a page shows of how the images change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.errors import UserError
from datastill.files import load_tensors
from datastill.kinds import Canvas, Stepper
from datastill.logs import logger
from datastill.runs.folder import Run

log = logger(__name__)

MOST = 40
"""Images of a preview at most: the first ones of every class, but at least one of each of the first classes."""


def previewed(iteration: int) -> bool:
    """Whether a preview is kept after an iteration: at 0, and at 1, 2 and 5 times every power of ten.

    A run of 2,000 iterations keeps 12. As it does not depend on how many iterations there are, a run that is continued keeps the same.

    Example:
        >>> [iteration for iteration in range(2001) if previewed(iteration)]
        [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]
    """
    return iteration == 0 or (iteration > 0 and int(str(iteration)[0]) in (1, 2, 5) and not str(iteration)[1:].strip("0"))


def previews_until(iterations: int) -> int:
    """The number of previews that a run keeps, including the one of its start.

    Args:
        iterations: The total number of steps.

    Example:
        >>> previews_until(0), previews_until(2000), previews_until(10**9)
        (1, 12, 29)
    """
    return 1 + sum(int(f"{digit}{'0' * power}") <= iterations for power in range(len(str(iterations))) for digit in (1, 2, 5))


class Previews:
    """Keeps the previews of a run.

    Args:
        data: Says how images are normalised.
        stepper: Gives what has been learned.
        run: Keeps them; None keeps nothing.
    """

    def __init__(self, data: DataSet, stepper: Stepper, run: Run | None) -> None:
        self.data, self.stepper, self.run = data, stepper, run

    def __call__(self, iteration: int) -> None:
        """Keep one after an iteration, if one is due."""
        if self.run is not None and previewed(iteration):
            self.run.preview(iteration, preview(self.stepper.canvas(), self.data))


def preview(canvas: Canvas, data: DataSet) -> dict[str, Tensor]:
    """The images of a preview, uint8 ``image channel height width``, and where they stand among all of the set, int64 ``image``."""
    rows = preview_rows(canvas.made_of(data.classes), data.classes)
    images = data.denormalise(canvas.images[rows]).mul(255).round().to(torch.uint8)
    return {"images": images, "rows": rows}


def preview_rows(labels: Tensor, classes: int) -> Tensor:
    """Where the images of a preview stand in a set: the first of every class.

    Args:
        labels: int64 ``image``, the class of each.
        classes: How many there are.

    Example:
        >>> preview_rows(torch.tensor([0, 0, 1, 1]), 30).tolist()
        [0, 2]
    """
    each = max(1, MOST // classes)
    return torch.cat([(labels == label).nonzero().flatten()[:each] for label in range(min(classes, MOST))])


def read_previews(folder: Path) -> dict[int, Mapping[str, Tensor]]:
    """The previews of a run by their iterations, the first one first; one that is damaged is left out, with a message.

    Args:
        folder: Of the run.
    """
    found: dict[int, Mapping[str, Tensor]] = {}
    for path in sorted((folder / "previews").glob("*.safetensors")):
        try:
            tensors, text = load_tensors(path)
            images, rows = tensors["images"], tensors["rows"]
            if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or rows.shape != images.shape[:1]:
                raise UserError(f"{path} is not the preview of a run")
            found[int(text["iteration"])] = tensors
        except (UserError, KeyError, ValueError) as error:
            log.warning("%s; it is left out", error if isinstance(error, UserError) else f"{path} is not the preview of a run")
    return dict(sorted(found.items()))
