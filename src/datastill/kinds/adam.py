"""Adam on named tensors, whose state is known from the start and by name."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

KEYS = ("step", "exp_avg", "exp_avg_sq")


class Adam:
    """`torch.optim.Adam` on tensors that have names, with its state as named tensors before the first step already.

    Args:
        tensors: What is moved, in place, by name.
        learning_rate: Of every step.
    """

    def __init__(self, tensors: Mapping[str, Tensor], learning_rate: float) -> None:
        self.tensors = dict(tensors)
        self.optimizer = torch.optim.Adam(list(self.tensors.values()), lr=learning_rate)
        self.forget()

    def step(self) -> None:
        """Step with the gradients that the tensors have, and drop these."""
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def set_learning_rate(self, value: float) -> None:
        """Change the learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = value

    def forget(self) -> None:
        """Begin again, as before the first step."""
        for tensor in self.tensors.values():
            averages = {key: torch.zeros_like(tensor, requires_grad=False) for key in KEYS[1:]}
            self.optimizer.state[tensor] = {"step": torch.zeros(()), **averages}

    def state(self) -> dict[str, Tensor]:
        """The number of steps and the averages of every tensor, by ``NAME.step``, ``NAME.exp_avg`` and ``NAME.exp_avg_sq``; not copies."""
        return {f"{name}.{key}": self.optimizer.state[tensor][key] for name, tensor in self.tensors.items() for key in KEYS}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over a `state`, which was checked before."""
        for name, value in self.state().items():
            value.copy_(state[name])
