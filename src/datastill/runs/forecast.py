"""What a run would take, without starting it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from datastill.augment import expand
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.engine.measuring import Forecast, Part, forecast, nbytes
from datastill.evaluation import Protocol
from datastill.evaluation.forecast import evaluation_part
from datastill.evaluation.scorer import training_cost
from datastill.kinds import Method
from datastill.runs.folder import KEPT
from datastill.runs.job import Job
from datastill.runs.previews import preview, previews_until

LINE = 150
"""Bytes of a line of metrics, about."""


@dataclass(frozen=True)
class Tested:
    """Networks that are trained on the set of a run and tested.

    Attributes:
        protocol: How.
        networks: How many, those of comparisons included.
        split: What they are tested on.
        snapshots: Whether the set is kept for each of them.
        engine: What they are trained on; None for what suits them.
    """

    protocol: Protocol
    networks: int
    split: str = "validation"
    snapshots: bool = True
    engine: Engine | None = None


def forecast_run(job: Job) -> Forecast:
    """Measure on a few steps what a run would take.

    Networks that would be trained first are not trained, only measured. Nothing is kept but what is compiled.

    Raises:
        UserError: If the run could not be begun.
    """
    done = job.run.steps_done(job.plan.describe(), resume=job.resume) if job.run else 0
    validations = Tested(job.protocol, sum(at >= done for at in job.validate_at))
    steps = f"{job.iterations} iteration{'' if job.iterations == 1 else 's'}"
    title = f"{job.method.name} on {job.data.name}, IPC {job.ipc}, {steps}{f', {done} of them done' if done else ''}"
    measured = RunParts(job.data, job.method, job.ipc, job.iterations, job.engine, job.seed, done, (validations,))
    return forecast(title, lambda: list(measured), job.engine.device)


@dataclass(frozen=True)
class RunParts:
    """The parts of a run, measured one after the other as they are asked for.

    Attributes:
        data: What is distilled.
        method: How.
        ipc: Synthetic images per class.
        iterations: The total number of steps.
        engine: How to run.
        seed: Of the run.
        done: Steps that were taken before.
        tested: The networks that are trained on its sets.
    """

    data: DataSet
    method: Method
    ipc: int
    iterations: int
    engine: Engine
    seed: int = 0
    done: int = 0
    tested: tuple[Tested, ...] = field(default_factory=tuple)

    def __iter__(self) -> Iterator[Part]:
        for untrained in self.method.missing(self.data):
            yield untrained.part(self.data, self.engine)
        found = self.method.measure(self.data, self.engine, self.ipc, self.seed, self.iterations)
        size, left = nbytes(list(found.canvas.tensors().values())), max(0, self.iterations - self.done)
        kept = min(KEPT, self.iterations) * found.state + LINE * self.iterations + 2 * size  # the set, and its rendering
        shown = preview(found.canvas, self.data)["images"]
        kept += nbytes([shown]) * previews_until(self.iterations)
        yield Part(f"{left} step{'' if left == 1 else 's'} of {found.seconds:.3g} s", left * found.seconds, kept)
        images, labels = expand(found.canvas.images, found.factor), found.canvas.labels.repeat_interleave(found.factor**2, dim=0)
        for each in self.tested:
            if each.networks:
                cost = training_cost(self.data, each.protocol, len(images)) * each.networks
                part = evaluation_part(
                    self.data, each.protocol, images, labels, networks=each.networks, split=each.split,
                    engine=each.engine or self.engine.suited(cost), label_kind=found.canvas.label_kind,
                )  # fmt: skip
                yield replace(part, kept=each.networks * size * each.snapshots)
