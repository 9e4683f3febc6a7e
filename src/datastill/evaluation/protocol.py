"""How networks are trained on a set to measure what it is worth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

from datastill.augment import check_augmentation
from datastill.configuration import added_later, check_fields
from datastill.errors import UserError, unknown
from datastill.kinds.canvas import STEP_SIZE, step_size
from datastill.networks import network_type

NAMES = ("dc", "idc", "dd")
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


def learned_steps(numbers: Mapping[str, float], ipc: float) -> tuple[float, ...]:
    """The learned step sizes of a set in the order of the steps; empty for a set that has none.

    Args:
        numbers: What was learned with the set, where step sizes are ``rate.EPOCH.IMAGE``, both counted from 0.
        ipc: Stored images of a class.

    Raises:
        UserError: If there are some but not one for every image of every epoch, or one is not above 0.

    Example:
        >>> learned_steps({"rate.0.0": 0.1, "rate.0.1": 0.2, "rate.1.0": 0.3, "rate.1.1": 0.4, "learning_rate": 0.25}, 2)
        (0.1, 0.2, 0.3, 0.4)
    """
    found = {name: value for name, value in numbers.items() if name.startswith(STEP_SIZE)}
    expected = [step_size(epoch, image) for epoch in range(math.ceil(len(found) / ipc)) for image in range(int(ipc))]
    if found and (set(found) != set(expected) or ipc != int(ipc) or not all(0 < value < math.inf for value in found.values())):
        raise UserError(
            f"expected a learned step size above 0 for each of the {ipc:g} images of a class in every epoch, got {len(found)} of them: "
            f"evaluate the set under another protocol"
        )
    return tuple(found[place] for place in expected)


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
        learned_rate: Whether a set with a learned learning rate is trained on with that one instead, as trajectory matching publishes; a
            learning rate that is not the protocol's usual one is meant, and used (see `takes_learned`).
        called: The name of the protocol, of `PROTOCOLS`, that this is or is a change of.
        fall: What the learning rate is divided by, each time that it falls.
        fall_at: After which shares of the epochs, rounded down to whole epochs.
        restart: Whether the momentum starts afresh then.
        cutmix: Probability that a batch is mixed by cutmix after its augmentation, which is without cutout then.
        augmentation: How images are augmented, a name that `datastill.augment.training` takes.
        steps: Learning rates of single steps that take the place of whole epochs, each on the next image of every class; of the protocol
            "dd" alone, and of its set (see `resolved`).

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
    steps: tuple[float, ...] = field(default=(), metadata={"added": True, "set": False})

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

    @classmethod
    def given(cls, protocol: Protocol | str | None, usual: Protocol | None = None) -> Protocol:
        """What was given as a protocol: itself, or the one of a name with the usual network; the usual one where nothing was.

        Raises:
            UserError: If it is something else, or there is none of that name.
        """
        if protocol is None:
            return usual or cls()
        if isinstance(protocol, str):
            return replace(cls.named(protocol), network=(usual or cls()).network)
        if not isinstance(protocol, Protocol):
            raise UserError(f"`protocol` must be a Protocol or the name of one ({', '.join(PROTOCOLS)}), got {protocol!r}")
        return protocol

    def resolved(self, ipc: float, classes: int, numbers: Mapping[str, float] | None = None) -> Protocol:
        """The same with its number of epochs, and its steps, where they depend on the set.

        Args:
            ipc: Stored images of a class.
            classes: How many classes there are.
            numbers: What was learned with the set, by name.

        Raises:
            UserError: If the protocol takes learned steps and the set has none, or anything but the network was changed.
        """
        if self.called == "dd":
            return self if self.steps else self._learned(ipc, classes, learned_steps(numbers or {}, ipc))
        return self if self.epochs is not None or self.called != "idc" else replace(self, epochs=idc_epochs(ipc, classes))

    def _learned(self, ipc: float, classes: int, steps: tuple[float, ...]) -> Protocol:
        if replace(self, network=PROTOCOLS["dd"].network) != PROTOCOLS["dd"]:
            raise UserError("the protocol 'dd' takes exactly the steps that were learned with the set: only the network can be changed")
        if not steps:
            raise UserError(
                "the protocol 'dd' takes the steps that were learned with a set, and this one has none, as only sets of `dd` do: use 'dc'"
            )
        return replace(self, epochs=len(steps) // int(ipc), batch=classes, learning_rate=fmean(steps), steps=steps)

    @property
    def passes(self) -> int:
        """The number of epochs; where it depends on the set and that was not said (see `resolved`), of ten classes at IPC 10."""
        return self.epochs or (idc_epochs(10, 10) if self.called == "idc" else 1000 if self.augment else 300)

    @property
    def falls(self) -> tuple[int, ...]:
        """The epochs, from 0, before which the learning rate falls."""
        return tuple(math.floor(share * self.passes + ROUNDING) for share in self.fall_at)

    @property
    def takes_learned(self) -> bool:
        """Whether networks start from the learning rate that was learned with a set, where there is one."""
        return self.learned_rate and self.learning_rate == PROTOCOLS[self.called].learning_rate

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
        if self.called == "dd":  # what it has is what the set says
            return ""
        own = [] if self.learned_rate == usual.learned_rate else ["learned rates not used"]
        own += [] if self.fall_at == usual.fall_at else [f"rate falls at {', '.join(f'{share:.3g}' for share in self.fall_at)}"]
        own += [] if self.augmentation == usual.augmentation or not self.augment else [f"augmentation {self.augmentation}"]
        own += [] if self.restart == usual.restart else [f"momentum {'restarts' if self.restart else 'goes on'}"]
        return ", ".join([*([] if self.augment else ["not augmented"]), *values, *own])


PROTOCOLS = {
    "dc": Protocol(),
    "idc": Protocol(called="idc", batch=64, fall=5.0, fall_at=(2 / 3, 5 / 6), restart=False, cutmix=0.5, augmentation="idc"),
    "dd": Protocol(called="dd", augment=False, momentum=0.0, weight_decay=0.0, fall_at=(), learned_rate=False),
}
"""Protocols by name.

- "dc": Zhao, Bilen, ICML 2021, arXiv:2102.08259. SGD .01, momentum .9, weight decay 5e-4, batch 256, 1,000 epochs, DSA; at half of them a
  tenth of the rate and a fresh momentum.
- "idc": Kim et al., ICML 2022, arXiv:2205.14959, and its published code, as DREAM, DANCE and NCFM evaluate. SGD .01, momentum .9, weight
  decay 5e-4, batch 64; a fifth of the rate after 2/3 and 5/6 of the epochs (`idc_epochs`), the momentum going on; mirror and colour, then
  crop, scale or rotate, then cutmix with probability .5 and beta 1.
- "dd": Wang et al., arXiv:1811.10959, algorithm 1. Exactly the learned steps of plain SGD, each on the next image of every class with its
  learned rate; no augmentation. For sets that have such steps, which are those of `dd`.

Numbers under one say nothing of numbers under the other.
"""
