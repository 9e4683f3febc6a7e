"""What the campaigns do to real work: small runs, teachers, evaluations and exports, each with what it must come to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from datastill.data import DataSet
from datastill.distilled import export
from datastill.encoders import TrainingRecipe, pretrain
from datastill.engine import Engine
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate
from datastill.files import load_tensors
from datastill.kinds import Method
from datastill.runs import Run
from datastill.runs.distill import distill
from small_methods import small
from tiny_sets import data_set, distilled_set

RECIPE = TrainingRecipe(epochs=3, batch=16, learning_rate=0.01)
ITERATIONS = 6


@dataclass(frozen=True)
class Work:
    """Something that is written.

    Attributes:
        doing: What it is, as the rest of a sentence with "while".
        do: Does it in a folder, or continues it, and returns what it came to; must be called again after a fault.
        intact: Raises if something that was complete in the folder cannot be read any more.
    """

    doing: str
    do: Callable[[Path], bytes]
    intact: Callable[[Path], None]


@cache
def data() -> DataSet:
    """What is worked on."""
    return data_set((8, 8, 8))


@cache
def method() -> Method:
    """How it is distilled."""
    return small("dm")


def run(folder: Path) -> bytes:
    """Distil, or continue, and return the set's bytes."""
    distill(data(), method=method(), ipc=2, iterations=ITERATIONS, out=folder / "run", resume=True, checkpoint_seconds=0)
    entries = Run(folder / "run").metrics()
    if [entry["iteration"] for entry in entries] != list(range(1, ITERATIONS + 1)):
        raise RuntimeError(f"the metrics are of the iterations {[entry['iteration'] for entry in entries]}")
    return (folder / "run" / "distilled" / "images.safetensors").read_bytes()


def teachers(folder: Path) -> bytes:
    """Train a pool, or what is missing of it, and return its weights."""
    pool = pretrain(data(), "convnet", 2, RECIPE, Engine(), cache=folder)
    return b"".join(_weights(member.path) for member in pool)


def evaluation(folder: Path) -> bytes:
    """Evaluate, or continue, and return the figures."""
    found = evaluate(
        distilled_set(), data=data(), repeats=2, compare=("random",), protocol=Protocol(epochs=1), engine=Engine(), keep=folder / "kept"
    )
    return json.dumps(found.describe(), sort_keys=True).encode()


def exported(format: str) -> Callable[[Path], bytes]:
    """Export, unless it was done, and return the names and bytes of all files."""

    def do(folder: Path) -> bytes:
        target = folder / "exported"
        if not target.exists():
            export(distilled_set(), target, format)
        files = [target] if target.is_file() else sorted(path for path in target.rglob("*") if path.is_file())
        return b"".join(str(path.relative_to(target)).encode() + path.read_bytes() for path in files)

    return do


def _weights(path: Path) -> bytes:
    tensors, _ = load_tensors(path)
    return b"".join(name.encode() + tensor.contiguous().numpy().tobytes() for name, tensor in sorted(tensors.items()))


def _readable(folder: Path) -> None:
    """Every file of tensors is whole, under whatever name, and nothing that is being written is in its place."""
    for path in folder.rglob("*.safetensors"):
        load_tensors(path)


def _run_readable(folder: Path) -> None:
    _readable(folder)
    if (folder / "run").exists():
        Run(folder / "run").config()


WORKS = {
    "run": Work("a run is distilled", run, _run_readable),
    "teachers": Work("networks are pretrained", teachers, _readable),
    "evaluation": Work("a set is evaluated", evaluation, _readable),
    **{f"export-{name}": Work(f"a set is exported as {name}", exported(name), _readable) for name in ("folder", "dc", "parquet")},
}
"""By name."""


@cache
def expected(name: str) -> bytes:
    """What a work comes to without faults."""
    with tempfile.TemporaryDirectory(prefix="datastill-fault-") as folder:
        return WORKS[name].do(Path(folder))
