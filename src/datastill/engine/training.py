"""Training a network on labelled images, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from datastill import labels as of_labels
from datastill.engine.engine import Engine
from datastill.engine.micro_batches import even_micro_batch, pieces
from datastill.engine.sharpness import uphill
from datastill.files import check_tensors
from datastill.networks import Network


class Trainer:
    """Trains a network from its weights on: SGD with momentum and weight decay, exact micro-batches.

    Instance norm works image by image, so a batch cut into micro-batches has the same gradient; one with batch norm is not cut.

    Args:
        engine: How to run.
        network: What to train; its weights stay in 32 bits.
        learning_rate: The first learning rate; change it with `set_learning_rate`.
        momentum: Of SGD.
        weight_decay: Of SGD, on every parameter.
        nesterov: Whether the momentum is Nesterov's.
        sharpness: Radius rho of sharpness-aware training; 0 for none.
        gap: Factor alpha of GSAM, with `sharpness` alone (see `engine.sharpness`).

    Attributes:
        correct: Which images of the last batch were classified correctly before its step, bool ``image``.
    """

    def __init__(
        self,
        engine: Engine,
        network: Network,
        *,
        learning_rate: float,
        momentum: float = 0.9,
        weight_decay: float = 5e-4,
        nesterov: bool = False,
        sharpness: float = 0.0,
        gap: float = 0.0,
    ) -> None:
        self.engine, self.network, self.sharpness, self.gap = engine, network, sharpness, gap
        self.optimizer = torch.optim.SGD(
            network.parameters(), lr=learning_rate, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov, fused=True
        )
        self.limit, self.size = engine.images_at_a_time(network, training=True), 0
        self._loss = engine.compile(self._tensors)
        self.correct = torch.zeros(0, dtype=torch.bool)

    def step(self, images: Tensor, labels: Tensor, kind: str = of_labels.HARD) -> tuple[float, int]:
        """Take one step on a batch.

        Args:
            images: Normalised ``image channel height width``, any number.
            labels: int64 ``image``, or float32 ``image class`` where they are soft.
            kind: What the labels are, one of `datastill.labels.KINDS`; says which loss is minimised, cross-entropy for hard ones.

        Returns:
            The mean loss and how many images were classified as labelled, both before the step.
        """
        count = len(images)
        self.size = count if self.network.batchwise else self.size or even_micro_batch(count, self.limit)
        weights = torch.full((count,), 1 / count, device=images.device)
        batch = [pieces(tensor, self.size) for tensor in (images, labels, weights)]
        loss, correct = self._gradient(batch, kind)
        if self.sharpness:
            with uphill(list(self.network.parameters()), self.sharpness, self.gap):
                self._gradient(batch, kind)
        self.optimizer.step()
        self.correct = correct[:count]
        return float(loss), int(self.correct.sum())  # read last: reading waits for the device

    def _gradient(self, batch: Sequence[Sequence[Tensor]], kind: str) -> tuple[Tensor, Tensor]:
        """Find the gradient of a batch in micro-batches; its loss, and which images were classified as labelled."""
        self.optimizer.zero_grad(set_to_none=True)
        losses, hits = [], []
        for part, label, weight in zip(*batch, strict=True):
            loss, correct = self._loss(part, label, weight, kind)
            torch.autograd.backward(loss)
            losses.append(loss.detach())
            hits.append(correct)
        return torch.stack(losses).sum(), torch.cat(hits)

    def set_learning_rate(self, value: float, *, restart_momentum: bool = False) -> None:
        """Change the learning rate; optionally forget the momentum, as the DC protocol does halfway through."""
        if restart_momentum:
            self.optimizer.state.clear()
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def state(self) -> dict[str, Tensor]:
        """Copies of the weights by name and of the momenta by ``momentum.NAME``, where there are any yet."""
        buffers = {name: self.optimizer.state[entry].get("momentum_buffer") for name, entry in self.network.named_parameters()}
        momenta = {f"momentum.{name}": buffer.clone() for name, buffer in buffers.items() if buffer is not None}
        return {**{name: value.clone() for name, value in self.network.weights().items()}, **momenta}

    def check(self, state: Mapping[str, Tensor], what: str) -> None:
        """Refuse what is not exactly a `state`, with all momenta or none.

        Args:
            state: As it was read.
            what: What it is, for the message.

        Raises:
            UserError: If a name, a shape, a type or a value is not right.
        """
        momenta = {f"momentum.{name}": entry for name, entry in self.network.named_parameters()}
        begun = any(name in state for name in momenta)
        check_tensors(state, {**self.network.weights(), **(momenta if begun else {})}, what)

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over a `state`; without momenta the momentum starts afresh."""
        self.network.take(state)
        self.optimizer.state.clear()
        for name, entry in self.network.named_parameters():
            if (momentum := state.get(f"momentum.{name}")) is not None:
                # The fused step pairs weights and momentum by their place in memory: both must have the same layout.
                self.optimizer.state[entry]["momentum_buffer"] = torch.empty_like(entry).copy_(momentum)

    def _tensors(self, images: Tensor, labels: Tensor, weights: Tensor, kind: str) -> tuple[Tensor, ...]:
        images = images.to(self.engine.precision, memory_format=torch.channels_last)
        logits = self.network(images).logits
        loss = (of_labels.loss(logits, labels, kind) * weights).sum()
        return loss, logits.argmax(1) == of_labels.classes_of(labels)
