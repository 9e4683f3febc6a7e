"""The kind of method that matches distributions: terms on features, summed, and a step of SGD on the pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, Draw, check_factor, expand, families, pack
from datastill.data import DataSet
from datastill.encoders import Encoder, FreshNetwork, PretrainedPool
from datastill.engine import Engine, even_micro_batch
from datastill.errors import UserError
from datastill.methods.method import Method, Stepper
from datastill.methods.pixels import PixelSGD
from datastill.networks import FIELDS, Features, build
from datastill.operations import forward_operations
from datastill.terms import Term

INITIALISATIONS = ("real", "noise")
RESERVED = ("loss", "iteration", "seconds", "validation_accuracy")
CHUNK_BYTES = 2**28
"""Bytes of real images, as floats, that are in memory at a time."""
CHUNK = 256
"""Synthetic images that are in memory with their gradients at a time; more classes go in several chunks."""


@dataclass(frozen=True)
class DistributionMatching(Method):
    """Terms on the features of encoders: ``L = sum_term weight * term(real, synthetic)``, summed over classes.

    Add a term with ``method + term``.

    Attributes:
        terms: The summands of the loss.
        encoders: Where features come from, by the names that terms refer to.
        learning_rate: Of SGD on the pixels.
        momentum: Of SGD on the pixels.
        real_batch: Real images per class and step.
        initialisation: "real" starts from real images, "noise" from normal noise.
        augment: Whether DSA is applied, one draw a class for real and synthetic images.
        averaging: Decay in [0, 1) of a moving average of the pixels over iterations, which is what the method gives; the steps go on
            from the pixels themselves. 0 gives the last pixels, as the papers do.
        factor: Parts per side of a stored image that stand for images of their own (see `datastill.augment.expand`); 1 for none.
        views: How many times, augmented by a draw of their own each, every synthetic image stands in its class's sample; real images are
            shared out among the draws. More than 1 gives terms that need several images a class something to read at IPC 1.
        by_class: Whether the pixels step once after each class, as in IDM's published loop (see `PixelSGD`).
        halve_at: Iterations from which on the learning rate is half of what it was before.
    """

    terms: tuple[Term, ...] = ()
    encoders: Mapping[str, Encoder] = field(default_factory=lambda: {"matching": FreshNetwork(), "pretrained": PretrainedPool()})
    learning_rate: float = 1.0
    momentum: float = 0.5
    real_batch: int = 256
    initialisation: str = "real"
    augment: bool = True
    averaging: float = 0.0
    factor: int = 1
    views: int = 1
    by_class: bool = False
    halve_at: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise UserError(f"unknown initialisation '{self.initialisation}'; expected {' or '.join(INITIALISATIONS)}")
        if self.real_batch < 1 or not 0 < self.learning_rate < math.inf or not 0 <= self.momentum < 1:
            raise UserError(
                f"{self.name} needs a real batch of at least 1, a learning rate above 0 and a momentum in [0, 1), "
                f"got {self.real_batch}, {self.learning_rate} and {self.momentum}"
            )
        if self.factor < 1 or self.views < 1:
            raise UserError(f"{self.name} needs a factor and a number of views of at least 1, got {self.factor} and {self.views}")
        if not 0 <= self.averaging < 1:
            raise UserError(f"{self.name} needs an averaging in [0, 1), where 0 is none, got {self.averaging}")
        for term in self.terms:
            if term.encoder not in self.encoders or not set(term.reads) <= set(FIELDS):
                raise UserError(
                    f"the term '{term.name}' reads {term.reads!r} of the encoder '{term.encoder}'; "
                    f"{self.name} has the encoders {', '.join(self.encoders)}, and features have {', '.join(FIELDS)}"
                )
            if not math.isfinite(term.weight):
                raise UserError(f"the weight of the term '{term.name}' must be a finite number, got {term.weight}")
            if term.trusts and not self.encoders[term.encoder].trains:
                raise UserError(
                    f"the term '{term.name}' goes by what a network takes images for, but those of {self.name} are never trained: "
                    f"leave out +{term.name}, or add it to a method that trains its networks, such as idm"
                )
            if term.name in RESERVED:
                raise UserError(f"a term cannot be called '{term.name}': that name is a column of the metrics")
        names = [term.name for term in self.terms]
        if len(set(names)) < len(names):
            raise UserError(f"{self.name} has a term twice: {', '.join(names)}")

    def __add__(self, term: Term) -> DistributionMatching:
        """The same method with one more term."""
        return replace(self, name=f"{self.name}+{term.name}", terms=(*self.terms, term))

    def check(self, data: DataSet, ipc: int) -> None:
        """Check the terms against the IPC and the classes against the initialisation (see `Method.check`)."""
        check_factor(self.factor, *data.size)
        for term in self.terms:
            if self.sample(ipc) < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} images per class, but IPC is {ipc}: use --ipc "
                    f"{term.least_images} or more, several views of each image (--set views=4), or leave out +{term.name}"
                )
            if 0 < self.encoders[term.encoder].most < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} images per class, but its encoder reads "
                    f"{self.encoders[term.encoder].most}: use --set {term.encoder}.most={term.least_images} or more, or 0 for all"
                )
        if self.terms and all(self.encoders[term.encoder].every > 1 for term in self.terms):
            raise UserError(f"{self.name} needs a term at every iteration, but reads all of its encoders less often: set every=1 on one")
        smallest = min(data.train.counts)
        for term in self.terms:
            if term.compares and min(self.real_batch, smallest) < term.least_images:
                raise UserError(
                    f"the term '{term.name}' needs at least {term.least_images} real images per class and step, but the real batch is "
                    f"{self.real_batch} and the smallest class has {smallest}: enlarge them, or leave out +{term.name}"
                )
        if self.initialisation == "real" and smallest < ipc * self.factor**2:
            name, parts = data.class_names[data.train.counts.index(smallest)], self.factor**2
            each = f" times {parts} parts" if parts > 1 else ""
            fitting = f"use --ipc {smallest // parts} or less, or --init noise" if smallest >= parts else "use --init noise"
            raise UserError(f"the class '{name}' has {smallest} training images, fewer than IPC {ipc}{each}: {fitting}")

    def sample(self, ipc: int) -> int:
        """Synthetic images of a class that terms see: its images, by their parts and views."""
        return ipc * self.factor**2 * self.views

    def open(self, data: DataSet, engine: Engine, ipc: int, seed: int) -> Stepper:
        """Open the encoders and initialise the pixels (see `Method.open`)."""
        return MatchingStepper(self, data, engine, ipc, seed)

    def operations(self, data: DataSet, ipc: int) -> float:
        """Forward over real, forward and backward over synthetic images, for every encoder (see `Method.operations`)."""
        total = 0.0
        for name, encoder in self.encoders.items():
            terms = [term for term in self.terms if term.encoder == name]
            sample = min(self.sample(ipc), encoder.most or self.sample(ipc))
            images = data.classes * (2 * sample * bool(terms) + self.real_batch * any(term.compares for term in terms))
            if images:
                network = build(encoder.network, channels=data.channels, classes=data.classes, size=data.size)
                total += images * forward_operations(network) / encoder.every + encoder.operations(data)
        return total

    def pretraining_seconds(self, data: DataSet) -> float:
        """How long the training of the encoders that it reads took; 0 for what is not trained yet."""
        return sum(
            encoder.pretraining_seconds(data) for name, encoder in self.encoders.items() if any(t.encoder == name for t in self.terms)
        )

    def describe(self) -> dict[str, Any]:
        """Terms and encoders by class and fields (see `Method.describe`)."""
        return {
            "kind": type(self).__name__,
            "name": self.name,
            "terms": {term.name: {"class": _qualified(term), **asdict(term)} for term in self.terms},
            "encoders": {
                name: {"class": _qualified(encoder), **asdict(encoder)}
                for name, encoder in self.encoders.items()
                if any(term.encoder == name for term in self.terms)
            },
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "real_batch": self.real_batch,
            "initialisation": self.initialisation,
            "augment": self.augment,
            "averaging": self.averaging,
            "factor": self.factor,
            "views": self.views,
            "by_class": self.by_class,
            "halve_at": list(self.halve_at),
        }


class MatchingStepper(Stepper):
    """A `DistributionMatching` method during a run."""

    def __init__(self, method: DistributionMatching, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.seed = method, data, engine, seed
        self.terms = {name: [term for term in method.terms if term.encoder == name] for name in method.encoders}
        self.terms = {name: terms for name, terms in self.terms.items() if terms}
        self.encoders = {name: method.encoders[name].open(data, engine, seed, _fields(terms)) for name, terms in self.terms.items()}
        self.augmentation = DSA(families(flip=data.flip) if method.augment else ())
        self.factor, views = method.factor, method.views
        self.real_batch = -(-min(method.real_batch, max(data.train.counts)) // views) * views
        self.pixels = _initial(method.initialisation, data, ipc, seed, method.factor).to(engine.device).requires_grad_()
        self.ahead: dict[tuple[int, int], Tensor] = {}
        self.average = self.pixels.detach().clone()
        self.optimizer = PixelSGD(
            self.pixels,
            learning_rate=method.learning_rate,
            momentum=method.momentum,
            by_class=method.by_class,
            halve_at=method.halve_at,
        )
        bytes_of_class = 4 * self.real_batch * data.channels * data.size[0] * data.size[1]
        together = max(1, min(CHUNK // method.sample(ipc), CHUNK_BYTES // bytes_of_class))
        if any(term.couples for term in method.terms):
            together = data.classes
        self.chunks = torch.split(torch.arange(data.classes), even_micro_batch(data.classes, together))

    def step(self, iteration: int) -> dict[str, float]:
        """Draw, encode, add the terms, step."""
        self.optimizer.before(iteration)
        due = {name: terms for name, terms in self.terms.items() if iteration % self.method.encoders[name].every == 0}
        weights = {term.name: self._weight(term, self.method.encoders[name]) for name, terms in due.items() for term in terms}
        for name in due:
            self.encoders[name].begin(iteration)
        sums = {name: torch.zeros((), device=self.engine.device) for name in weights}
        for chunk in self.chunks:
            loss = torch.zeros((), device=self.engine.device)
            for term, value in self._terms(iteration, chunk.tolist(), due):
                loss = loss + weights[term.name] * value
                sums[term.name] += value.detach()
            torch.autograd.backward(loss)
        self.optimizer.step(iteration)
        if self.method.averaging:
            # The first iterations are averaged evenly: with the decay alone the initial images would weigh most for long.
            self.average.lerp_(self.pixels.detach(), max(1 - self.method.averaging, 1 / (iteration + 2)))
        if self.engine.device.type != "cpu" and any(term.compares for terms in due.values() for term in terms):
            self._look_ahead(iteration + 1)  # while the device still computes: reading the figures waits for it
        values = {name: float(value) for name, value in sums.items()}
        total = sum(weights[name] * value for name, value in values.items())
        if not math.isfinite(total):
            figures = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
            raise UserError(
                f"the loss is not finite at iteration {iteration + 1} ({figures}): lower a term's weight (for cc also its alpha), or --lr"
            )
        for name in self.encoders:
            self.encoders[name].advance(iteration, self._expanded(slice(None)).detach())
        return {"loss": total, **values}

    def images(self) -> Tensor:
        """The pixels, or their average over iterations (see `Stepper.images`)."""
        return (self.average if self.method.averaging else self.pixels.detach()).cpu().clone()

    def state(self) -> dict[str, Tensor]:
        """The pixels, their momentum and their average, and what the encoders keep (see `Stepper.state`)."""
        return {
            "pixels": self.pixels.detach(),
            "momentum": self.optimizer.velocity,
            **({"average": self.average} if self.method.averaging else {}),
            **{f"{name}/{key}": value for name, encoder in self.encoders.items() for key, value in encoder.state().items()},
        }

    def encoders_used(self) -> dict[str, str]:
        """Checksums of the pretrained pools (see `Stepper.encoders_used`)."""
        return {f"{name} {key}": value for name, encoder in self.encoders.items() for key, value in encoder.checksums().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over pixels, momentum, average and what the encoders kept (see `Stepper.restore`)."""
        with torch.no_grad():
            self.pixels.copy_(state["pixels"])
            self.average.copy_(state.get("average", state["pixels"]))
            self.optimizer.velocity.copy_(state["momentum"])
        for name, encoder in self.encoders.items():
            of_encoder = {key.removeprefix(f"{name}/"): value for key, value in state.items() if key.startswith(f"{name}/")}
            if of_encoder:
                encoder.restore(of_encoder)

    def _weight(self, term: Term, encoder: Encoder) -> float:
        """A term's factor at an iteration that reads its encoder: what is read more rarely or in part weighs more."""
        images = self.method.sample(self.pixels.shape[1])
        left_out = images / encoder.most if term.adds and 0 < encoder.most < images else 1.0
        return term.weight * encoder.every * left_out

    def _expanded(self, classes: slice) -> Tensor:
        """The synthetic images of some classes, their parts enlarged."""
        chosen = self.pixels[classes]
        return torch.unflatten(expand(chosen.flatten(0, 1), self.factor), 0, (len(chosen), -1))

    def _augmented(self, images: Tensor, draw: Draw) -> Tensor:
        """Augment ``class image ...``; with several views the images of a class are shared out among as many draws."""
        views = self.method.views
        shared = torch.unflatten(images.flatten(0, 1), 0, (len(images) * views, -1))
        return torch.unflatten(self.augmentation(shared, draw).flatten(0, 1), 0, (len(images), -1))

    def _terms(self, iteration: int, classes: Sequence[int], due: Mapping[str, Sequence[Term]]) -> list[tuple[Term, Tensor]]:
        names = [("augmentation",), *(("augmentation", view) for view in range(1, self.method.views))]
        draw = self.augmentation.draw([random.generator(self.seed, iteration, label, *name) for label in classes for name in names])
        synthetic = self._augmented(self._expanded(slice(classes[0], classes[-1] + 1)).repeat(1, self.method.views, 1, 1, 1), draw)
        labels = torch.tensor(classes)
        real: Tensor | None = None
        values = []
        for name, terms in due.items():
            of_real = _NOTHING
            if any(term.compares for term in terms):
                real = self._real(iteration, classes, draw) if real is None else real
                of_real = self.encoders[name].real(real, labels)
            of_synthetic = self.encoders[name].synthetic(self._some(synthetic, iteration, classes, name), labels)
            values += [(term, _scalar(term, term(of_real, of_synthetic))) for term in terms]
        return values

    def _some(self, synthetic: Tensor, iteration: int, classes: Sequence[int], name: str) -> Tensor:
        """As many images of every class as an encoder reads, drawn anew every iteration."""
        most = self.method.encoders[name].most
        if not 0 < most < synthetic.shape[1]:
            return synthetic
        generators = [random.generator(self.seed, iteration, label, name, "some of the images") for label in classes]
        rows = torch.stack([torch.randperm(synthetic.shape[1], generator=generator)[:most] for generator in generators])
        return synthetic[torch.arange(len(classes))[:, None], rows]

    def _real(self, iteration: int, classes: Sequence[int], draw: Draw) -> Tensor:
        pixels = self.ahead.pop((iteration, classes[0]), None)
        pixels = self._gathered(iteration, classes) if pixels is None else pixels
        return self._augmented(torch.unflatten(self.data.normalise(pixels), 0, (len(classes), -1)), draw)

    def _gathered(self, iteration: int, classes: Sequence[int]) -> Tensor:
        """The real images of a step, uint8, on the device: one gather, and a quarter of the bytes that floats would take to get there."""
        train = self.data.train
        rows = [train.draw(label, self.real_batch, random.generator(self.seed, iteration, label, "real batch")) for label in classes]
        return train.gather(torch.cat(rows)).to(self.engine.device)

    def _look_ahead(self, iteration: int) -> None:
        classes = self.chunks[0].tolist()
        self.ahead = {(iteration, classes[0]): self._gathered(iteration, classes)}


_NOTHING = Features(blocks=(), map=torch.empty(0), embedding=torch.empty(0), logits=torch.empty(0))


def _fields(terms: Sequence[Term]) -> tuple[str, ...]:
    return tuple(name for name in FIELDS if any(name in term.reads for term in terms))


def _initial(initialisation: str, data: DataSet, ipc: int, seed: int, factor: int) -> Tensor:
    generators = [random.generator(seed, label, "initial pixels") for label in range(data.classes)]
    if initialisation == "noise":
        return torch.stack([torch.randn(ipc, data.channels, *data.size, generator=generator) for generator in generators])
    rows = [data.train.draw(label, ipc * factor**2, generator) for label, generator in enumerate(generators)]
    return torch.unflatten(pack(data.normalise(data.train.gather(torch.cat(rows))), factor), 0, (data.classes, ipc))


def _scalar(term: Term, value: Tensor) -> Tensor:
    if value.ndim:
        raise UserError(
            f"the term '{term.name}' must return a scalar, but returned a tensor of shape {tuple(value.shape)}; sum it over classes"
        )
    return value


def _qualified(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
