"""How networks are trained on a set to measure what it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from datastill.augment import check_augmentation
from datastill.configuration import added_later, check_fields
from datastill.errors import UserError, unknown
from datastill.networks import network_type

NAMES = ("dc", "idc")
ROUNDING = 1e-9
"""What a share of the epochs is off by, at most, as two thirds of 3,000 may be."""


def idc_epochs(ipc: float, classes: int) -> int:
    """Epochs of the IDC protocol: 3,000 at IPC 1, 2,000 to 10, 1,500 to 50, 1,000 above; from 100 classes two thirds, cut to hundreds.

    Args:
        ipc: Stored images of a class.
        classes: How many classes there are.

    Reference:
        ``ipc_epoch`` of IDC's published code, which DREAM, DANCE and NCFM share. There it is for ImageNet and counts the parts of an image.

    Example:
        >>> idc_epochs(1, 10), idc_epochs(10, 10), idc_epochs(50, 10), idc_epochs(10, 100)
        (3000, 2000, 1500, 1300)
    """
    epochs = 3000 if ipc <= 1 else 2000 if ipc <= 10 else 1500 if ipc <= 50 else 1000
    return epochs if classes < 100 else 2 * epochs // 300 * 100


@dataclass(frozen=True)
class Protocol:
    """How a network is trained on a set.

    The default is the protocol of the condensation papers ("DC protocol"): halfway through, the learning rate falls to a tenth and the
    momentum starts afresh. The last iteration is what counts. `PROTOCOLS` has all that have a name.

    Attributes:
        network: A name that `datastill.networks.network_type` takes.
        epochs: Passes over the set; None is 1,000 with augmentation and 300 without, and under "idc" what `idc_epochs` says.
        augment: Whether images are augmented, parameters for every image; without it there is no cutmix either.
        learning_rate: Of SGD.
        momentum: Of SGD.
        weight_decay: Of SGD.
        batch: Images per step.
        learned_rate: Whether a set with a learned learning rate is trained on with that one instead, as trajectory matching publishes.
        called: The name of the protocol, of `PROTOCOLS`, that this is or is a change of.
        fall: What the learning rate is divided by, each time that it falls.
        fall_at: After which shares of the epochs, rounded down to whole epochs.
        restart: Whether the momentum starts afresh then.
        cutmix: Probability that a batch is mixed by cutmix after its augmentation, which is without cutout then.
        augmentation: How images are augmented, a name that `datastill.augment.training` takes.

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
    called: str = field(default="dc", metadata={"added": True, "set": False})
    fall: float = added_later(10.0)
    fall_at: tuple[float, ...] = added_later((0.5,))
    restart: bool = added_later(True)
    cutmix: float = added_later(0.0)
    augmentation: str = added_later("dsa")

    def __post_init__(self) -> None:
        check_fields(self)
        network_type(self.network)
        check_augmentation(self.augmentation)
        if self.batch < 1 or not 0 < self.learning_rate < math.inf:
            raise UserError(
                f"evaluation needs a batch of at least 1 and a learning rate above 0, got {self.batch} and {self.learning_rate}"
            )
        if not 0 <= self.momentum < 1 or not 0 <= self.weight_decay < math.inf:
            raise UserError(
                f"evaluation needs a momentum in [0, 1) and a weight decay of at least 0, got {self.momentum} and {self.weight_decay}"
            )
        if self.called not in NAMES:
            raise unknown("protocol", self.called, NAMES)
        if not 1 <= self.fall < math.inf or not all(0 < share < 1 for share in self.fall_at) or not 0 <= self.cutmix <= 1:
            raise UserError(
                f"evaluation needs a fall of the learning rate of at least 1, shares of the epochs in (0, 1) at which it falls, and a "
                f"probability of cutmix in [0, 1], got {self.fall}, {self.fall_at} and {self.cutmix}"
            )
        if self.epochs is not None and self.epochs < 1:
            raise UserError(f"evaluation needs at least 1 epoch, got {self.epochs}")

    @classmethod
    def named(cls, name: str) -> Protocol:
        """A protocol by its name.

        Raises:
            UserError: If there is none of that name.
        """
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)
        return PROTOCOLS[name]

    def resolved(self, ipc: float, classes: int) -> Protocol:
        """The same with its number of epochs, where that depends on the set.

        Args:
            ipc: Stored images of a class.
            classes: How many classes there are.
        """
        return self if self.epochs is not None or self.called != "idc" else replace(self, epochs=idc_epochs(ipc, classes))

    @property
    def passes(self) -> int:
        """The number of epochs; where it depends on the set and that was not said (see `resolved`), of ten classes at IPC 10."""
        return self.epochs or (idc_epochs(10, 10) if self.called == "idc" else 1000 if self.augment else 300)

    @property
    def falls(self) -> tuple[int, ...]:
        """The epochs, from 0, before which the learning rate falls."""
        return tuple(math.floor(share * self.passes + ROUNDING) for share in self.fall_at)

    @property
    def title(self) -> str:
        """Its name as it is written.

        Example:
            >>> Protocol.named("idc").title
            'IDC protocol'
        """
        return f"{self.called.upper()} protocol"

    @property
    def changes(self) -> str:
        """What differs from the protocol of its name, apart from the network and the number of epochs; empty for nothing.

        Example:
            >>> Protocol(augment=False, batch=64).changes
            'not augmented, batch 64'
        """
        usual = PROTOCOLS[self.called]
        told = {
            "learning_rate": "learning rate", "momentum": "momentum", "weight_decay": "weight decay", "batch": "batch",
            "fall": "rate falls by", "cutmix": "cutmix",
        }  # fmt: skip
        values = [f"{words} {getattr(self, name):g}" for name, words in told.items() if getattr(self, name) != getattr(usual, name)]
        own = [] if self.learned_rate else ["learned rates not used"]
        own += [] if self.fall_at == usual.fall_at else [f"rate falls at {', '.join(f'{share:.3g}' for share in self.fall_at)}"]
        own += [] if self.augmentation == usual.augmentation or not self.augment else [f"augmentation {self.augmentation}"]
        own += [] if self.restart == usual.restart else [f"momentum {'restarts' if self.restart else 'goes on'}"]
        return ", ".join([*([] if self.augment else ["not augmented"]), *values, *own])


PROTOCOLS = {
    "dc": Protocol(),
    "idc": Protocol(called="idc", batch=64, fall=5.0, fall_at=(2 / 3, 5 / 6), restart=False, cutmix=0.5, augmentation="idc"),
}
"""Protocols by name.

- "dc": Zhao, Bilen, ICML 2021, arXiv:2102.08259. SGD .01, momentum .9, weight decay 5e-4, batch 256, 1,000 epochs, DSA; at half of them a
  tenth of the rate and a fresh momentum.
- "idc": Kim et al., ICML 2022, arXiv:2205.14959, and its published code, as DREAM, DANCE and NCFM evaluate. SGD .01, momentum .9, weight
  decay 5e-4, batch 64; a fifth of the rate after 2/3 and 5/6 of the epochs (`idc_epochs`), the momentum going on; mirror and colour, then
  crop, scale or rotate, then cutmix with probability .5 and beta 1.

Numbers under one say nothing of numbers under the other.
"""
