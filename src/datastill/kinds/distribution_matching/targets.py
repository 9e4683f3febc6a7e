"""What terms take from real images during a run: gathered again every step, once per network, or kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from datastill.augment import Draw
from datastill.encoders import Session
from datastill.kinds.distribution_matching.kept import KeptTargets, stacked
from datastill.kinds.real_batches import RealBatches
from datastill.terms import Gathering, Target, Term, target_of


class Targets:
    """The targets of a run's terms.

    Args:
        sessions: The encoders during the run, by name.
        terms: The terms of every encoder, by its name.
        batches: The real images.
        augment: Applies a draw to ``class image ...``.
        kept: What is kept, by the name of the encoder.
    """

    def __init__(
        self,
        sessions: Mapping[str, Session],
        terms: Mapping[str, Sequence[Term]],
        batches: RealBatches,
        augment: Callable[[Tensor, Draw], Tensor],
        kept: Mapping[str, KeptTargets],
    ) -> None:
        self.sessions, self.terms, self.batches, self.augment, self.kept = sessions, terms, batches, augment, kept
        self._samples: dict[tuple[str, int], dict[str, Target]] = {}

    def of(self, iteration: int, classes: Sequence[int], due: Sequence[str], draw: Draw, numbers: Sequence[int]) -> dict[str, Target]:
        """The targets of every term of the encoders that are due.

        Args:
            iteration: From 0.
            classes: Which classes, in order.
            due: Names of encoders.
            draw: How the real images of the step are augmented.
            numbers: The number of every class's draw, where targets are kept.

        Returns:
            By the name of the term.
        """
        found: dict[str, Target] = {}
        for name in due:
            found.update({term.name: {} for term in self._terms(name, "none")})
            found.update(self._of_sample(name, classes))
            if name in self.kept:
                found.update(self.kept[name].of(classes, numbers))
        return {**found, **self._of_batch(iteration, classes, [name for name in due if name not in self.kept], draw)}

    def gathers(self, due: Sequence[str]) -> bool:
        """Whether any term of these encoders takes its target from the real images of the step."""
        return any(self._terms(name, "batch") for name in due if name not in self.kept)

    def _terms(self, name: str, source: str) -> list[Term]:
        return [term for term in self.terms[name] if term.source == source]

    def _of_batch(self, iteration: int, classes: Sequence[int], due: Sequence[str], draw: Draw) -> dict[str, Target]:
        """One forward pass of every encoder for each part of the images, whatever the number of terms."""
        gatherings = {name: [Gathering(term) for term in terms] for name in due if (terms := self._terms(name, "batch"))}
        labels = torch.tensor(classes)
        for part in self.batches.draw(iteration, classes) if gatherings else ():
            augmented = self.augment(part, draw)
            for name, each in gatherings.items():
                features = self.sessions[name].real(augmented, labels)
                for gathering in each:
                    gathering.add(features)
        return {gathering.term.name: gathering.target() for each in gatherings.values() for gathering in each}

    def _of_sample(self, name: str, classes: Sequence[int]) -> dict[str, Target]:
        """The targets of the fixed samples of some classes; measured once, of all classes, in a network that recurs."""
        if not self._terms(name, "sample"):
            return {}
        member = self.sessions[name].member
        if member is None:
            return self._measured(name, classes)
        if (name, member) not in self._samples:
            self._samples[name, member] = self._measured(name, range(self.batches.data.classes))
        chosen = list(classes)
        return {term: {key: value[chosen] for key, value in target.items()} for term, target in self._samples[name, member].items()}

    def _measured(self, name: str, classes: Sequence[int]) -> dict[str, Target]:
        terms, each = self._terms(name, "sample"), []
        for label in classes:
            features = self.sessions[name].real(self.batches.sample(label), torch.tensor([label]), "sample")
            each.append({term.name: target_of(term, features) for term in terms})
        return stacked(each)
