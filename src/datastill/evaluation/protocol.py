"""How networks are trained on a set to measure what it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from datastill.configuration import check_fields
from datastill.errors import UserError, unknown
from datastill.networks import NETWORKS


@dataclass(frozen=True)
class Protocol:
    """How a network is trained on a set.

    The default is the protocol of the condensation papers ("DC protocol"): halfway through, the learning rate falls to a tenth and the
    momentum starts afresh. The last iteration is what counts.

    Attributes:
        network: A name of `datastill.networks.NETWORKS`.
        epochs: Passes over the set; None is 1,000 with augmentation and 300 without.
        augment: Whether DSA is applied, parameters for every image.
        learning_rate: Of SGD.
        momentum: Of SGD.
        weight_decay: Of SGD.
        batch: Images per step.
        learned_rate: Whether a set with a learned learning rate is trained on with that one instead, as trajectory matching publishes.

    Reference:
        Zhao, Bilen, ICML 2021, arXiv:2102.08259, section 4.1, and the evaluation of every later paper.
    """

    network: str = "convnet"
    epochs: int | None = None
    augment: bool = True
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch: int = 256
    learned_rate: bool = True

    def __post_init__(self) -> None:
        check_fields(self)
        if self.network not in NETWORKS:
            raise unknown("network", self.network, NETWORKS)
        if self.batch < 1 or not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"evaluation needs a batch of at least 1 and a learning rate above 0, got {self.batch} and {self.learning_rate}"
            )
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise UserError(
                f"evaluation needs a momentum in [0, 1) and a weight decay of at least 0, got {self.momentum} and {self.weight_decay}"
            )
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise UserError(
                f"evaluation needs a momentum in [0, 1) and a weight decay of at least 0, got {self.momentum} and {self.weight_decay}"
            )
        if self.epochs is not None and self.epochs < 1:
            raise UserError(f"evaluation needs at least 1 epoch, got {self.epochs}")

    @property
    def passes(self) -> int:
        """The number of epochs."""
        return self.epochs or (1000 if self.augment else 300)

    @property
    def changes(self) -> str:
        """What differs from the DC protocol, apart from the network and the number of epochs; empty for nothing.

        Example:
            >>> Protocol(augment=False, batch=64).changes
            'not augmented, batch 64'
        """
        usual = Protocol()
        told = {"learning_rate": "learning rate", "momentum": "momentum", "weight_decay": "weight decay", "batch": "batch"}
        values = [f"{words} {getattr(self, name):g}" for name, words in told.items() if getattr(self, name) != getattr(usual, name)]
        own = [] if self.learned_rate else ["learned rates not used"]
        return ", ".join([*([] if self.augment else ["not augmented"]), *values, *own])
