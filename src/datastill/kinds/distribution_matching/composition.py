"""What a method that matches distributions is composed of, and the checks that its parts fit together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeVar

from datastill.augment import check_augmentation, check_factor
from datastill.configuration import added_later, describe, not_set
from datastill.data import DataSet
from datastill.encoders import Encoder, FreshNetwork
from datastill.encoders.encoder import missing_once, seconds_of_training
from datastill.engine import Engine
from datastill.engine.cost import forward_cost
from datastill.errors import UserError, unknown
from datastill.kinds.balance import MATCHING
from datastill.kinds.canvas import INITIALISATIONS, PIXELS, check_start
from datastill.kinds.composed import check_terms
from datastill.kinds.method import Measured, Method, check_enough_classes
from datastill.networks import build, network_type
from datastill.teachers.missing import Untrained
from datastill.terms import Term, added_as

T = TypeVar("T", Term, Encoder)
COPIES = 4
"""Copies of the pixels: with their gradient, their momentum and their average."""
SEEN = 3
"""Copies of what encoders see of a class: cut into parts, augmented, and its gradient."""
RESERVED = ("loss", "iteration", "seconds", "validation_accuracy")


@dataclass(frozen=True)
class Composition(Method):
    """Terms on the features of encoders: ``L = sum_term weight * term(real, synthetic)``, summed over classes.

    Attributes:
        terms: The summands of the loss.
        encoders: Where features come from, by the names that terms refer to; a term brings the one that is missing, if it has one.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels.
        real_batch: Real images per class and step.
        initialisation: "real" starts from real images, "noise" from normal noise, "augmented" from real images and changed copies of them
            where a class has fewer than IPC.
        augment: Whether images are augmented, one draw per class for real and synthetic images.
        augmentation: How, a name that `datastill.augment.matching` takes: "dsa" for one family of DSA, "idc" for several together.
        averaging: Decay in [0, 1) of a moving average of the pixels over iterations, which is what the method gives; the steps continue
            from the pixels themselves. 0 gives the last pixels, as the papers do.
        factor: Parts per side of a stored image, each used as a separate image (see `datastill.augment.expand`); 1 for none.
        views: How many times every synthetic image appears in its class's sample, each time with its own augmentation draw; real images
            are divided among the draws. More than 1 gives terms that need several images per class something to read at IPC 1.
        by_class: Whether the pixels step once after each class, as in IDM's published loop (see `PixelSGD`).
        added: Names of the terms that were added with ``+``.
        balance: How much longer than the gradient of the method's own terms at a class's images the gradient of a constraint at one of them
            may be in an iteration; 0 for no bound. Constraints are the terms that were added, and those that do not read the matching
            encoder.
        halve_at: Iterations from which on the learning rate is half of what it was before.
        pixels: "free", or "box" to keep every pixel within what 8 bits hold, from black to white: after every iteration it is moved to the
            nearest such value.
        wants: Other values for what is added, by the name of the term (if it is added by its name, see `with_term`) or of the encoder that
            a term brings, then of the field: ``{"cc": {"weight": 0.01}, "pretrained": {"most": 10}}``. The outcome is in the terms and
            encoders themselves.
    """

    kind: ClassVar[str] = "distribution matching"
    takes_terms: ClassVar[bool] = True
    lower: ClassVar[str] = "lower `ipc`, or the settings views, factor or those of its encoders"

    terms: tuple[Term, ...] = ()
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: {"matching": FreshNetwork()})
    learning_rate: float = 1.0
    momentum: float = 0.5
    real_batch: int = 256
    initialisation: str = "real"
    augment: bool = True
    averaging: float = 0.0
    factor: int = 1
    views: int = 1
    by_class: bool = False
    added: tuple[str, ...] = not_set(())
    balance: float = 1.0
    halve_at: tuple[int, ...] = ()
    pixels: str = added_later("free")
    augmentation: str = added_later("dsa")
    wants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        brought = {term.encoder: term.brings for term in self.terms if term.brings is not None and term.encoder not in self.encoders}
        wanted = {name: self._wanted(encoder, name) for name, encoder in brought.items()}
        object.__setattr__(self, "encoders", {**self.encoders, **wanted})
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if self.real_batch < 1 or not 0 < self.learning_rate < math.inf or not 0 <= self.momentum < 1:
            raise UserError(
                f"{self.name} needs a real batch of at least 1, a learning rate above 0 and a momentum in [0, 1), "
                f"got {self.real_batch}, {self.learning_rate} and {self.momentum}"
            )
        if self.factor < 1 or self.views < 1:
            raise UserError(f"{self.name} needs a factor and a number of views of at least 1, got {self.factor} and {self.views}")
        if not 0 <= self.balance < math.inf:
            raise UserError(f"{self.name} needs a balance of at least 0, where 0 is no bound, got {self.balance}")
        if any(bound < 1 for bound in self.halve_at):
            raise UserError(f"{self.name} halves its learning rate at iterations from 1 on, got {self.halve_at}")
        if self.pixels not in PIXELS:
            raise unknown("setting of pixels", self.pixels, PIXELS)
        check_augmentation(self.augmentation, idle="" if self.augment else self.name)
        if not 0 <= self.averaging < 1:
            raise UserError(f"{self.name} needs an averaging in [0, 1), where 0 is none, got {self.averaging}")
        check_terms(self.name, self.terms, self.encoders, RESERVED)
        for term in self.terms:
            if term.trusts and not self.encoders[term.encoder].trains:
                raise UserError(
                    f"the term '{term.name}' relies on a network's predictions, but the networks of {self.name} are never trained: "
                    f"leave out +{term.name}, or add it to a method that trains its networks, such as idm"
                )

    def __add__(self, term: Term) -> Self:
        """The same method with one more term."""
        return replace(self, name=f"{self.name}+{term.name}", terms=(*self.terms, term), added=(*self.added, term.name))

    def with_term(self, term: Term, encoder: Encoder | None = None) -> Self:
        """The same method with one more term, which takes the values that the method wants of it (see `Method.with_term`)."""
        if encoder is None or term.encoder in self.encoders:
            return self + self._wanted(term, term.name)
        brought = {**self.encoders, term.encoder: self._wanted(encoder, term.encoder)}
        return replace(self, encoders=brought) + self._wanted(term, term.name)

    def _wanted(self, thing: T, name: str) -> T:
        try:
            return replace(thing, **self.wants.get(name, {}))
        except TypeError as error:
            raise UserError(f"{self.name} wants {dict(self.wants[name])} of '{name}', which does not have all of these fields") from error

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the terms against the IPC and the classes against the initialisation (see `Method.check`)."""
        check_factor(self.factor, *data.size)
        if data.whitening and (self.factor > 1 or self.pixels == "box"):
            what = f"stores {self.factor**2} parts in an image" if self.factor > 1 else "keeps pixels between black and white"
            setting = "factor=1" if self.factor > 1 else "pixels=free"
            raise UserError(
                f"{self.name} {what}, and whitened images have no such pixels, as each value depends on all of them: use `{setting}`, or "
                f"leave `whiten` out of the data set"
            )
        if not self.terms:
            raise UserError(f"{self.name} has no terms, so there is nothing to minimise: add one, such as MeanMatching()")
        if self.views > 1 and not self.augment:
            raise UserError(
                f"{self.name} does not augment, so the {self.views} views of an image would all be the same: use `augment=true`"
            )
        for term in self.terms:
            if term.couples and self.by_class:
                raise UserError(
                    f"the term '{term.name}' compares classes with each other, but {self.name} steps after each class: leave out "
                    f"+{term.name}, or use `by_class=false`"
                )
            encoder = self.encoders[term.encoder]
            network = network_type(encoder.network)
            if self.by_class and network.batchwise and not encoder.apart:
                raise UserError(
                    f"the images of all classes go through {encoder.network} together, but {self.name} steps after each class: "
                    f"use another network, `{term.encoder}.network=NAME`, or `by_class=false`"
                )
            if self.sample(ipc) < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} images per class, but IPC is {ipc}: use "
                    f"`ipc={term.least_images}` or more, several views of each image (`views=4`), or leave out "
                    f"+{added_as(term.name, self.name)}"
                )
            if 0 < self.encoders[term.encoder].most < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} images per class, but its encoder reads "
                    f"{self.encoders[term.encoder].most}: use `{term.encoder}.most={term.least_images}` or more, or 0 for all"
                )
        if self.terms and all(self.encoders[term.encoder].every > 1 for term in self.terms):
            raise UserError(
                f"{self.name} needs a term at every iteration, but none of its encoders is read that often: use `{MATCHING}.every=1`"
            )
        others = {term.encoder for term in self.terms} - {MATCHING}
        if self.balance and others and MATCHING in self.encoders and self.encoders[MATCHING].every > 1:
            raise UserError(
                f"{self.name} bounds the terms of {', '.join(sorted(others))} by its own, so it must match at every iteration: "
                f"use `matching.every=1`, or `balance=0` for no bound"
            )
        self._check_targets()
        smallest = min(data.train.counts)
        for term in self.terms:
            real = self._real_images(self.encoders[term.encoder])
            if term.source == "batch" and min(real, smallest) < term.least_real:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_real} real images per class and step, but the real batch is "
                    f"{real} and the smallest class has {smallest}: use more, or leave out +{added_as(term.name, self.name)}"
                )
        check_start(self.initialisation, data, ipc, self.factor)

    def check_shared(self, data: DataSet, processes: int) -> None:
        """The loss is a sum over classes, unless batch norm mixes their images (see `Method.check_shared`)."""
        check_enough_classes(data, processes)
        for name, encoder in self.used().encoders.items():
            if encoder.network and network_type(encoder.network).batchwise and not encoder.apart:
                raise UserError(
                    f"the images of all classes go through {encoder.network} together, so {self.name} cannot be shared by {processes} "
                    f"processes: run it in one process, without torchrun, or use another network, `{name}.network=NAME`"
                )

    def _real_images(self, encoder: Encoder) -> int:
        """Real images of a class that targets in an encoder are taken from."""
        return (encoder.targets and encoder.target_images) or self.real_batch

    def _check_targets(self) -> None:
        """Refuse targets that cannot be kept, and encoders that keep those of different draws."""
        kept = {term.encoder: self.encoders[term.encoder].targets for term in self.terms if term.source == "batch"}
        kept = {name: targets for name, targets in kept.items() if targets}
        for name in kept:
            self.encoders[name].check_targets(name)
        if len(set(kept.values())) > 1:
            raise UserError(
                f"encoders see the same augmentation draws, so those that keep targets must keep the same number, "
                f"got {', '.join(f'{name}.targets={targets}' for name, targets in kept.items())}"
            )

    def memory(self, data: DataSet, ipc: int) -> int:
        """The pixels, and the images of a class that are seen at a time, three times each; real images by views (see `Method.memory`)."""
        read = [self.encoders[name] for name in {term.encoder for term in self.terms}]
        together = data.classes if any(term.couples for term in self.terms) else 1
        images = COPIES * data.classes * ipc + SEEN * together * self.sample(ipc) + self.views
        return 4 * images * data.channels * data.size[0] * data.size[1] + sum(encoder.memory(data) for encoder in read)

    def sample(self, ipc: int) -> int:
        """Synthetic images of a class that terms see: its images, by their parts and views."""
        return ipc * self.factor**2 * self.views

    def cost(self, data: DataSet, ipc: int) -> float:
        """Forward over real, forward and backward over synthetic images, for every encoder (see `Method.cost`)."""
        total = 0.0
        for name, encoder in self.encoders.items():
            terms = [term for term in self.terms if term.encoder == name]
            sample = min(self.sample(ipc), encoder.most or self.sample(ipc))
            real = self.real_batch * any(term.source == "batch" for term in terms) * (not encoder.targets)  # kept ones cost once
            images = data.classes * (2 * sample * bool(terms) + real)
            if images:
                network = build(encoder.network, channels=data.channels, classes=data.classes, size=data.size)
                total += images * forward_cost(network) / encoder.every + encoder.cost(data)
        return total

    def pretraining_seconds(self, data: DataSet) -> float:
        """How long the training of the encoders that it reads took; 0 for what is not trained yet."""
        return seconds_of_training(self.used().encoders.values(), data)

    def missing(self, data: DataSet) -> tuple[Untrained, ...]:
        """Networks of encoders that it reads (see `Method.missing`)."""
        return missing_once(self.used().encoders.values(), data)

    def measure(self, data: DataSet, engine: Engine, ipc: int, seed: int, iterations: int) -> Measured:
        """Take steps until the turns of all encoders repeat (see `Method.measure`)."""
        encoders = {name: encoder.untrained() if encoder.missing(data) else encoder for name, encoder in self.used().encoders.items()}
        stepper = replace(self, encoders=encoders).open(data, engine, ipc, seed)
        return Measured.of(stepper, iterations, math.lcm(*(encoder.every for encoder in encoders.values())))

    def used(self) -> Self:
        """The same method without encoders that no term reads, on which no step depends."""
        read = {term.encoder for term in self.terms}
        return replace(self, encoders={name: encoder for name, encoder in self.encoders.items() if name in read})

    def describe(self) -> dict[str, Any]:
        """The fields of the method, with the encoders that it reads (see `Method.describe`)."""
        return describe(self.used())
