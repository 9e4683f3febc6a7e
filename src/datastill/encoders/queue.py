"""A queue of networks that are trained on the real images during distilling, in which IDM matches distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from datastill import random
from datastill.data import DataSet
from datastill.encoders.encoder import Encoder, Session, check_accuracies, check_sgd
from datastill.engine import Engine, Trainer
from datastill.engine.cost import forward_cost
from datastill.engine.measuring import nbytes
from datastill.errors import UserError
from datastill.files import check_tensors
from datastill.networks import build

ACCURACY = "accuracy"


@dataclass(frozen=True)
class NetworkQueue(Encoder):
    """Draws one network of a queue every iteration, and trains some of the queue after it.

    Args:
        network: A name of `datastill.networks.NETWORKS`.
        first: Fresh networks that the queue starts with.
        longest: The most networks in the queue; the oldest leaves.
        push_every: Iterations after which a fresh network joins.
        trained: Networks trained after an iteration, a new draw each time.
        steps: Steps of SGD that each of them takes.
        batch: Real images per step, not augmented.
        learning_rate: Of that SGD.
        momentum: Of that SGD; every network keeps its own.
        weight_decay: Of that SGD.

    Reference:
        Zhao, Li, Qin, Yu: Improved Distribution Matching, CVPR 2023, arXiv:2307.09742, enriched model sampling; numbers of the
        published code.
    """

    called = "queue"
    trains = True
    steady = False

    first: int = 3
    longest: int = 100
    push_every: int = 30
    trained: int = 2
    steps: int = 10
    batch: int = 256
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.first <= self.longest or self.push_every < 1 or self.batch < 1:
            raise UserError(
                f"a queue needs 1 <= first <= longest, and push_every and batch of at least 1, "
                f"got first {self.first}, longest {self.longest}, push_every {self.push_every}, batch {self.batch}"
            )
        if self.trained < 0 or self.steps < 0:
            raise UserError(f"a queue needs trained and steps of at least 0, got {self.trained}, {self.steps}")
        check_sgd("a queue", self.learning_rate, self.momentum, self.weight_decay)

    def open(self, data: DataSet, engine: Engine, seed: int, fields: Sequence[str]) -> Session:
        """Draw the first networks (see `Encoder.open`)."""
        return QueueSession(self, data, engine, fields, seed)

    def memory(self, data: DataSet) -> int:
        """The networks that it starts with, and the images of a step (see `Encoder.memory`)."""
        with torch.device("meta"):
            network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        drawn = 8 * self.steps * self.batch * bool(self.trained)
        image = 4 * data.channels * data.size[0] * data.size[1]
        return self.first * nbytes(list(network.weights().values())) + drawn + image * self.batch * bool(self.trained and self.steps)

    def cost(self, data: DataSet) -> float:
        """The training of queue networks (see `Encoder.cost`)."""
        network = build(self.network, channels=data.channels, classes=data.classes, size=data.size)
        return 3 * forward_cost(network) * self.trained * self.steps * self.batch


class QueueSession(Session):
    """A `NetworkQueue` during a run.

    Attributes:
        entries: Oldest first; each holds weights, momenta and the network's running accuracy: the share it classified right, before each
            step, of the images it was last trained on; 0 before.
    """

    def __init__(self, queue: NetworkQueue, data: DataSet, engine: Engine, fields: Sequence[str], seed: int) -> None:
        super().__init__(queue.network, data, engine, fields)
        self.queue, self.data, self.engine, self.seed = queue, data, engine, seed
        trainee = engine.place(build(queue.network, channels=data.channels, classes=data.classes, size=data.size))
        self.trainer = Trainer(engine, trainee, learning_rate=queue.learning_rate, momentum=queue.momentum, weight_decay=queue.weight_decay)
        self.entries = [self._fresh("first", number) for number in range(queue.first)]

    def begin(self, iteration: int) -> None:
        """Put the network drawn for an iteration in place (see `Session.begin`)."""
        entry = self.entries[int(torch.randint(len(self.entries), (), generator=random.generator(self.seed, iteration, "queue")))]
        self.network.take(entry)
        self.accuracy = float(entry[ACCURACY])

    def advance(self, iteration: int, synthetic: Callable[[], Tensor]) -> None:
        """Train some networks on real images; push a fresh one when it is due (see `Session.advance`)."""
        order = torch.randperm(len(self.entries), generator=random.generator(self.seed, iteration, "queue training"))
        for place in order[: self.queue.trained].tolist() if self.queue.steps else ():
            self.entries[place] = self._trained(self.entries[place], iteration, place)
        if (iteration + 1) % self.queue.push_every == 0:
            self.entries = [*self.entries, self._fresh("push", iteration)][-self.queue.longest :]

    def state(self) -> dict[str, Tensor]:
        """Every network's weights, momenta and accuracy (see `Session.state`)."""
        return {f"{place:04d}.{name}": value for place, entry in enumerate(self.entries) for name, value in entry.items()}

    def state_bytes(self, iteration: int) -> int:
        """Of as many networks as there are then (see `Session.state_bytes`)."""
        length = min(self.queue.longest, self.queue.first + iteration // self.queue.push_every)
        return super().state_bytes(iteration) * length // len(self.entries)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take over the queue (see `Session.restore`)."""
        entries: dict[str, dict[str, Tensor]] = {}
        for key, value in sorted(state.items()):
            place, _, name = key.partition(".")
            entries.setdefault(place, {})[name] = value.to(self.engine.device)
        what = f"the state of a queue of {self.queue.network}"
        if list(entries) != [f"{place:04d}" for place in range(len(entries))] or not 1 <= len(entries) <= self.queue.longest:
            raise UserError(f"{what} does not fit: expected 1 to {self.queue.longest} networks, numbered from 0000, got {len(entries)}")
        for place, entry in entries.items():
            accuracy = entry.get(ACCURACY, torch.empty(0))
            check_tensors({ACCURACY: accuracy}, {ACCURACY: torch.zeros(())}, f"{what}, network {place},")
            check_accuracies(accuracy, what)
            self.trainer.check({name: value for name, value in entry.items() if name != ACCURACY}, f"{what}, network {place},")
        self.entries = list(entries.values())

    def _fresh(self, *path: int | str) -> dict[str, Tensor]:
        network = self.trainer.network
        network.reset(random.generator(self.seed, "queue", *path))
        return {**{name: value.clone() for name, value in network.weights().items()}, ACCURACY: torch.zeros(())}

    def _trained(self, entry: dict[str, Tensor], iteration: int, place: int) -> dict[str, Tensor]:
        self.trainer.restore(entry)
        generator = random.generator(self.seed, iteration, place, "queue batches")
        correct = 0
        for rows in torch.randint(len(self.data.train), (self.queue.steps, self.queue.batch), generator=generator):
            images = self.data.normalise(self.data.train.gather(rows).to(self.engine.device))
            _, hits = self.trainer.step(images, self.data.train.labels[rows].to(self.engine.device))
            correct += hits
        return {**self.trainer.state(), ACCURACY: torch.tensor(correct / (self.queue.steps * self.queue.batch))}
