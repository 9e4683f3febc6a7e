"""A distribution-matching method during a run: draw, encode, add the terms, step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from datastill import random
from datastill.augment import Draw, expand, matching
from datastill.data import DataSet
from datastill.encoders import Encoder
from datastill.engine import Engine, even_micro_batch
from datastill.engine.measuring import nbytes
from datastill.errors import UserError
from datastill.kinds.balance import ALARM, MATCHING, balanced, length
from datastill.kinds.canvas import PixelSGD, bounds_of_bytes, initial_images
from datastill.kinds.distribution_matching.composition import Composition
from datastill.kinds.distribution_matching.coupled import Coupled
from datastill.kinds.distribution_matching.kept import Kept, KeptTargets, draws_of
from datastill.kinds.distribution_matching.store import TargetStore
from datastill.kinds.distribution_matching.targets import Targets
from datastill.kinds.method import Stepper
from datastill.kinds.real_batches import RealBatches
from datastill.kinds.watch import Watch, farthest_image
from datastill.networks import FIELDS
from datastill.terms import Target, Term

CHUNK_BYTES = 2**28
"""Bytes of real images or of their features, as floats, that are in memory at a time."""
CHUNK = 256
"""Synthetic images that are in memory with their gradients at a time; more classes go in several chunks."""


class MatchingStepper(Stepper):
    """A `Composition` during a run."""

    def __init__(self, method: Composition, data: DataSet, engine: Engine, ipc: int, seed: int) -> None:
        self.method, self.data, self.engine, self.seed = method, data, engine, seed
        self.terms = {name: [term for term in method.terms if term.encoder == name] for name in method.encoders}
        self.terms = {name: terms for name, terms in self.terms.items() if terms}
        self.encoders = {name: method.encoders[name].open(data, engine, seed, _fields(terms)) for name, terms in self.terms.items()}
        self.augmentation = matching(method.augmentation, flip=data.flip, augment=method.augment)
        self.factor, views = method.factor, method.views
        self.real_batch = -(-min(method.real_batch, max(data.train.counts)) // views) * views
        self.pixels = initial_images(method.initialisation, data, ipc, seed, method.factor).to(engine.device).requires_grad_()
        self.optimizer = PixelSGD(
            self.pixels,
            learning_rate=method.learning_rate,
            momentum=method.momentum,
            by_class=method.by_class,
            halve_at=method.halve_at,
            bounds=bounds_of_bytes(data, engine.device) if method.pixels == "box" else None,
            averaging=method.averaging,
        )
        values = max(data.channels * data.size[0] * data.size[1], *(session.values for session in self.encoders.values()))
        together = max(1, min(CHUNK // method.sample(ipc), CHUNK_BYTES // (4 * self.real_batch * values)))
        batchwise = any(session.network.batchwise and session.network.training for session in self.encoders.values())
        if batchwise or any(term.couples for term in method.terms):
            together = data.classes
        self.batches = RealBatches(
            data, self.real_batch, seed, engine.device, views, 0 if batchwise else max(1, CHUNK_BYTES // (4 * values))
        )
        self.draws, kept = self._kept(values)
        self.targets = Targets(self.encoders, self.terms, self.batches, self._augmented, kept)
        self.watch = Watch(steady=all(method.encoders[name].steady for name in self.terms))
        self.pulls: dict[str, Tensor] = {}
        self.coupled, own = Coupled(engine.ranks, data.classes), engine.ranks.own(data.classes)
        self.chunks = torch.split(torch.tensor(own), even_micro_batch(len(own), together))

    def step(self, iteration: int) -> dict[str, float]:
        """Draw, encode, add the terms, step."""
        self.optimizer.before(iteration)
        due = {name: terms for name, terms in self.terms.items() if iteration % self.method.encoders[name].every == 0}
        weights = {term.name: self._weight(term, self.method.encoders[name]) for name, terms in due.items() for term in terms}
        for name in due:
            self.encoders[name].begin(iteration)
        sums = {name: torch.zeros((), device=self.engine.device) for name in weights}
        self.pulls = {name: torch.zeros((), device=self.engine.device) for name in due}
        self.coupled.forget()
        for chunk in self.chunks:
            self._accumulate(iteration, chunk.tolist(), due, weights, sums)
        found = self.optimizer.exchange(self.engine.ranks, [*sums.values(), *self.pulls.values()])
        sums, self.pulls = dict(zip(sums, found, strict=False)), dict(zip(self.pulls, found[len(sums) :], strict=True))
        self.optimizer.step(iteration)
        if self.engine.device.type != "cpu" and self.targets.gathers(list(due)):
            # While the device still computes: reading the figures waits for it.
            self.batches.look_ahead(iteration + 1, self.chunks[0].tolist())
        values = {name: float(value) for name, value in sums.items()}
        weighted = {name: weights[name] * value for name, value in values.items()}
        total = sum(weighted.values())
        if not math.isfinite(total):
            figures = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
            raise UserError(
                f"the loss is not finite at iteration {iteration + 1} ({figures}): lower a term's weight (for cc also its "
                f"alpha), or the `learning_rate`"
            )
        self._look(iteration, weighted)
        for name in self.encoders:
            self.encoders[name].advance(iteration, self._shown)
        return {"loss": total, **values}

    def images(self) -> Tensor:
        """The pixels, or their average over iterations (see `Stepper.images`)."""
        return self.optimizer.images()

    def state(self) -> dict[str, Tensor]:
        """The pixels, their momentum and their average, and what the encoders keep (see `Stepper.state`)."""
        return {
            **self.optimizer.state(),
            **{f"{name}/{key}": value for name, encoder in self.encoders.items() for key, value in encoder.state().items()},
        }

    def state_bytes(self, iteration: int) -> int:
        """Also of encoders that come to keep more (see `Stepper.state_bytes`)."""
        later = sum(encoder.state_bytes(iteration) - nbytes(list(encoder.state().values())) for encoder in self.encoders.values())
        return super().state_bytes(iteration) + later

    def encoders_used(self) -> dict[str, str]:
        """Checksums of the pretrained pools (see `Stepper.encoders_used`)."""
        return {f"{name} {key}": value for name, encoder in self.encoders.items() for key, value in encoder.checksums().items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over pixels, momentum, average and what the encoders kept (see `Stepper.restore`)."""
        own = {key: value for key, value in state.items() if not any(key.startswith(f"{name}/") for name in self.encoders)}
        self.optimizer.restore(own)
        for name, encoder in self.encoders.items():
            encoder.restore({key.removeprefix(f"{name}/"): value for key, value in state.items() if key.startswith(f"{name}/")})

    def _weight(self, term: Term, encoder: Encoder) -> float:
        """A term's factor at an iteration that reads its encoder: what is read less often or in part weighs more."""
        images = self.method.sample(self.pixels.shape[1])
        share = term.share(encoder.most, images) if 0 < encoder.most < images else 1.0
        return term.weight * encoder.every / share

    def _kept(self, values: int) -> tuple[int, dict[str, KeptTargets]]:
        """How many numbered draws there are, 0 for fresh ones, and what is kept, by encoder."""
        found, draws = {}, 0
        for name, terms in self.terms.items():
            encoder, taken = self.method.encoders[name], [term for term in terms if term.source == "batch"]
            if encoder.targets and taken:
                images = min(encoder.target_images or self.real_batch, max(self.data.train.counts))
                images = -(-images // self.method.views) * self.method.views
                limit = max(1, CHUNK_BYTES // (4 * values))
                batches = RealBatches(self.data, images, self.seed, self.engine.device, self.method.views, limit)
                kept = Kept(self.data, self.engine, batches, self.augmentation, self._augmented, TargetStore())
                found[name], draws = KeptTargets(kept, self.encoders[name], taken), encoder.targets
        return draws, found

    def _number(self, iteration: int, label: int) -> int:
        """Which of the numbered draws a class has at an iteration."""
        return int(torch.randint(self.draws, (), generator=random.generator(self.seed, iteration, label, "kept draw")))

    def _drawn(self, iteration: int, classes: Sequence[int], numbers: Sequence[int]) -> Draw:
        """How the images of every class are augmented, view by view: by the numbered draws, where there are any."""
        if numbers:
            pairs = zip(numbers, classes, strict=True)
            return self.augmentation.draw([each for number, label in pairs for each in draws_of(number, label, self.method.views)])
        names = [("augmentation",), *(("augmentation", view) for view in range(1, self.method.views))]
        return self.augmentation.draw([random.generator(self.seed, iteration, label, *name) for label in classes for name in names])

    @torch.no_grad()
    def _shown(self) -> Tensor:
        """The synthetic images as networks are trained on them."""
        return self._expanded(slice(None))

    def _expanded(self, classes: slice) -> Tensor:
        """The synthetic images of some classes, their parts enlarged."""
        chosen = self.pixels[classes]
        return torch.unflatten(expand(chosen.flatten(0, 1), self.factor), 0, (len(chosen), -1))

    def _augmented(self, images: Tensor, draw: Draw) -> Tensor:
        """Augment ``class image ...``; with several views the images of a class are divided among that many draws."""
        views = self.method.views
        shared = torch.unflatten(images.flatten(0, 1), 0, (len(images) * views, -1))
        return torch.unflatten(self.augmentation(shared, draw).flatten(0, 1), 0, (len(images), -1))

    def _look(self, iteration: int, weighted: Mapping[str, float]) -> None:
        """Show the watch the loss and the images; of an encoder's terms the largest is taken to pull.

        Raises:
            UserError: If the step has moved an image to where nothing of it is left, although the loss before it was finite.
        """
        farthest = farthest_image(iteration, self.pixels, "a term's weight or `learning_rate`")
        self.watch.sizes(iteration, weighted)
        self.watch.loss(iteration, weighted)
        pulls = {}
        for name, pull in self.pulls.items():
            term = max((term.name for term in self.terms[name]), key=lambda term: weighted[term])
            pulls[term] = float(pull)
        self.watch.images(iteration, farthest, pulls)

    def _accumulate(
        self,
        iteration: int,
        classes: Sequence[int],
        due: Mapping[str, Sequence[Term]],
        weights: Mapping[str, float],
        sums: Mapping[str, Tensor],
    ) -> None:
        """Add the gradient of some classes' loss to the pixels, and the values of its terms to `sums`."""
        numbers = [self._number(iteration, label) for label in classes] if self.draws else []
        draw = self._drawn(iteration, classes, numbers)
        augmented = self._augmented(self._expanded(slice(classes[0], classes[-1] + 1)).repeat(1, self.method.views, 1, 1, 1), draw)
        gradients = {}
        seen = augmented.detach().requires_grad_()  # what encoders see: each encoder's pull is known apart before they are added
        targets = self.targets.of(iteration, classes, list(due), draw, numbers)
        for name, values in self._terms(iteration, classes, due, seen, targets).items():
            loss = torch.zeros((), device=self.engine.device)
            for term, value in values:
                loss = loss + weights[term.name] * value
                if not term.couples or self.engine.ranks.first:  # every process has all of it
                    sums[term.name].add_(value.detach())
            gradients[name] = _gradient(loss, seen)
        most = {name: self._most(name) for name in gradients}
        own = None
        if self._to_look_at(gradients, iteration):
            mine = [term for term in due[MATCHING] if term.name not in self.method.added]
            values = self._terms(iteration, classes, {MATCHING: mine}, seen, targets)[MATCHING]
            own = _gradient(sum((weights[term.name] * value for term, value in values), torch.zeros_like(loss)), seen)
            own = torch.where(self._alarming(gradients[MATCHING], iteration), own, gradients[MATCHING])  # a class depends on no other
        bounded = balanced(gradients, most, own)
        for name, gradient in bounded.items():
            self.pulls[name] += gradient.square().sum()
        torch.autograd.backward(augmented, torch.stack(list(bounded.values())).sum(0) if len(bounded) > 1 else bounded.popitem()[1])

    def _most(self, name: str) -> float:
        """How much longer than the method's gradients those of an encoder's constraints may be: more where it reads images less often."""
        if not any(term.bounded for term in self.terms[name]):
            return 0.0
        encoder, images = self.method.encoders[name], self.method.sample(self.pixels.shape[1])
        read = encoder.most if 0 < encoder.most < images else images
        return self.method.balance * encoder.every * images / read

    def _to_look_at(self, gradients: Mapping[str, Tensor], iteration: int) -> bool:
        """Whether the matching encoder's gradient makes a large step and some of it may come from terms that were added."""
        names = {term.name for term in self.terms.get(MATCHING, ())}
        mixed = bool(names & set(self.method.added)) and bool(names - set(self.method.added))
        if not mixed or MATCHING not in gradients or not self.method.balance:
            return False
        return bool(self._alarming(gradients[MATCHING], iteration).any())

    def _alarming(self, gradient: Tensor, iteration: int) -> Tensor:
        """Which classes have an image that the matching encoder's gradient moves far, ``class 1 1 1 1``."""
        return length(gradient).amax(1, keepdim=True) * self.optimizer.rate(iteration) > ALARM

    def _terms(
        self,
        iteration: int,
        classes: Sequence[int],
        due: Mapping[str, Sequence[Term]],
        synthetic: Tensor,
        targets: Mapping[str, Target],
    ) -> dict[str, list[tuple[Term, Tensor]]]:
        """The terms that are due and their values on some classes, by encoder."""
        labels = torch.tensor(classes)
        values = {}
        for name, terms in due.items():
            of_synthetic = self.encoders[name].synthetic(self._some(synthetic, iteration, classes, name), labels)
            values[name] = [(term, _scalar(term, term(*self.coupled.read(term, targets[term.name], of_synthetic)))) for term in terms]
        return values

    def _some(self, synthetic: Tensor, iteration: int, classes: Sequence[int], name: str) -> Tensor:
        """As many images of every class as an encoder reads, a new draw every iteration."""
        most = self.method.encoders[name].most
        if not 0 < most < synthetic.shape[1]:
            return synthetic
        generators = [random.generator(self.seed, iteration, label, name, "some of the images") for label in classes]
        rows = torch.stack([torch.randperm(synthetic.shape[1], generator=generator)[:most] for generator in generators])
        return synthetic[torch.arange(len(classes))[:, None], rows]


def _gradient(loss: Tensor, images: Tensor) -> Tensor:
    """The gradient of a loss at images; zero for a loss that does not depend on them."""
    if not loss.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(loss, images, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient


def _fields(terms: Sequence[Term]) -> tuple[str, ...]:
    return tuple(name for name in FIELDS if any(name in term.reads for term in terms))


def _scalar(term: Term, value: object) -> Tensor:
    """What a term returned, if a loss can be summed from it."""
    if not isinstance(value, Tensor):
        raise UserError(
            f"the term '{term.name}' must return a scalar tensor, but returned a {type(value).__name__}: return what torch computed from "
            f"the features, without float() or .item()"
        )
    if value.ndim:
        raise UserError(
            f"the term '{term.name}' must return a scalar, but returned a tensor of shape {tuple(value.shape)}; sum it over classes"
        )
    if not value.is_floating_point():
        raise UserError(f"the term '{term.name}' must return a scalar of floating-point numbers, but returned {value.dtype}")
    return value
