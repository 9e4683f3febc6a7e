"""Commands as processes: stopped by a signal at any moment and then given again, and with outputs that take nothing."""

from __future__ import annotations

import json
import random
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import processes
from datastill.files import load_tensors
from faults.campaign import Campaign, Outcome
from faults.known import place

FULL = "datastill: No space left on device: not everything could be printed; everything else is done\n"
TABLE = """\
title: Mine
data: digits[0-2]
ipc: 1
methods: [random, {method: dm, iterations: 4, settings: {real_batch: 4}}]
protocol: {epochs: 2}
repeats: 1
precision: fp32
compile: false
"""
EXECUTORS = ("local",)
"""Executors that campaigns stop and kill, by their names; others join when they can be started here."""
PATIENCE = 140.0
"""Seconds after which a command hangs: a trial that gives it twice has 300."""
EXACT = ("--precision", "fp32", "--no-compile")


@dataclass(frozen=True)
class Command:
    """A command that leaves something.

    Attributes:
        words: After ``datastill``; it runs in the folder of the trial.
        left: What it came to, of that folder.
        once: What there is when it has done everything, after which it would be refused; "" where it may be given again.
        at_once: Whether all that it leaves appears at one moment.
    """

    words: tuple[object, ...]
    left: Callable[[Path], Any]
    once: str = ""
    at_once: bool = False

    def run(self, folder: Path, **options: Any) -> processes.Done:
        """Run it to its end, or to that of its process.

        Raises:
            RuntimeError: If it hangs; a file that it names says where its processes were.
        """
        (folder / "mine.yaml").write_text(TABLE)
        environment = {"DATASTILL_CACHE": str(folder / "cache")}
        done = processes.run(*self.words, folder=folder, environment=environment, patience=PATIENCE, **options)
        if done.code == -signal.SIGABRT:
            logs = [path.read_text(errors="replace") for path in sorted(folder.rglob("*.log"))]
            with tempfile.NamedTemporaryFile("w", prefix="datastill-hung-", suffix=".txt", delete=False) as kept:
                kept.write("\n\n".join([done.err, *logs]))
            raise RuntimeError(f"hung: see {kept.name}")
        return done


def _run(folder: Path) -> Any:
    return _iterations(folder / "run" / "metrics.jsonl"), (folder / "run" / "distilled" / "images.safetensors").read_bytes()


def _weights(folder: Path) -> Any:
    pool = {path.name: load_tensors(path)[0] for path in (folder / "cache").rglob("*.safetensors")}
    return {file: {name: tensor.tolist() for name, tensor in weights.items()} for file, weights in pool.items()}


def _records(folder: Path) -> Any:
    return {str(path.relative_to(folder)): _timeless(json.loads(path.read_bytes())) for path in sorted(folder.rglob("record.json"))}


def _cells(folder: Path) -> Any:
    """The records, and the iterations of every run, of which none may be missing or there twice."""
    runs = {path.parent.name: _iterations(path) for path in sorted(folder.rglob("metrics.jsonl"))}
    return _records(folder), runs


def _iterations(path: Path) -> list[Any]:
    return [json.loads(line).get("iteration") for line in path.read_text().splitlines()]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(each) for key, each in value.items() if not key.endswith(("seconds", "seconds_per_step", "checksum"))}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _files(name: str, folder: Path) -> Any:
    found = folder / name
    return {str(path.relative_to(folder)): path.read_bytes() for path in [found, *found.rglob("*")] if path.is_file()}


@cache
def chosen() -> Path:
    """A set to evaluate, export and show."""
    processes.run("distill", "digits[0-2]", "--method", "random", "--ipc", "1", "--out", place() / "chosen")
    return place() / "chosen"


@cache
def evaluated() -> Path:
    """An evaluation to compare."""
    words = ("--repeats", "1", "--epochs", "1", "--compare", "none", *EXACT)
    processes.run("evaluate", chosen(), *words, "--out", place() / "e.json")
    return place() / "e.json"


COMMANDS: dict[str, Callable[[], Command]] = {
    "distill": lambda: Command(
        ("distill", "digits[0-2]", "--method", "dm+cm", "--ipc", "2", "--iterations", "12", "--real-batch", "4", *EXACT,
         "--checkpoint-seconds", "0", "--out", "run", "--resume"),
        _run,
    ),
    "evaluate": lambda: Command(
        ("evaluate", chosen(), "--repeats", "3", "--epochs", "4", "--compare", "random", *EXACT, "--out", "e.json"),
        partial(_files, "e.json"),
        at_once=True,
    ),
    "pretrain": lambda: Command(
        ("pretrain", "digits[0-2]", "--network", "convnet", "--count", "2", "--epochs", "2", *EXACT), _weights
    ),
    "export": lambda: Command(("export", chosen(), "out", "--format", "folder"), partial(_files, "out"), once="out", at_once=True),
    "show": lambda: Command(("show", chosen(), "--out", "picture.png"), partial(_files, "picture.png"), at_once=True),
    "compare": lambda: Command(("compare", evaluated(), "--out", "table.csv"), partial(_files, "table.csv"), at_once=True),
    "experiment": lambda: Command(("experiment", "mine.yaml"), _records),
    **{
        f"executor-{name}": partial(Command, ("experiment", "mine.yaml", "--executor", name, "--workers", "2"), _cells)
        for name in EXECUTORS
    },
}  # fmt: skip
"""By name."""


@cache
def whole(name: str) -> tuple[Any, float]:
    """What a command comes to, and the seconds that it takes."""
    folder, command = place() / f"whole-{name}", COMMANDS[name]()
    folder.mkdir()
    done = command.run(folder)
    if done.code:
        raise RuntimeError(f"{name} ended with {done.code}: {done.err}")
    return command.left(folder), done.seconds


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
    "experiment": "an experiment runs",
    **{f"executor-{name}": f"an experiment runs in two processes (`{name}`)" for name in EXECUTORS},
}
"""What each command does, as the rest of a sentence with "while"."""

CAMPAIGNS = (
    *(
        Campaign(
            f"stopped-{name}",
            f"signals and kills while {doing}",
            _stopped(name),
            short=int(not name.startswith("executor")),
            long=60,
            seconds=900,
        )
        for name, doing in DOING.items()
    ),
    *(
        Campaign(f"unheard-{name}", f"outputs are closed, full or broken while {doing}", _unheard(name), short=1, long=40)
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
