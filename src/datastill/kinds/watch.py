"""Warns, once each, when a run's loss grows, a term is out of proportion, images leave the range of real images, or nothing moves."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.logs import logger

log = logger(__name__)

GROWTH = 10.0
"""Growth of the loss, relative to the first one, that causes a warning."""
FAR = 5.0
"""Root mean square of an image's normalised values that causes a warning: real images have about 1, and stable runs stayed below 2.2 (every
method for ten iterations on digits, dm+iid for thirty on CIFAR-10)."""

HELD = 1 / torch.finfo(torch.float32).eps
"""How many times larger than the rest of a sum in fp32 a summand may be: beside a larger one the rest is lost in rounding."""
LOST = 1000.0
"""Root mean square of an image's normalised values that ends a run: in 8 bits it is black and white, whatever follows."""


class Watch:
    """Watches the loss and the images of one run.

    Args:
        steady: Whether losses can be compared over the run: not if networks are trained during the run.
    """

    def __init__(self, *, steady: bool) -> None:
        self.steady = steady
        self.first: dict[str, float] = {}
        self.seen: set[str] = set()
        self.told: set[str] = set()

    def loss(self, iteration: int, weighted: Mapping[str, float]) -> None:
        """Warn when the loss has grown tenfold since the first iteration that was seen, naming the term that grew most.

        Args:
            iteration: From 0.
            weighted: Every term times its weight, by name; a loss of other terms than the first one is ignored.
        """
        if not self.steady or "loss" in self.told:
            return
        if not self.first:
            self.first = dict(weighted)
        before, now = sum(self.first.values()), sum(weighted.values())
        if set(weighted) != set(self.first) or now <= GROWTH * before or before <= 0:
            return
        term = max(weighted, key=lambda name: weighted[name] - self.first[name])
        self._tell(
            "loss",
            f"iteration {iteration + 1}: the loss has grown from {before:.3g} to {now:.3g}, most of it in the term '{term}' "
            f"({self.first[term]:.3g} to {weighted[term]:.3g}): lower {term}.weight or the learning rate",
        )

    def sizes(self, iteration: int, weighted: Mapping[str, float]) -> None:
        """Warn when a term that is seen for the first time is so much larger or smaller than another that fp32 cannot add them.

        Args:
            iteration: From 0.
            weighted: Every term times its weight, by name; one that is 0 is not compared.
        """
        sizes = {name: abs(value) for name, value in weighted.items() if value}
        largest, smallest = (choose(sizes, key=lambda name: sizes[name], default="") for choose in (max, min))
        fresh, self.seen = sizes.keys() - self.seen, self.seen | sizes.keys()
        if "sizes" in self.told or not fresh & {largest, smallest} or sizes[largest] <= HELD * sizes[smallest]:
            return
        far = max(largest, smallest, key=lambda name: abs(math.log(sizes[name])))
        self._tell(
            "sizes",
            f"iteration {iteration + 1}: with their weights the term '{largest}' is {sizes[largest]:.3g} and the term '{smallest}' "
            f"{sizes[smallest]:.3g}, which fp32 loses beside it: {'lower' if far == largest else 'raise'} {far}.weight, or what else "
            f"multiplies this term",
        )

    def pixels(self, iteration: int, pixels: Tensor, lower: str = "`learning_rate`") -> None:
        """Warn when an image has left the range of real images, and end a run whose images are lost (see `farthest_image`).

        Args:
            iteration: From 0.
            pixels: ``class image channel height width``.
            lower: What to lower, as an advice.
        """
        self.images(iteration, farthest_image(iteration, pixels, lower), {}, lower)

    def rate(self, iteration: int, wanted: float, held: float, lower: str) -> None:
        """Warn when a learned rate is held back, as a step would have changed it too much.

        Args:
            iteration: From 0.
            wanted: What the step would have made of it.
            held: What it is.
            lower: What to lower, as an advice.
        """
        if wanted != held and "rate" not in self.told:
            self._tell(
                "rate",
                f"iteration {iteration + 1}: the learned learning rate would become {wanted:.3g} and is held at {held:.3g}: lower {lower}",
            )

    def images(self, iteration: int, farthest: float, pulls: Mapping[str, float], lower: str = "the learning rate") -> None:
        """Warn when an image has left the range of real images, naming the term that pulls hardest.

        Args:
            iteration: From 0.
            farthest: The largest root mean square of an image's normalised values.
            pulls: How hard every term pulls, by name; empty where there are no terms.
            lower: What to lower where there are none, as an advice.
        """
        if not farthest > FAR or "images" in self.told:
            return
        term = max(pulls, key=lambda name: pulls[name], default="")
        puller = f", and the term '{term}' pulls hardest: lower {term}.weight or the learning rate" if term else f": lower {lower}"
        self._tell(
            "images",
            f"iteration {iteration + 1}: an image's values are {farthest:.1f} standard deviations from the mean of real images (usual: "
            f"about 1){puller}",
        )

    def _tell(self, what: str, message: str) -> None:
        self.told.add(what)
        log.warning(message)


def check_moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> None:
    """Warn when a step has changed nothing: it was smaller than fp32 can tell beside the values, and so will be those that follow.

    Args:
        before: What was learned before the first step, by name.
        after: What was learned with it.
    """
    if all(torch.equal(before[name], value) for name, value in after.items()):
        log.warning(
            "the first iteration has changed nothing, as its step is too small for fp32: raise the learning rate, or the weights of terms"
        )


def farthest_image(iteration: int, pixels: Tensor, lower: str) -> float:
    """The largest root mean square of an image's normalised values after an iteration.

    Args:
        iteration: From 0.
        pixels: ``class image channel height width``.
        lower: What to lower where images are lost, as an advice.

    Raises:
        UserError: If the step has moved an image to where nothing of it is left, although the loss before it was finite.
    """
    farthest = float(pixels.detach().square().mean((2, 3, 4)).max().sqrt())
    if not farthest <= LOST:
        where = f"{farthest:.3g} standard deviations from the mean of real images" if math.isfinite(farthest) else "not finite"
        raise UserError(
            f"the pixels of an image are {where} after iteration {iteration + 1}, so nothing is left of it: lower {lower} in a new run; "
            f"checkpoints from before are kept"
        )
    return farthest
