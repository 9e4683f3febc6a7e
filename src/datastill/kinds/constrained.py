"""What a method is that matches something else than features and takes constraints, and the checks that its parts fit together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from datastill.configuration import added_later, describe
from datastill.data import DataSet
from datastill.encoders import Encoder
from datastill.encoders.encoder import missing_once, seconds_of_training
from datastill.engine.cost import forward_cost
from datastill.errors import UserError
from datastill.kinds.balance import MATCHING
from datastill.kinds.composed import check_terms
from datastill.kinds.method import Method
from datastill.networks import build, network_type
from datastill.teachers.missing import Untrained
from datastill.terms import Term, added_as

RESERVED = ("loss", MATCHING, "rate", "iteration", "seconds", "validation_accuracy")


@dataclass(frozen=True)
class Constrained(Method):
    """A method whose own loss is no sum of terms, with terms added to it: ``L = L_own + sum_term weight * term``.

    Terms that read the encoder "matching" get the features that the kind lends them; others read an encoder that they bring.

    Attributes:
        network: What the kind matches in, and so lends the features of.
        real_batch: Real images per class and step that a target is taken from.
        terms: The constraints.
        encoders: Where the features of other constraints come from, by name, as in `DistributionMatching`.
        balance: How much longer than the gradient of the method's own loss at a class's images that of an encoder's constraints at one of
            them may be; 0 for no bound.
    """

    takes_terms: ClassVar[bool] = True
    lends_real: ClassVar[bool] = False
    """Whether the kind lends the features of real images too, of a pass that it takes anyway."""

    network: str = "convnet"
    real_batch: int = added_later(256)
    terms: tuple[Term, ...] = added_later(())
    encoders: Mapping[str, Encoder] = added_later(dict)
    balance: float = added_later(1.0)

    def __post_init__(self) -> None:
        brought = {term.encoder: term.brings for term in self.terms if term.brings is not None and term.encoder not in self.encoders}
        object.__setattr__(self, "encoders", {**self.encoders, **brought})
        if self.real_batch < 1:
            raise UserError(f"{self.name} needs a real_batch of at least 1, got {self.real_batch}")
        if not 0 <= self.balance < math.inf:
            raise UserError(f"{self.name} needs a balance of at least 0, where 0 is no bound, got {self.balance}")
        check_terms(self.name, self.terms, [MATCHING, *self.encoders], RESERVED)
        for term in self.terms:
            self._check_term(term)

    def _check_term(self, term: Term) -> None:
        if term.couples:
            raise UserError(
                f"the term '{term.name}' compares classes with each other, but {self.name} goes class after class: leave out "
                f"+{term.name}, or add it to a method that matches distributions, such as dm"
            )
        if term.trusts and (term.encoder == MATCHING or not self.encoders[term.encoder].trains):
            raise UserError(
                f"the term '{term.name}' relies on a network's predictions, but {self.name} lends no network of known accuracy: leave out "
                f"+{term.name}, or add it to a method that trains its networks, such as idm"
            )

    def __add__(self, term: Term) -> Self:
        """The same method with one more constraint."""
        return replace(self, name=f"{self.name}+{term.name}", terms=(*self.terms, term))

    def with_term(self, term: Term, encoder: Encoder | None = None) -> Self:
        """The same method with one more constraint, and the encoder that it brings (see `Method.with_term`)."""
        if encoder is None or term.encoder in {MATCHING, *self.encoders}:
            return self + term
        return replace(self, encoders={**self.encoders, term.encoder: encoder}) + term

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the constraints against the images that there are (see `Method.check`)."""
        real = min(self.real_batch, *data.train.counts)
        for term in self.terms:
            if ipc < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} images per class, but IPC is {ipc}: use "
                    f"`ipc={term.least_images}` or more, or leave out +{added_as(term.name, self.name)}"
                )
            if term.source == "batch" and real < term.least_real:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_real} real images per class and step, but the real batch is "
                    f"{self.real_batch} and the smallest class has {min(data.train.counts)}: use more, or leave out "
                    f"+{added_as(term.name, self.name)}"
                )
        for name, encoder in self.used().items():
            terms = [term for term in self.terms if term.encoder == name]
            least = max(term.least_images for term in terms)
            if 0 < encoder.most < least:
                raise UserError(
                    f"{', '.join(term.name for term in terms)} needs at least {least} images per class, but its encoder reads "
                    f"{encoder.most}: use `{name}.most={least}` or more, or 0 for all"
                )
            if encoder.targets:
                raise UserError(f"{self.name} takes targets from the real images of each step and keeps none: use `{name}.targets=0`")
            if encoder.network and network_type(encoder.network).batchwise and not encoder.apart:
                raise UserError(
                    f"the images of all classes go through {encoder.network} together, but {self.name} goes class after class: use "
                    f"another network, `{name}.network=NAME`"
                )

    def used(self) -> dict[str, Encoder]:
        """The encoders that a constraint reads, by name."""
        read = {term.encoder for term in self.terms}
        return {name: encoder for name, encoder in self.encoders.items() if name in read}

    def constraint_cost(self, data: DataSet, ipc: int) -> float:
        """Floating-point operations of the constraints in a step: forward over real, forward and backward over synthetic images.

        Features that the kind lends are those of its own pass, and cost nothing.
        """
        total = 0.0
        for name in sorted({term.encoder for term in self.terms}):
            encoder = self.encoders.get(name)
            network = build(encoder.network if encoder else self.network, channels=data.channels, classes=data.classes, size=data.size)
            images = 2 * min(ipc, (encoder and encoder.most) or ipc)
            lent = encoder is None and self.lends_real
            if not lent and any(term.source == "batch" for term in self.terms if term.encoder == name):
                images += min(self.real_batch, max(data.train.counts))
            total += forward_cost(network) * data.classes * images / (encoder.every if encoder else 1)
            total += encoder.cost(data) if encoder else 0.0
        return total

    def constraint_memory(self, data: DataSet) -> int:
        """Bytes that the encoders of constraints take at least, apart from features."""
        return sum(encoder.memory(data) for encoder in self.used().values())

    def pretraining_seconds(self, data: DataSet) -> float:
        """How long the training of the encoders that constraints read took (see `Method.pretraining_seconds`)."""
        return seconds_of_training(self.used().values(), data)

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Networks of encoders that constraints read (see `Method.missing`)."""
        return missing_once(self.used().values(), data)

    def untrained(self, data: DataSet) -> Self:
        """The same without networks that are trained first, for measuring how long a step takes."""
        encoders = {name: encoder.untrained() if encoder.missing(data) else encoder for name, encoder in self.used().items()}
        return replace(self, encoders=encoders)

    def describe(self) -> dict[str, Any]:
        """The fields of the method, with the encoders that it reads (see `Method.describe`)."""
        return describe(replace(self, encoders=self.used()))
