"""The one explicit loop: step, record, checkpoint, validate."""

from __future__ import annotations

import time
from collections.abc import Mapping

from torch import Tensor

from datastill import stopping
from datastill.engine import Ranks
from datastill.errors import UserError
from datastill.kinds import Stepper
from datastill.kinds.watch import check_moved
from datastill.progress import progress
from datastill.runs.folder import Run
from datastill.runs.loggers import Loggers
from datastill.runs.previews import Previews
from datastill.runs.validation import Validation

SECONDS_BETWEEN_CHECKPOINTS = 20.0
SHARE_OF_CHECKPOINTS = 20
"""At most 1 / 20 of the time goes into checkpoints: a queue of networks is large."""


def loop(
    stepper: Stepper,
    run: Run | None,
    validate: Validation,
    keep_preview: Previews,
    title: str,
    done: int,
    iterations: int,
    checkpoint_seconds: float,
    loggers: Loggers,
    ranks: Ranks,
) -> None:
    """Take the steps that are left. Where a signal asks to stop, what the running one gives is kept first.

    Processes that share the run stop after the same step, whichever of them was asked to.

    Args:
        stepper: Takes a step.
        run: Keeps metrics and checkpoints; None keeps nothing.
        validate: What is due after an iteration.
        keep_preview: Keeps a preview where one is due.
        title: What the progress is called.
        done: Steps taken before.
        iterations: The total number of steps.
        checkpoint_seconds: The least time between checkpoints; 0 writes one after every iteration.
        loggers: Where the figures go, too.
        ranks: The processes that share the run.

    Raises:
        Stopped: If a signal asked for it.
    """
    validate(done)
    if not done:
        keep_preview(0)
    saved, took = time.monotonic(), 0.0
    start = stepper.canvas().tensors() if not done and iterations > 1 else None  # a method with one step has nothing before it
    with progress(title, iterations, done=done) as bar, stopping.Hold() as hold:
        for iteration in range(done, iterations):
            began = time.monotonic()
            figures = stepper.step(iteration)
            completed = iteration + 1
            if start and iteration == 0:
                check_moved(start, stepper.canvas().tensors())
            hold.begin()
            stop = stopping.asked() if ranks.count == 1 else int(ranks.asked)
            timed = {**figures, "seconds": round(time.monotonic() - began, 4)}
            if run:
                run.record({"iteration": completed, **timed})
                due = time.monotonic() - saved >= max(checkpoint_seconds, SHARE_OF_CHECKPOINTS * took)
                if due or stop or completed == iterations or completed in validate.due:
                    began = time.monotonic()
                    run.checkpoint(completed, finite(stepper.state(), completed))
                    saved = time.monotonic()
                    took = saved - began if checkpoint_seconds else 0.0
                keep_preview(completed)
            loggers.log(completed, timed)
            bar.advance(" ".join(f"{name} {value:.4g}" for name, value in figures.items()))
            if stop:
                ranks.wait()
                stopping.stop(stop)
            if completed in validate.due:
                with stopping.released():
                    validate(completed)


def finite(state: Mapping[str, Tensor], completed: int) -> Mapping[str, Tensor]:
    """A state that may be kept: a diverged run ends, and the checkpoints before it stay.

    Raises:
        UserError: If a value in it is NaN or infinite.
    """
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise UserError(
                f"the run has diverged: '{name}' is not finite after iteration {completed}, so it is not kept; lower a learning rate or a "
                f"term's weight in a new run; checkpoints from before are kept"
            )
    return state
