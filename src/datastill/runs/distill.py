"""The one explicit loop: step, record, checkpoint, validate."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill import provenance
from datastill.artifact import DistilledSet, Origin
from datastill.augment import expand
from datastill.data import DataSet, load
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluate import Protocol, Scorer, operations
from datastill.methods import Method, Stepper, method
from datastill.progress import progress
from datastill.run import Run

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKPOINTS = 20.0
SHARE_OF_CHECKPOINTS = 20
"""A checkpoint is written no sooner than so many times as long after the last one as that took: a queue of networks is large."""


def distill(
    data: DataSet | str = "digits",
    *,
    method: Method | str = "dm+iid",
    ipc: int = 10,
    iterations: int = 2000,
    seed: int = 0,
    out: Path | str | None = None,
    resume: bool = False,
    preset: str = "paper",
    settings: Sequence[str] = (),
    validate_at: Sequence[int] = (),
    validation_protocol: Protocol | None = None,
    engine: Engine | None = None,
    checkpoint_seconds: float = SECONDS_BETWEEN_CHECKPOINTS,
) -> DistilledSet:
    """Distil a data set.

    Args:
        data: A data set or its name in the grammar of `datastill.load`.
        method: A method, or its name in the grammar ``METHOD[+TERM...]``.
        ipc: Synthetic images per class.
        iterations: Steps in all.
        seed: The same seed gives the same bits on the same machine.
        out: The run's folder; None keeps nothing.
        resume: Whether to continue the run in `out`; it may have more iterations than before, everything else must agree.
        preset: Which published values to use, if `method` is a name.
        settings: Changes to them, as in `datastill.methods.method`.
        validate_at: Iterations after which a network is trained on the set and tested on the validation split.
        validation_protocol: How; by default the DC protocol.
        engine: How to run; by default what suits the job. A continued run keeps the precision and compilation that it chose.
        checkpoint_seconds: Seconds between checkpoints at least; 0 writes one after every iteration.

    Returns:
        The distilled set after the last iteration.

    Raises:
        UserError: If anything given is unknown or does not fit together.
    """
    _check(ipc, iterations, validate_at)
    data = load(data) if isinstance(data, str) else data
    if isinstance(method, str):
        method = _named(method, data, ipc, preset, settings)
    elif settings:
        raise UserError("settings change a method given by name; set the fields of a method object instead")
    if validate_at:
        data.split("validation")
    engine = engine or Engine.choose(operations=method.operations(data, ipc) * iterations)
    protocol = validation_protocol or Protocol()
    method.check(data, ipc)
    run = Run(Path(out)) if out is not None else None
    if run and resume and (begun := run.config()):
        recorded = begun.get("engine")
        engine = engine.as_recorded(recorded if isinstance(recorded, Mapping) else {})
    config = describe(data, method, ipc, iterations, seed, validate_at, protocol, engine)
    done, state = run.begin(config, resume=resume) if run else (0, {})
    stepper = method.open(data, engine, ipc, seed)
    if state:
        stepper.restore(state)
        log.warning("continuing %s at iteration %d", out, done)
    if run:
        run.bind("encoders", stepper.encoders_used())
    validate = Validation(data, stepper, run, seed, validate_at, protocol, engine)
    try:
        _loop(stepper, run, validate, method.name, done, iterations, checkpoint_seconds)
    finally:
        if run:
            run.close()
    origin = Origin(
        data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip,
        method=method.name, seed=seed, iterations=iterations, factor=stepper.factor, version=provenance.package_version(),
        held_out=data.held_out,
    )  # fmt: skip
    distilled = DistilledSet(*flat(stepper.images()), origin)
    if run:
        distilled.save(run.folder / "distilled")
    return distilled


def _loop(
    stepper: Stepper, run: Run | None, validate: Validation, title: str, done: int, iterations: int, checkpoint_seconds: float
) -> None:
    validate(done)
    saved, cost = time.monotonic(), 0.0
    with progress(title, iterations, done=done) as bar:
        for iteration in range(done, iterations):
            began = time.monotonic()
            figures = stepper.step(iteration)
            completed = iteration + 1
            if run:
                run.record({"iteration": completed, **figures, "seconds": round(time.monotonic() - began, 4)})
                due = time.monotonic() - saved >= max(checkpoint_seconds, SHARE_OF_CHECKPOINTS * cost)
                if due or completed == iterations or completed in validate.due:
                    began = time.monotonic()
                    run.checkpoint(completed, stepper.state())
                    saved = time.monotonic()
                    cost = saved - began if checkpoint_seconds else 0.0
            bar.advance(" ".join(f"{name} {value:.4g}" for name, value in figures.items()))
            validate(completed)


class Validation:
    """Trains a network on the set at chosen iterations and tests it on the validation split.

    Args:
        data: What is distilled.
        stepper: Gives the images.
        run: Takes the figures; those it has already are not made again.
        seed: The run's seed.
        due: Iterations, 0 for the initial images.
        protocol: How the network is trained.
        engine: How to run.
    """

    def __init__(
        self, data: DataSet, stepper: Stepper, run: Run | None, seed: int, due: Sequence[int], protocol: Protocol, engine: Engine
    ) -> None:
        known = {entry["iteration"] for entry in run.metrics() if "validation_accuracy" in entry} if run else set()
        self.data, self.stepper, self.run, self.seed, self.protocol = data, stepper, run, seed, protocol
        self.due = set(due) - known
        images = data.classes * stepper.images().shape[1] * stepper.factor**2
        self.engine = engine.suited(operations(data, protocol, images) * len(due))
        self.scorer: Scorer | None = None

    def __call__(self, iteration: int) -> None:
        """Do what is due after an iteration."""
        if iteration not in self.due:
            return
        images, labels = flat(self.stepper.images())
        factor = self.stepper.factor
        shown = expand(images, factor)
        if self.scorer is None:
            self.scorer = Scorer(self.data, self.data.split("validation"), self.protocol, self.engine)
        with progress(f"validating iteration {iteration}", self.scorer.steps(len(shown)), unit="step") as bar:
            score = self.scorer.score(shown, labels.repeat_interleave(factor**2), [(self.seed, iteration, "validation")], bar)
        log.warning("iteration %d: %.2f%% on the validation split", iteration, score.mean)
        if self.run:
            self.run.snapshot(iteration, images)
            self.run.record({"iteration": iteration, "validation_accuracy": score.mean})
            self.run.flush()


def describe(
    data: DataSet,
    method: Method,
    ipc: int,
    iterations: int,
    seed: int,
    validate_at: Sequence[int],
    protocol: Protocol,
    engine: Engine,
) -> dict[str, Any]:
    """Everything needed to repeat a run, as plain values."""
    return {
        "data": data.describe(),
        "method": method.describe(),
        "ipc": ipc,
        "seed": seed,
        "engine": engine.describe(),
        "iterations": iterations,
        "validate_at": {"iterations": sorted(validate_at), "network": protocol.network, "epochs": protocol.passes},
        "made_by": provenance.made_by(),
    }


def flat(images: Tensor) -> tuple[Tensor, Tensor]:
    """Turn ``class image ...`` into ``image ...`` and labels."""
    return images.flatten(0, 1), torch.arange(len(images)).repeat_interleave(images.shape[1])


def _named(name: str, data: DataSet, ipc: int, preset: str, settings: Sequence[str]) -> Method:
    return method(name, data=data.source, classes=data.classes, ipc=ipc, preset=preset, settings=settings)


def _check(ipc: int, iterations: int, validate_at: Sequence[int]) -> None:
    if ipc < 1 or iterations < 1:
        raise UserError(f"distilling needs an IPC and a number of iterations of at least 1, got {ipc} and {iterations}")
    late = [iteration for iteration in validate_at if not 0 <= iteration <= iterations]
    if late:
        raise UserError(f"validation at iteration {late[0]} is not within the run's 0 to {iterations} iterations")


__all__ = ["distill"]
