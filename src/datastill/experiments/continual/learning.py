"""Learning classes step by step from a memory: `datastill.continual`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from datastill.configuration import whole, words
from datastill.data import DataSet, load
from datastill.data.notebook import table
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Evaluation, Protocol
from datastill.evaluation.evaluate import evaluate
from datastill.evaluation.scorer import training_cost
from datastill.experiments.continual.course import Course
from datastill.files import check_folder, locked
from datastill.labels import HARD
from datastill.logs import logger
from datastill.methods import method as composed
from datastill.runs.distill import distill

log = logger(__name__)


@dataclass(frozen=True)
class Stage:
    """What was reached when a step's classes had joined the memory.

    Attributes:
        classes: The new ones, by name.
        evaluation: Of networks that were trained from scratch on the whole memory and tested on all classes seen.
    """

    classes: tuple[str, ...]
    evaluation: Evaluation


@dataclass(frozen=True)
class Continual:
    """What `continual` finds.

    Attributes:
        stages: One for every step.
        memory: The images of all classes, in the order in which the classes came.
        seed: Of the order of classes and of all draws.
    """

    stages: tuple[Stage, ...]
    memory: DistilledSet
    seed: int

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return self.memory.origin.class_names

    @property
    def accuracies(self) -> tuple[float, ...]:
        """Mean top-1 on the classes seen after every step, in percent."""
        return tuple(stage.evaluation.score.mean for stage in self.stages)

    @property
    def seen(self) -> tuple[int, ...]:
        """How many classes had come after every step."""
        return tuple(len(stage.evaluation.class_names) for stage in self.stages)

    def __repr__(self) -> str:
        return f"<{'; '.join(f'{seen} classes: {mean:.2f}%' for seen, mean in zip(self.seen, self.accuracies, strict=True))}>"

    def _repr_html_(self) -> str:
        """A table of the steps."""
        scores = [(seen, stage.evaluation.score) for seen, stage in zip(self.seen, self.stages, strict=True)]
        rows = [[str(seen), f"{score.mean:.2f}", "" if score.std is None else f"{score.std:.2f}"] for seen, score in scores]
        return table(f"{len(self.memory.images)} images", ["classes seen", "accuracy %", "std"], rows)


def continual(
    data: DataSet | str | Any,
    *,
    method: str = "dm+iid",
    steps: int = 5,
    ipc: int = 20,
    iterations: int | None = None,
    seed: int = 0,
    repeats: int = 3,
    split: str = "test",
    out: Path | str | None = None,
    preset: str = "paper",
    settings: Sequence[str] = (),
    protocol: Protocol | str | None = None,
    engine: Engine | None = None,
) -> Continual:
    """Learn the classes of a data set step by step, keeping a few images of each class.

    In every step the set of its new classes is made from their training images alone and joins the memory. Networks are then trained from
    scratch on the whole memory, with an output for every class seen, and tested on the classes seen. All methods are tested under one
    protocol. What a step draws derives from (seed, step), and the order of the classes from the seed.

    Args:
        data: All that `datastill.load` takes.
        method: What makes the memory, such as "random", "herding" or "dm+iid"; its labels must be hard. A learning rate that is learned
            with a set is not used, as there is one for every step.
        steps: In how many steps the classes come; at least two classes a step.
        ipc: Images in the memory per class.
        iterations: Steps of distilling in each step of learning; as in `datastill.distill`.
        seed: Of the order of the classes and of all draws.
        repeats: Networks that are trained after every step.
        split: "test" to report, "validation" to choose.
        out: A folder that keeps the runs of all steps, ``step1``, ``step2`` and so on, and what every network reached. The same call with
            the same folder continues after a kill. None keeps nothing.
        preset: Which published values the method has.
        settings: Changes to them.
        protocol: How networks are trained on the memory, or its name; by default the DC protocol.
        engine: How to run; by default what suits each job.

    Returns:
        The accuracy after every step, and the memory after the last one.

    Raises:
        UserError: If anything given is unknown or does not fit together, or another process is at work in `out`.

    Reference:
        Zhao, Bilen, Dataset Condensation with Distribution Matching, WACV 2023, section 4.4.
    """
    folder, data = None if out is None else Path(out), load(data)
    learner = Learner(
        Course(data, steps, seed),
        method,
        ipc,
        iterations,
        repeats,
        split,
        preset,
        words("settings", settings),
        Protocol.given(protocol),
        engine,
    )
    learner.check()
    if folder is None:
        return learner.learn(None)
    check_folder(folder)
    with locked(folder, f"the steps in {folder}"):
        return learner.learn(folder)


@dataclass(frozen=True)
class Learner:
    """What `continual` was asked for, in its words.

    Attributes:
        course: The classes in their steps.
        method: What makes the memory.
        ipc: Images in the memory per class.
        iterations: Steps of distilling in each step of learning; None for the method's own number.
        repeats: Networks that are trained after every step.
        split: What they are tested on.
        preset: Which published values the method has.
        settings: Changes to them.
        protocol: How networks are trained on the memory.
        engine: How to run; None for what suits each job.
    """

    course: Course
    method: str
    ipc: int
    iterations: int | None
    repeats: int
    split: str
    preset: str
    settings: tuple[str, ...]
    protocol: Protocol
    engine: Engine | None

    def check(self) -> None:
        """Refuse what cannot work before the first step."""
        first = self.course.new(0)
        first.split(self.split)
        for name, value in {"ipc": self.ipc, "repeats": self.repeats}.items():
            whole(name, value, least=1)
        made = composed(self.method, data=first, ipc=self.ipc, preset=self.preset, settings=self.settings)
        if made.label_kind != HARD:
            raise UserError(f"a memory of several steps has hard labels, those of {made.name} are {made.label_kind}: use another method")
        if made.own_steps or self.protocol.called == "dd":
            raise UserError(
                "continual learning trains on the sets of several steps together, which no learned steps fit: use another method than "
                "'dd', and the protocol 'dc' or 'idc'"
            )
        made.check(first, self.ipc)

    def learn(self, folder: Path | None) -> Continual:
        """Take all steps."""
        sets, stages = list[DistilledSet](), list[Stage]()
        for step in range(self.course.steps):
            sets.append(self._made(step, folder / f"step{step + 1}" if folder else None))
            seen = self.course.seen(step)
            memory = joined(sets, seen, self.course.seed)
            stages.append(Stage(sets[-1].origin.class_names, self._tested(memory, seen, step, folder)))
            log.info("step %d of %d, %d classes: %.2f%%", step + 1, self.course.steps, seen.classes, stages[-1].evaluation.score.mean)
        return Continual(tuple(stages), memory, self.course.seed)

    def _made(self, step: int, run: Path | None) -> DistilledSet:
        new = self.course.new(step)
        made = composed(self.method, data=new, ipc=self.ipc, preset=self.preset, settings=self.settings)
        engine = self.engine.suited(made.cost(new, self.ipc) * made.iterations(self.iterations)) if self.engine else None
        return distill(  # a finished run takes no step, but is refused if it was made otherwise
            new,
            method=made,
            ipc=self.ipc,
            iterations=self.iterations,
            seed=self.course.draws(step),
            out=run,
            resume=run is not None and (run / "config.yaml").exists(),
            engine=engine,
        )

    def _tested(self, memory: DistilledSet, seen: DataSet, step: int, folder: Path | None) -> Evaluation:
        return evaluate(
            memory,
            repeats=self.repeats,
            seed=self.course.draws(step),
            split=self.split,
            data=seen,
            compare=(),
            protocol=self.protocol,
            engine=self.engine.suited(training_cost(seen, self.protocol, len(memory))) if self.engine else None,
            keep=folder / "evaluations.json" if folder else None,
        )


def joined(sets: Sequence[DistilledSet], seen: DataSet, seed: int) -> DistilledSet:
    """One set of the sets of several steps.

    Args:
        sets: Of different classes, with hard labels and equally many parts per image.
        seen: Their classes, in their order.
        seed: What the memory is said to be made with.

    Raises:
        UserError: If the labels are soft: those of one step say nothing about the classes of another.
    """
    if soft := [each.label_kind for each in sets if each.label_kind != HARD]:
        raise UserError(f"a memory of several steps has hard labels, but {sets[0].origin.method} makes {soft[0]}: choose another method")
    starts = [sum(len(each.origin.class_names) for each in sets[:number]) for number in range(len(sets))]
    labels = torch.cat([each.labels + start for each, start in zip(sets, starts, strict=True)])
    origin = replace(sets[0].origin, data=seen.name, fingerprint=seen.fingerprint, class_names=seen.class_names, seed=seed)
    return DistilledSet(torch.cat([each.images for each in sets]), labels, origin)
