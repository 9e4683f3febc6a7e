"""Targets of networks that recur: computed once for each network and augmentation draw, and kept."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from datastill import random
from datastill.augment import DSA, Draw
from datastill.data import DataSet
from datastill.encoders import Session
from datastill.engine import Engine
from datastill.files import checksum
from datastill.kinds.distribution_matching.store import TargetStore
from datastill.kinds.real_batches import EVERY_RUN, RealBatches
from datastill.logs import logger
from datastill.terms import Gathering, Target, Term

log = logger(__name__)

FORMAT = 1
"""Raised when the same features give other targets than before, or are drawn otherwise, so that no older file is found again."""
MEMORY = 2**29
"""Bytes of an encoder's targets that are held in memory; others are read again from the disk."""


def stacked(by_class: Sequence[Mapping[str, Target]]) -> dict[str, Target]:
    """The targets of several classes, by term, from those of each, all with a leading class axis."""
    return {term: {name: torch.cat([each[term][name] for each in by_class]) for name in target} for term, target in by_class[0].items()}


def draws_of(number: int, label: int, views: int) -> list[torch.Generator]:
    """Generators of a class's numbered draw of augmentation, one for each view: the same in every run."""
    return [random.generator(EVERY_RUN, number, label, view, "kept augmentation") for view in range(views)]


@dataclass(frozen=True)
class Kept:
    """How targets are kept.

    Attributes:
        data: What is distilled.
        engine: How networks run, which bits depend on.
        batches: The real images, as many of a class as a target is taken from.
        augmentation: What numbered draws are drawn from.
        augment: Applies a draw to ``class image ...``.
        store: Where.
    """

    data: DataSet
    engine: Engine
    batches: RealBatches
    augmentation: DSA
    augment: Callable[[Tensor, Draw], Tensor]
    store: TargetStore


class KeptTargets:
    """The kept targets of an encoder's terms.

    Args:
        kept: How they are kept.
        session: The encoder.
        terms: Those of its terms whose target is taken from a batch.
    """

    def __init__(self, kept: Kept, session: Session, terms: Sequence[Term]) -> None:
        self.kept, self.session, self.terms = kept, session, terms
        self._checksums: dict[int, str] = {}
        self._memory: OrderedDict[tuple[int, int], dict[str, Target]] = OrderedDict()

    def of(self, classes: Sequence[int], numbers: Sequence[int]) -> dict[str, Target]:
        """The targets of some classes in the network in place, each of the draw of its number; by the name of the term."""
        by_number = {number: self._found(number) for number in dict.fromkeys(numbers)}
        pairs = list(zip(classes, numbers, strict=True))
        return {
            term.name: {
                name: torch.stack([by_number[number][term.name][name][label] for label, number in pairs])
                for name in by_number[numbers[0]][term.name]
            }
            for term in self.terms
        }

    def _found(self, number: int) -> dict[str, Target]:
        """The targets of all classes of one draw: in memory, on the disk, or computed."""
        member = self.session.member
        if member is None:
            raise RuntimeError("targets can be kept only of networks that come again")
        if (member, number) not in self._memory:
            made_of = self.made_of(number)
            tensors = self._read(made_of)
            targets = self._computed(member, number) if tensors is None else _unflattened(self.terms, tensors, self.kept.engine.device)
            if tensors is None:
                self.kept.store.write(made_of, _flattened(targets))
            self._memory[member, number] = targets
            while len(self._memory) > 1 and sum(_bytes(each) for each in self._memory.values()) > MEMORY:
                self._memory.popitem(last=False)
        self._memory.move_to_end((member, number))
        return self._memory[member, number]

    def _read(self, made_of: str) -> dict[str, Tensor] | None:
        """What is kept; None if nothing is, or it is not of these terms and classes, which is told."""
        tensors = self.kept.store.read(made_of)
        if tensors is None:
            return None
        terms, classes = {name.partition("/")[0] for name in tensors}, self.kept.data.classes
        whole = all(value.ndim and len(value) == classes and bool(value.isfinite().all()) for value in tensors.values())
        if terms == {term.name for term in self.terms} and whole:
            return tensors
        log.warning("%s does not hold the targets of these terms and classes; they will be computed again", self.kept.store.path(made_of))
        return None

    def _computed(self, member: int, number: int) -> dict[str, Target]:
        """Class after class, so that a target depends on nothing beside it."""
        kept, by_class = self.kept, []
        for label in range(kept.data.classes):
            gatherings = [Gathering(term) for term in self.terms]
            draw = kept.augmentation.draw(draws_of(number, label, kept.batches.views))
            for part in kept.batches.kept(member, number, label):
                features = self.session.real(kept.augment(part, draw), torch.tensor([label]), "kept")
                for gathering in gatherings:
                    gathering.add(features)
            by_class.append({gathering.term.name: gathering.target() for gathering in gatherings})
        return stacked(by_class)

    def made_of(self, number: int) -> str:
        """Everything that the targets of a draw, in the network in place, depend on to the last bit."""
        kept, member = self.kept, self.session.member or 0
        if member not in self._checksums:
            self._checksums[member] = checksum(self.session.network.weights())
        return json.dumps(
            {
                "format": FORMAT,
                "torch": torch.__version__,
                "data": [kept.data.fingerprint, *kept.data.normalisation.key],
                "network": [self.session.network.name, member, self._checksums[member], self.session.fields],
                "engine": kept.engine.describe(),
                "terms": [described(term) for term in self.terms],
                "augmentation": [*_augmentation_key(kept.augmentation), kept.batches.views, number],
                "real": [kept.batches.size, kept.batches.limit],
            },
            sort_keys=True,
            default=str,
        )


def _augmentation_key(augmentation: DSA) -> list[tuple[str, ...]]:
    """What is drawn from, and where there is any, what is always applied."""
    always = [augmentation.before, augmentation.after]
    return [augmentation.families, *(always if any(always) else [])]


def described(term: Term) -> dict[str, Any]:
    """What a term's target depends on: its class and those it inherits from, as they are written, and its fields but for the weight."""
    written = "".join(_source(each) for each in type(term).__mro__ if issubclass(each, Term) and each is not Term)
    source = hashlib.blake2b(written.encode(), digest_size=8).hexdigest() if written else ""
    fields = {name: value for name, value in asdict(term).items() if name != "weight"}
    return {"class": f"{type(term).__module__}.{type(term).__qualname__}", "source": source, **fields}


def _source(of: type) -> str:
    try:
        return inspect.getsource(of)
    except (OSError, TypeError):  # made in an interactive session
        return ""


def _flattened(targets: Mapping[str, Target]) -> dict[str, Tensor]:
    return {f"{term}/{name}": value for term, target in targets.items() for name, value in target.items()}


def _unflattened(terms: Sequence[Term], tensors: Mapping[str, Tensor], device: torch.device) -> dict[str, Target]:
    found: dict[str, dict[str, Tensor]] = {term.name: {} for term in terms}
    for key, value in tensors.items():
        term, _, name = key.partition("/")
        found[term][name] = value.to(device)
    return {name: dict(target) for name, target in found.items()}


def _bytes(targets: Mapping[str, Target]) -> int:
    return sum(value.numel() * value.element_size() for target in targets.values() for value in target.values())
