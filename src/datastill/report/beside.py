"""A distilled set beside what it was made from, in one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.distilled import DistilledSet, Origin
from datastill.distilled.picture import Strip, drawn, strip
from datastill.errors import UserError, unknown
from datastill.evaluation.evaluate import resolve
from datastill.files import read_sealed, write_atomic
from datastill.kinds import Canvas, Selection
from datastill.kinds.canvas import initial_images
from datastill.runs.plan import Plan

MOST_CLASSES = 20
"""Classes that the picture shows, the first ones."""
IMAGES = 2
"""Images of every class that the picture shows."""


def write_beside(
    path: Path,
    distilled: DistilledSet,
    names: Sequence[str],
    target: Path,
    *,
    images: int = IMAGES,
    evaluation: Path | None = None,
) -> None:
    """Draw a set beside others: every strip has a title, every class its name.

    Args:
        path: Where the set was read from; a run's folder for "start".
        distilled: The set.
        names: What to show it beside, of `BESIDE`.
        target: A PNG file.
        images: The most images of every class in a strip.
        evaluation: What `datastill evaluate --out` wrote, whose accuracies stand above everything.

    Raises:
        UserError: If a name is unknown, or what is asked for cannot be found.
    """
    for name in names:
        if name not in BESIDE:
            raise unknown("strip", name, BESIDE)
    heading = _heading(evaluation, distilled) if evaluation else ""
    shown, data = resolve(distilled, None)
    labels = range(min(len(data.class_names), MOST_CLASSES))
    made = "chosen" if distilled.origin.kind == Selection.kind else "distilled"
    strips = [*(BESIDE[name](path, data, images) for name in names), strip(f"{made} ({distilled.origin.method})", shown, images)]
    chosen = [Strip(each.title, [each.by_class[label] for label in labels]) for each in strips]
    write_atomic(target, drawn(chosen, [data.class_names[label] for label in labels], heading))


def _real(path: Path, data: DataSet, images: int) -> Strip:
    """Real images of every class, drawn at random."""
    chosen = [data.train.draw(label, images, random.generator(0, label, "picture")) for label in range(data.classes)]
    tiles = [[_pixels(image) for image in data.train.gather(rows)] for rows in chosen]
    return Strip("real images", tiles)


def _start(path: Path, data: DataSet, images: int) -> Strip:
    """What the pixels of a run started from."""
    plan = Plan.read(path)
    initialisation, factor = getattr(plan.method, "initialisation", None), getattr(plan.method, "factor", 1)
    if initialisation is None:
        raise UserError(f"a method of {plan.method.kind} has no images that it starts from: leave 'start' out")
    canvas = Canvas.stacked(initial_images(initialisation, plan.fitting(data), plan.ipc, plan.seed, factor))
    origin = Origin(
        data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip, method="", seed=0, iterations=0,
        held_out=data.held_out, whitening=data.whitened_by,
    )  # fmt: skip
    title = "start (real images)" if initialisation == "real" else f"start ({initialisation})"
    return strip(title, DistilledSet.of(canvas, origin), images)


BESIDE: dict[str, Callable[[Path, DataSet, int], Strip]] = {"real": _real, "start": _start}
"""What a set may be shown beside."""


def _pixels(image: Tensor) -> Any:
    return image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).contiguous().numpy()


def _heading(evaluation: Path, distilled: DistilledSet) -> str:
    """What networks trained on the set reach, in a line each."""
    try:
        content, _ = read_sealed(evaluation)
        accuracy, network, data = content["accuracy"], content["protocol"]["network"], content["data"]
        split, random = content["split"], content["comparisons"].get("random")
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{evaluation} is not what `datastill.evaluate` wrote for one network: expected the file of its `out`") from error
    images = len(distilled.images)  # those that are stored, whatever parts they have
    if (content.get("fingerprint"), content.get("images")) != (distilled.origin.fingerprint, images):
        raise UserError(f"{evaluation} is the evaluation of another set: expected that of {images} images of {distilled.origin.data}")
    against = f",\none trained on {images} random real images {random['accuracy']:.1f}%" if random else ""
    return f"{data}: a {network} trained on these {images} images gets {accuracy:.1f}% of the {split} split right{against}"
