"""The commands that repeat a cell of a table without its specification."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from datastill.configuration import flat, left_out, paths, value_at
from datastill.data import CATALOGUE, known_size, parse
from datastill.evaluation import PROTOCOLS, Protocol
from datastill.experiments import Cell, Record
from datastill.experiments.application import ApplicationRecord
from datastill.experiments.policy import makers
from datastill.experiments.record import AnyRecordOf, Maker, TeacherRecord
from datastill.kinds import Method
from datastill.methods.grammar import compose
from datastill.setting import SMALL, Lookup, Setting

OF_THEIR_OWN = ("network", "epochs", "augment", "learned_rate", "called")
"""Fields of a protocol that `datastill evaluate` has options for."""


def commands(record: Record, cell: Cell) -> str:
    """What to type to distil and evaluate the set of a record; a set that is kept is evaluated as it is kept.

    Args:
        record: It says in which precision, and with how many networks.
        cell: What the specification says of it.
    """
    return f"{shlex.join(_distil(cell, record))} && {shlex.join(_evaluate(cell, record))}"


def _distil(cell: Cell, record: Record) -> list[str]:
    words = ["datastill", "distill", cell.data, "--method", cell.method, "--ipc", str(cell.ipc), "--seed", str(cell.seed)]
    words += ["--iterations", str(cell.iterations)] if cell.iterations else []  # none where the method takes a fixed number of steps
    words += ["--preset", cell.preset] if cell.preset != "paper" else []
    words += [word for setting in (*cell.settings, *_pinned(cell, record)) for word in ("--set", setting)]
    if cell.validate_at:
        points = ",".join(map(str, cell.validate_at))
        words += ["--validate-at", points, "--validation-epochs", str(cell.validation_epochs)]
    return [*words, *_engine(record.distilled_by), "--out", f"runs/{cell.run}"]


def _pinned(cell: Cell, record: Record) -> list[str]:
    """Settings for the values that `datastill distill` looks up otherwise than the record has them.

    It goes by the size of the images, which the tables of before know nothing of, and a published value may have changed since.
    """
    source, _, _ = parse(cell.data)
    sides: list[int | None] = [min(size) if (size := known_size(cell.data)) else None]
    if sides == [None] and CATALOGUE[source].path != "never":  # of one's own images, of any size
        sides.append(SMALL - 1)
    differing = dict[str, Any]()
    for side in sides:
        composed = compose(Lookup(cell.method, Setting(source, len(record.class_names), cell.ipc, cell.preset, side), cell.settings))
        for path, used in _recorded(record, composed).items():
            value = value_at(composed, path)
            if used != (list(value) if isinstance(value, tuple) else value):
                differing[path] = used
    return [f"{path}={_text(value)}" for path, value in differing.items()]


def _recorded(record: Record, composed: Method) -> dict[str, Any]:
    """What a record has at the paths of a method; a field that is added later has its default where the record is from before."""
    found, described = dict[str, Any](), flat(record.method)
    values = {path.removeprefix("terms.").removeprefix("encoders."): value for path, value in described.items()}
    for path in paths(composed) if values else ():
        owner, _, name = path.rpartition(".")
        usual = left_out(type(value_at(composed, owner) if owner else composed))
        if path in values or name in usual:
            found[path] = values.get(path, usual.get(name))
    return found


def _text(value: Any) -> str:
    """As a setting is written.

    Example:
        >>> _text(True), _text([1, 2]), _text(0.5), _text(None)
        ('yes', '1,2', '0.5', 'none')
    """
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else str(value)


def _evaluate(cell: Cell, record: Record) -> list[str]:
    words = ["datastill", "evaluate", f"results/{cell.name}" if record.packed else f"runs/{cell.run}"]
    words += measured(cell.protocol, record.evaluation_epochs, record.cell.repeats, cell.seed, cell.split, cell.compare)
    return [*words, *_engine(record.evaluated_by)]


def experiment(name: str, records: Sequence[AnyRecordOf | ApplicationRecord], repeats: int | None = None) -> str:
    """What to type to run some cells of an experiment again, into folders of their own, as those that have a record are not run again.

    Args:
        name: Of the experiment, or of a rehearsal of it.
        records: Of the cells.
        repeats: The networks of each that it asks for; if there are fewer, their number is given.
    """
    own, _, scale = name.rpartition("-scale") if "-scale" in name else (name, "", "")
    words = ["datastill", "experiment", own, *(["--scale", scale] if scale else [])]
    words += ["--only", ",".join(record.cell.name.removeprefix(f"{name}/") for record in records)]
    fewest = min((record.cell.repeats for record in records if not isinstance(record, TeacherRecord)), default=repeats)
    words += [] if fewest == repeats else ["--repeats", str(fewest)]
    words += _engine(makers(records[0])[-1])
    return shlex.join([*words, "--results", "repeated", "--runs", "repeated/runs"])


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
