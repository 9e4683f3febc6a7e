"""The constraints of a method that matches something else than features, during a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, Draw
from datastill.data import DataSet
from datastill.encoders import Session
from datastill.engine import Engine, Runner
from datastill.errors import UserError
from datastill.kinds.balance import MATCHING, shortened
from datastill.kinds.constrained import Constrained
from datastill.kinds.real_batches import RealBatches
from datastill.networks import FIELDS, Features, Network
from datastill.terms import Gathering, Target, Term, target_of

STATE = "constraints/"
"""What the names of the encoders' tensors begin with in a state."""


class Constraints:
    """Computes the gradient of a `Constrained` method's terms at the images of one class after another.

    Args:
        method: Whose terms.
        data: The real images.
        engine: Where to run.
        seed: Of the run.
        network: What the kind matches in, which terms read too.
        batches: The real images of a step.
        augmentation: How real images are augmented, by the draw of the synthetic ones.
    """

    def __init__(
        self, method: Constrained, data: DataSet, engine: Engine, seed: int, network: Network, batches: RealBatches, augmentation: DSA
    ) -> None:
        self.method, self.seed, self.batches, self.augmentation, self.device = method, seed, batches, augmentation, engine.device
        names = dict.fromkeys(term.encoder for term in method.terms)
        self.terms = {name: [term for term in method.terms if term.encoder == name] for name in names}
        self.sessions: dict[str, Session] = {
            name: method.encoders[name].open(data, engine, seed, _fields(terms)) for name, terms in self.terms.items() if name != MATCHING
        }
        self.fields = _fields(self.terms.get(MATCHING, ()))
        self.real, self.synthetic = Runner(engine, network, self.fields), Runner(engine, network, self.fields)
        self.due: dict[str, list[Term]] = {}
        self.sums: dict[str, Tensor] = {}
        self._lent: dict[int, list[Gathering]] = {}
        self._samples: dict[tuple[str, int, int], dict[str, Target]] = {}

    def begin(self, iteration: int) -> None:
        """Put the networks of an iteration in place, and forget the values of the last one."""
        self.due = {name: terms for name, terms in self.terms.items() if iteration % self._every(name) == 0}
        for name in self.due:
            if name in self.sessions:
                self.sessions[name].begin(iteration)
        self.sums = {term.name: torch.zeros((), device=self.device) for terms in self.due.values() for term in terms}
        self._lent = {}

    def lend(self, label: int, features: Features) -> None:
        """Take the features of some real images of a class at this iteration from the pass in which the kind reads them.

        Terms of the network that the kind matches in then need no pass of their own over real images.

        Args:
            label: The class.
            features: The `fields` of some of its images, ``image ...``; called once for each part of them.
        """
        if terms := self._batched(MATCHING):
            for gathering in self._lent.setdefault(label, [Gathering(term) for term in terms]):
                gathering.add(features.stack(torch.tensor([label])))

    def pulls(self, iteration: int, label: int, seen: Tensor, at: Tensor, draw: Draw) -> dict[str, Tensor]:
        """The weighted gradients of the terms that are due, and their values, which are added to `sums`.

        Args:
            iteration: From 0.
            label: The class.
            seen: Its synthetic images as networks see them, ``image channel height width``.
            at: What `seen` was computed from, of the same shape; may be `seen` itself.
            draw: How they were augmented.

        Returns:
            By encoder, each shaped like `at`.
        """
        found, labels = {}, torch.tensor([label])
        for name, terms in self.due.items():
            targets = self._targets(name, iteration, label, draw)
            own = seen.detach().requires_grad_()  # a graph of its own, as a compiled one is freed by its first way back
            if name == MATCHING:
                of_synthetic = self.synthetic(own).float().stack(labels, pixels=seen[0].numel())
            else:
                of_synthetic = self.sessions[name].synthetic(self._some(own, iteration, label, name)[None], labels)
            loss = torch.zeros((), device=self.device)
            for term in terms:
                value = term(targets[term.name], of_synthetic)
                self.sums[term.name].add_(value.detach())
                loss = loss + self.weight(term, len(seen)) * value
            gradient = torch.autograd.grad(loss, own, allow_unused=True)[0] if loss.requires_grad else None
            if gradient is not None and at is not seen:
                gradient = torch.autograd.grad(seen, at, gradient, retain_graph=True)[0]
            found[name] = torch.zeros_like(at) if gradient is None else gradient
        return found

    def add(self, iteration: int, pixels: Tensor) -> None:
        """Add the constraints' gradient to that of the method's own loss, where this is known at the pixels only.

        Args:
            iteration: From 0.
            pixels: ``class image channel height width``, with the gradient of the method's own loss.
        """
        gradient = torch.zeros_like(pixels) if pixels.grad is None else pixels.grad
        for label, own in enumerate(gradient):
            images = pixels[label].detach().requires_grad_()
            draw = self.augmentation.draw([random.generator(self.seed, iteration, label, "constraints")])
            pulls = self.pulls(iteration, label, self.augmentation(images[None], draw)[0], images, draw)
            own.add_(self.bounded(pulls, own))

    def bounded(self, pulls: Mapping[str, Tensor], own: Tensor) -> Tensor:
        """The sum of gradients, of no image and encoder longer than what the method's own ones of the class allow.

        Args:
            pulls: From `pulls`.
            own: The gradient of the method's own loss at the same images, ``image channel height width``.
        """
        total = torch.zeros_like(own)
        for name, gradient in pulls.items():
            if most := self.method.balance * self._every(name) * len(own) / self._read(name, len(own)):
                gradient = shortened(gradient[None], own[None], most)[0]
            total += gradient
        return total

    def weight(self, term: Term, images: int) -> float:
        """A term's factor at an iteration that reads its encoder: what is read less often or in part weighs more."""
        read = self._read(term.encoder, images)
        share = term.share(read, images) if read < images else 1.0
        return term.weight * self._every(term.encoder) / share

    def figures(self, iteration: int, own: float, sums: Mapping[str, Tensor], images: int) -> dict[str, float]:
        """The metrics of a step: the whole loss and, where there are constraints, the method's own and the value of each of them.

        Args:
            iteration: From 0.
            own: The method's own loss.
            sums: The values of the terms, by name, of all classes.
            images: Of a class.

        Raises:
            UserError: If the loss is not finite.
        """
        if not self.terms:
            return {"loss": own}
        values = {name: float(value) for name, value in sums.items()}
        added = sum(self.weight(term, images) * values[term.name] for terms in self.due.values() for term in terms)
        if not math.isfinite(own + added):
            said = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
            raise UserError(
                f"the loss is not finite at iteration {iteration + 1} ({said}): lower a term's weight (for cc also its alpha), "
                f"or the `learning_rate`"
            )
        return {"loss": own + added, MATCHING: own, **values}

    def advance(self, iteration: int, images: Callable[[], Tensor]) -> None:
        """Do what encoders do after an iteration (see `Session.advance`)."""
        for session in self.sessions.values():
            session.advance(iteration, images)

    def state(self) -> dict[str, Tensor]:
        """What the encoders keep."""
        return {f"{STATE}{name}/{key}": value for name, each in self.sessions.items() for key, value in each.state().items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over what the encoders kept, from a whole `state`."""
        for name, session in self.sessions.items():
            start = f"{STATE}{name}/"
            session.restore({key.removeprefix(start): value for key, value in state.items() if key.startswith(start)})

    def checksums(self) -> dict[str, str]:
        """Checksums of weights that were read from files (see `Stepper.encoders_used`)."""
        return {f"{name} {key}": value for name, session in self.sessions.items() for key, value in session.checksums().items()}

    def _every(self, name: str) -> int:
        return 1 if name == MATCHING else self.method.encoders[name].every

    def _read(self, name: str, images: int) -> int:
        most = 0 if name == MATCHING else self.method.encoders[name].most
        return most if 0 < most < images else images

    def _some(self, images: Tensor, iteration: int, label: int, name: str) -> Tensor:
        """As many images as an encoder reads, a new draw every iteration."""
        if (read := self._read(name, len(images))) == len(images):
            return images
        generator = random.generator(self.seed, iteration, label, name, "some of the images")
        return images[torch.randperm(len(images), generator=generator)[:read]]

    def _targets(self, name: str, iteration: int, label: int, draw: Draw) -> dict[str, Target]:
        """By the name of the term."""
        found: dict[str, Target] = {term.name: {} for term in self.due[name]}
        gatherings = self._lent.pop(label, []) if name == MATCHING else []
        if not gatherings and (terms := self._batched(name)):
            gatherings = [Gathering(term) for term in terms]
            for part in self.batches.draw(iteration, [label]):
                features = self._real(name, self.augmentation(part, draw), label)
                for gathering in gatherings:
                    gathering.add(features)
        return {**found, **{each.term.name: each.target() for each in gatherings}, **self._of_sample(name, label)}

    def _batched(self, name: str) -> list[Term]:
        """The due terms of an encoder whose target is of the real images of a step."""
        return [term for term in self.due.get(name, ()) if term.source == "batch"]

    def _of_sample(self, name: str, label: int) -> dict[str, Target]:
        """The targets of a class's fixed sample; measured once in a network that recurs."""
        terms = [term for term in self.due[name] if term.source == "sample"]
        member = self.sessions[name].member if name in self.sessions else None
        if terms and member is not None and (name, member, label) in self._samples:
            return self._samples[name, member, label]
        if not terms:
            return {}
        features = self._real(name, self.batches.sample(label), label, "sample")
        targets = {term.name: target_of(term, features) for term in terms}
        if member is not None:
            self._samples[name, member, label] = targets
        return targets

    @torch.no_grad()
    def _real(self, name: str, images: Tensor, label: int, use: str = "batch") -> Features:
        """Features of the real images of a class, ``1 image channel height width``."""
        labels = torch.tensor([label])
        if name != MATCHING:
            return self.sessions[name].real(images, labels, use)
        return self.real(images[0]).stack(labels)


def _fields(terms: Sequence[Term]) -> tuple[str, ...]:
    return tuple(name for name in FIELDS if any(name in term.reads for term in terms))
