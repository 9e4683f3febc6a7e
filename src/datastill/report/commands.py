"""The commands that repeat a cell of a table without its specification."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields

from datastill.evaluation import PROTOCOLS, Protocol
from datastill.experiments import Cell, Record
from datastill.experiments.record import Maker

OF_THEIR_OWN = ("network", "epochs", "augment", "learned_rate", "called")
"""Fields of a protocol that `datastill evaluate` has options for."""


def commands(record: Record, cell: Cell) -> str:
    """What to type to distil and evaluate the set of a record; a set that is kept is evaluated as it is kept.

    Args:
        record: It says in which precision, and with how many networks.
        cell: What the specification says of it.
    """
    return f"{shlex.join(_distil(cell, record.distilled_by))} && {shlex.join(_evaluate(cell, record))}"


def _distil(cell: Cell, maker: Maker) -> list[str]:
    words = ["datastill", "distill", cell.data, "--method", cell.method, "--ipc", str(cell.ipc), "--seed", str(cell.seed)]
    words += ["--iterations", str(cell.iterations)] if cell.iterations else []  # none where the method takes a fixed number of steps
    words += ["--preset", cell.preset] if cell.preset != "paper" else []
    words += [word for setting in cell.settings for word in ("--set", setting)]
    if cell.validate_at:
        points = ",".join(map(str, cell.validate_at))
        words += ["--validate-at", points, "--validation-epochs", str(cell.validation_epochs)]
    return [*words, *_engine(maker), "--out", f"runs/{cell.run}"]


def _evaluate(cell: Cell, record: Record) -> list[str]:
    words = ["datastill", "evaluate", f"results/{cell.name}" if record.packed else f"runs/{cell.run}"]
    words += measured(cell.protocol, record.evaluation_epochs, record.cell.repeats, cell.seed, cell.split, cell.compare)
    return [*words, *_engine(record.evaluated_by)]


def experiment(name: str, only: str) -> str:
    """What to type to run some cells of an experiment again, into folders of their own, as those that have a record are not run again.

    Args:
        name: Of the experiment, or of a rehearsal of it.
        only: Which cells.

    Example:
        >>> experiment("figure7-scale0.1", "steps=5,method=dm,seed=0")
        'datastill experiment figure7 --scale 0.1 --only steps=5,method=dm,seed=0 --results repeated --runs repeated/runs'
    """
    own, _, scale = name.rpartition("-scale") if "-scale" in name else (name, "", "")
    words = [own, *(["--scale", scale] if scale else []), "--only", only, "--results", "repeated", "--runs", "repeated/runs"]
    return f"datastill experiment {' '.join(words)}"


def measured(protocol: Protocol, epochs: int, repeats: int, seed: int, split: str, compare: Sequence[str]) -> list[str]:
    """The options of `datastill evaluate` that say how a set was evaluated.

    Args:
        protocol: How networks are trained.
        epochs: Of those networks.
        repeats: How many.
        seed: Of them.
        split: What they are tested on.
        compare: What else is trained on.

    Example:
        >>> " ".join(measured(Protocol(batch=64), 1000, 5, 0, "test", ()))
        '--network convnet --epochs 1000 --repeats 5 --seed 0 --split test --compare none --set batch=64'
    """
    usual = PROTOCOLS[protocol.called]
    words = ["--network", protocol.network, *([] if protocol.called == "dd" else ["--epochs", str(epochs)])]
    words += ["--repeats", str(repeats), "--seed", str(seed), "--split", split, "--compare", ",".join(compare) or "none"]
    words += [] if protocol.called == Protocol().called else ["--protocol", protocol.called]
    if protocol.called == "dd":  # the set says the rest
        return words
    words += [] if protocol.augment else ["--no-augment"]
    words += [] if protocol.learned_rate else ["--no-learned-rate"]
    others = (entry.name for entry in fields(protocol) if entry.name not in OF_THEIR_OWN)
    changed = {name: getattr(protocol, name) for name in others if getattr(protocol, name) != getattr(usual, name)}
    return words + [word for name, value in changed.items() for word in ("--set", f"{name}={value}")]


def _engine(maker: Maker) -> list[str]:
    """Nothing for what was not recorded."""
    precision = ["--precision", maker.precision] if maker.precision else []
    return precision if maker.compiled is None else [*precision, "--compile" if maker.compiled else "--no-compile"]
