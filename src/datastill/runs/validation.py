"""Validation during a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from datastill.augment import expand
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation import Protocol, Scorer
from datastill.evaluation.scorer import training_cost
from datastill.kinds import LEARNING_RATE, Stepper
from datastill.labels import track
from datastill.logs import logger
from datastill.progress import progress
from datastill.runs.folder import Run
from datastill.runs.loggers import Loggers

log = logger(__name__)


class Validation:
    """Trains a network on the set at chosen iterations and tests it on the validation split.

    Args:
        data: What is distilled.
        stepper: Gives what has been learned.
        run: Takes the results; those it already has are not computed again.
        seed: The run's seed.
        due: Iterations, 0 for the initial images.
        protocol: How the network is trained.
        engine: How to run.
        loggers: Where the results go, too.
    """

    def __init__(
        self,
        data: DataSet,
        stepper: Stepper,
        run: Run | None,
        seed: int,
        due: Sequence[int],
        protocol: Protocol,
        engine: Engine,
        loggers: Loggers,
    ) -> None:
        known = {entry["iteration"] for entry in run.metrics() if "validation_accuracy" in entry} if run else set()
        self.data, self.stepper, self.run, self.seed, self.protocol, self.ranks = data, stepper, run, seed, protocol, engine.ranks
        self.loggers = loggers
        left = self.ranks.from_first(lambda: {"due": torch.tensor(sorted(set(due) - known), dtype=torch.int64)})
        self.due = set(left["due"].tolist())
        images = len(stepper.canvas().images) * stepper.factor**2
        self.engine = engine.suited(training_cost(data, protocol, images) * len(due))
        self.scorer: Scorer | None = None

    def __call__(self, iteration: int) -> None:
        """Do what is due after an iteration; of several processes the first one does it, and the others wait."""
        if iteration not in self.due:
            return
        if self.ranks.first:
            self._validate(iteration)
        self.ranks.wait()

    def _validate(self, iteration: int) -> None:
        canvas, factor = self.stepper.canvas(), self.stepper.factor
        shown, labels = expand(canvas.images, factor), canvas.labels.repeat_interleave(factor**2, dim=0)
        if self.scorer is None:
            self.scorer = Scorer(self.data, self.data.split("validation"), self.protocol, self.engine)
        with progress(f"validating iteration {iteration}", self.scorer.steps(len(shown)), unit="step") as bar:
            score = self.scorer.score(
                shown, labels, [(self.seed, iteration, "validation")], bar,
                label_kind=canvas.label_kind, learned_rate=canvas.numbers.get(LEARNING_RATE),
            )  # fmt: skip
        log.info("iteration %d: %.2f%% on the validation split", iteration, score.mean)
        if self.run:
            self.run.snapshot(iteration, canvas.tensors())
            self.run.record({"iteration": iteration, "validation_accuracy": score.mean, "labels": track(canvas.label_kind)})
            self.run.flush()
        self.loggers.log(iteration, {"validation_accuracy": score.mean})
