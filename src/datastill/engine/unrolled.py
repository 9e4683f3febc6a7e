"""Training steps on functional weights, and the gradient of what they lead to with respect to images and step sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.engine.curvature import Curvature, Weights, features, sum_of
from datastill.engine.engine import Engine
from datastill.engine.micro_batches import even_micro_batch, shares
from datastill.networks import Network


@dataclass(frozen=True, eq=False)
class Step:
    """A step of plain SGD: ``w' = w - rate * grad_w mean cross-entropy(w; images, labels)``.

    Attributes:
        images: Normalised ``image channel height width``.
        labels: int64 ``image``.
        rate: A scalar tensor.
    """

    images: Tensor
    labels: Tensor
    rate: Tensor


class Unrolled:
    """Takes steps from weights, and goes back through them.

    Only the weights before every step are kept: on the way back each step is taken again, so that the graph of one micro-batch of one step
    is in memory, however many there are.

    Args:
        network: Whose weights; without batch norm. Its own weights change nothing.
        engine: How to run; steps compute in the precision of their images.
    """

    def __init__(self, network: Network, engine: Engine) -> None:
        self.network, self.limit = network, engine.images_at_a_time(network, training=True)
        self.names = [name for name, _ in network.named_parameters()]
        self.size, self.curvature, self._losses = 0, Curvature(engine, network), engine.compile(self._computed)

    def forward(self, weights: Weights, steps: Sequence[Step]) -> list[Weights]:
        """Take steps.

        Returns:
            The weights before every step, then those after the last.
        """
        trajectory = [tuple(weight.detach() for weight in weights)]
        for step in steps:
            leaves = tuple(weight.requires_grad_() for weight in trajectory[-1])
            self.size = self.size or even_micro_batch(len(step.images), self.limit)
            parts = [
                torch.autograd.grad(self._losses(*part, leaves)[0], leaves) for part in shares(step.images.detach(), step.labels, self.size)
            ]
            gradients, rate = map(sum_of, zip(*parts, strict=True)), step.rate.detach()
            trajectory.append(tuple(leaf.detach() - rate * slope for leaf, slope in zip(leaves, gradients, strict=True)))
        return trajectory

    def outcome(self, weights: Weights, images: Tensor, labels: Tensor) -> tuple[Tensor, int, Weights]:
        """The summed cross-entropy of images under weights, how many are classified right, and the gradient of the sum at the weights."""
        leaves = tuple(weight.detach().requires_grad_() for weight in weights)
        total, correct = torch.zeros((), dtype=leaves[0].dtype, device=leaves[0].device), 0
        gradient = tuple(torch.zeros_like(leaf) for leaf in leaves)
        for part, classes in zip(torch.split(images, self.limit), torch.split(labels, self.limit), strict=True):
            logits = features(self.network, self.names, leaves, part).logits
            loss = F.cross_entropy(logits, classes, reduction="sum")
            gradient = tuple(one + other for one, other in zip(gradient, torch.autograd.grad(loss, leaves), strict=True))
            total, correct = total + loss.detach(), correct + int((logits.argmax(1) == classes).sum())
        return total, correct, gradient

    def backward(
        self, trajectory: Sequence[Weights], steps: Sequence[Step], gradient: Weights, *, through: bool = True
    ) -> list[tuple[Tensor, Tensor]]:
        """Carry a gradient with respect to the last weights back through all steps.

        With g the gradient of a step's loss and v what arrives: ``<g, v>`` is the derivative with respect to minus the rate, and minus the
        rate times that of ``<g, v>`` is the derivative with respect to images, and to weights what is added to v.

        Args:
            trajectory: From `forward`.
            steps: The same steps.
            gradient: With respect to the weights after the last step.
            through: Whether a step's gradient depends on the weights that it starts from. If not, what arrives at the last weights arrives
                at every step as it is, as in TESLA (arXiv:2211.10586).

        Returns:
            The derivatives with respect to images and rate of every step.
        """
        found = []
        for before, step in zip(reversed(trajectory[:-1]), reversed(steps), strict=True):
            images, rate = step.images.detach(), step.rate.detach()
            along, of_images, *of_weights = self.curvature.along(gradient, before, images, step.labels, of_weights=through)
            if through:
                gradient = tuple(arrived - rate * own for arrived, own in zip(gradient, of_weights, strict=True))
            found.append((-rate * of_images, -along))
        return found[::-1]

    def _computed(self, images: Tensor, labels: Tensor, share: Tensor, weights: Weights) -> tuple[Tensor, ...]:
        logits = features(self.network, self.names, weights, images).logits
        return ((F.cross_entropy(logits, labels, reduction="none") * share).sum(),)
