"""Commands that leave something, each with what it must come to."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import processes
from datastill.files import load_tensors
from faults.known import place

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


def records(folder: Path) -> Any:
    return {str(path.relative_to(folder)): _timeless(json.loads(path.read_bytes())) for path in sorted(folder.rglob("record.json"))}


def _cells(folder: Path) -> Any:
    """The records, and the iterations of every run, of which none may be missing or there twice."""
    runs = {path.parent.name: _iterations(path) for path in sorted(folder.rglob("metrics.jsonl"))}
    return records(folder), runs


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


@cache
def ran() -> Path:
    """A run to report."""
    words = ("--method", "dm", "--ipc", "1", "--iterations", "2", "--real-batch", "4", *EXACT)
    processes.run("distill", "digits[0-2]", *words, "--out", place() / "ran")
    return place() / "ran"


@cache
def results() -> Path:
    """Results to make a site of."""
    (place() / "made").mkdir()
    (place() / "made" / "mine.yaml").write_text(TABLE)
    processes.run("experiment", "mine.yaml", folder=place() / "made")
    return place() / "made" / "results"


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
    "robust": lambda: Command(
        ("evaluate", chosen(), "--repeats", "2", "--epochs", "3", "--robust", "--real-accuracy", "90", *EXACT, "--out", "e.json"),
        partial(_files, "e.json"),
        at_once=True,
    ),
    "snapshots": lambda: Command(
        ("pretrain", "digits[0-2]", "--network", "convnet", "--count", "2", "--epochs", "2", "--snapshots", *EXACT), _weights
    ),
    "report": lambda: Command(("report", ran(), "--quick", "--out", "page.html"), partial(_files, "page.html"), at_once=True),
    "site": lambda: Command(("site", results(), "--out", "site"), partial(_files, "site"), at_once=True),
    "experiment": lambda: Command(("experiment", "mine.yaml"), records),
    "budget": lambda: Command(("experiment", "mine.yaml", "--budget", "1h"), records),
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
