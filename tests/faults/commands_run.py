"""Commands as processes: stopped by a signal at any moment and then given again, and with outputs that take nothing."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processes
from datastill.files import load_tensors
from faults.campaign import Campaign, Outcome
from faults.command_lines import COMMANDS, EXECUTORS, Command, whole

FULL = "datastill: No space left on device: not everything could be printed; everything else is done\n"


def _as_it_should(done: processes.Done, number: int, *, whole: Callable[[], bool]) -> bool:
    """Whether a command that got a signal ended by it, or had been quicker, without a traceback and with one line on it.

    One that has done and said everything lets signals end it, as they do by default.
    """
    if done.code == 0 or number == signal.SIGKILL:
        return done.code in (0, -signal.SIGKILL)
    if "Traceback" in done.err:
        return False
    said = done.err.rstrip("\n").splitlines()
    return whole() if done.code == -number else done.code == 128 + number and bool(said) and said[-1].startswith("datastill: stopped")


def _half_done(command: Command, folder: Path, expected: Any) -> bool:
    """Whether something is in its place that a command had not finished."""
    for path in folder.rglob("*.safetensors"):
        load_tensors(path)
    return command.at_once and command.left(folder) not in ({}, expected)


def _stopped(name: str) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        (expected, seconds), command, chance = whole(name), COMMANDS[name](), random.Random(seed)
        outcome = Outcome.UNCHANGED
        for _ in range(chance.choice((1, 1, 2, 3))):
            if command.once and (folder / command.once).exists():
                break
            number = chance.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
            done = command.run(folder, signals=[(chance.uniform(0, seconds), number)])
            if not _as_it_should(done, number, whole=lambda: command.left(folder) == expected):
                raise RuntimeError(f"{number.name}: exit code {done.code}, {done.err[-200:]}")
            if _half_done(command, folder, expected):
                return Outcome.LOST
            outcome = Outcome.RESUMED if done.code else outcome
        if not command.once or not (folder / command.once).exists():
            done = command.run(folder)
            if done.code:
                raise RuntimeError(f"again: exit code {done.code}, {done.err[-200:]}")
        return _whole(command, folder, expected, outcome)

    return trial


def _whole(command: Command, folder: Path, expected: Any, outcome: Outcome) -> Outcome:
    """An outcome, if everything is there and nothing is left over."""
    if leftovers := [str(path.relative_to(folder)) for path in folder.rglob(".datastill-*.partial")]:
        raise RuntimeError(f"left over: {leftovers}")
    return outcome if command.left(folder) == expected else Outcome.WRONG


def _killed(name: str) -> Callable[[int, Path], Outcome]:
    """One or two of the processes that a command has started are killed, and half of the time the command itself after them."""

    def trial(seed: int, folder: Path) -> Outcome:
        (expected, seconds), command, chance = whole(name), COMMANDS[name](), random.Random(seed)
        kills = [(chance.uniform(0.2, 1) * seconds, chance.random()) for _ in range(chance.choice((1, 2)))]
        ends = [(max(kills)[0] + chance.uniform(0, 0.3) * seconds, signal.SIGKILL)] if chance.random() < 0.5 else []
        done = command.run(folder, kills=kills, signals=ends)
        if done.code not in (0, *(-number for _, number in ends)) or "Traceback" in done.err:
            raise RuntimeError(f"kills {kills}: exit code {done.code}, {done.err[-200:]}")
        again = command.run(folder)  # what the killed one had started may still be at work
        if again.code:
            raise RuntimeError(f"again: exit code {again.code}, {again.err[-200:]}")
        told = done.code < 0 or "it is tried again" in done.err
        return _whole(command, folder, expected, Outcome.RESUMED if told else Outcome.UNCHANGED)

    return trial


def _unheard(name: str) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        (expected, _), command, chance = whole(name), COMMANDS[name](), random.Random(seed)
        streams = tuple(chance.choice(processes.STATES) for _ in range(3))
        done = command.run(folder, streams=streams)
        right = {0, *({"broken": [141], "full": [2]}.get(streams[1], []))}
        if done.code not in right or "Traceback" in done.err or (done.code == 2 and streams[2] == "kept" and not done.err.endswith(FULL)):
            raise RuntimeError(f"streams {streams}: exit code {done.code}, {done.err[-200:]}")
        return Outcome.UNCHANGED if command.left(folder) == expected else Outcome.LOST

    return trial


DOING = {
    "distill": "a run is distilled",
    "evaluate": "a set is evaluated",
    "pretrain": "networks are pretrained",
    "export": "a set is exported",
    "show": "a picture is drawn",
    "compare": "results are compared",
    "robust": "the robust scores of a set are measured",
    "snapshots": "training runs are kept",
    "report": "the page of a run is written",
    "site": "a site is written",
    "experiment": "an experiment runs",
    "budget": "an experiment runs on a budget",
    **{f"executor-{name}": f"an experiment runs in two processes (`{name}`)" for name in EXECUTORS},
}
"""What each command does, as the rest of a sentence with "while"."""

SHORT = ("distill", "evaluate", "export", "experiment")
"""The commands that are stopped with the other tests; the others stop in the same ways."""

CAMPAIGNS = (
    *(
        Campaign(
            f"stopped-{name}",
            f"signals and kills while {doing}",
            _stopped(name),
            short=int(name in SHORT),
            long=60,
            seconds=900,
        )
        for name, doing in DOING.items()
    ),
    *(
        Campaign(f"unheard-{name}", f"outputs are closed, full or broken while {doing}", _unheard(name), short=int(name in SHORT), long=40)
        for name, doing in DOING.items()
        if not name.startswith("executor")
    ),
    *(
        Campaign(
            f"killed-executor-{name}",
            f"processes that a command has started are killed while {DOING[f'executor-{name}']}",
            _killed(f"executor-{name}"),
            short=0,
            long=60,
        )
        for name in EXECUTORS
    ),
)
