"""Regression with the closed-form kernel of an infinitely wide network."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.functional import tangent_kernel
from datastill.kinds.kernel_regression.composition import KernelRegression
from datastill.kinds.kernel_regression.kernel import Kernel
from datastill.kinds.kernel_regression.stepper import RegressionStepper
from datastill.kinds.method import Stepper

FORWARD_AND_BACKWARD = 3


@dataclass(frozen=True)
class ClosedFormRegression(KernelRegression):
    """Regression with the neural tangent kernel of a fully connected ReLU network (see `datastill.functional.tangent_kernel`).

    Attributes:
        hidden: Hidden layers of the network, from 1.
        bias: The standard deviation of its biases.
    """

    hidden: int = 1
    bias: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden < 1 or not 0 <= self.bias < math.inf:
            raise UserError(f"{self.name} needs at least 1 hidden layer and a bias of at least 0, got {self.hidden} and {self.bias}")

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Draw the first images and prepare the kernel (see `Method.open`)."""
        return RegressionStepper(self, data, engine, ipc, seed)

    def kernel(self, data: DataSet, engine: Engine, seed: int) -> Kernel:
        """The kernel on pixels (see `KernelRegression.kernel`)."""
        return TangentKernel(data.channels * data.size[0] * data.size[1], self.hidden, self.bias)

    def cost(self, data: DataSet, ipc: int) -> float:
        """The inner products of all pairs, forward and backward (see `Method.cost`)."""
        support = data.classes * ipc
        pairs = support * (support + self.batch_of_class(data) * data.classes)
        return float(FORWARD_AND_BACKWARD * 2 * pairs * data.channels * data.size[0] * data.size[1])


class TangentKernel(Kernel):
    """The kernel of a `ClosedFormRegression`."""

    def __init__(self, values: int, hidden: int, bias: float) -> None:
        self.values, self.hidden, self.bias = values, hidden, bias

    def seen(self, images: Tensor) -> Tensor:
        """The pixels (see `Kernel.seen`)."""
        return images.flatten(1).double()

    def between(self, one: Tensor, other: Tensor) -> Tensor:
        """See `datastill.functional.tangent_kernel`."""
        return tangent_kernel(one, other, hidden=self.hidden, bias=self.bias)
