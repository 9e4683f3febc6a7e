"""A run's folder with one damaged file is continued: to the same bits, or not at all."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from datastill.errors import UserError
from datastill.files import CHECKSUM, sealed
from datastill.report.comparison.reading import read as compare
from datastill.report.summary import show
from datastill.runs import Run
from datastill.runs.plan import Plan
from faults.campaign import Campaign, Outcome
from faults.known import MORE, copied, distil, heard, sealed_again, stopped, straight
from faults.mutations import DEEP, damaged, odd

Damage = Callable[[Path, random.Random], None]


def newest(folder: Path) -> Path:
    """The newest checkpoint of a run."""
    return max((folder / "checkpoint").iterdir())


def figures(folder: Path) -> list[dict[str, Any]]:
    """A run's metrics, but for what the clock said."""
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in Run(folder).metrics()]


def _continued(name: str, damage: Damage, *, forged: bool = False) -> Callable[[int, Path], Outcome]:
    """A trial that damages a file and continues the run.

    Args:
        name: Of the file, in the folder of the run; "" for the newest checkpoint.
        damage: What is done to it.
        forged: Whether other tensors have the right checksum, so that other values of them are valid.
    """

    def trial(seed: int, folder: Path) -> Outcome:
        run = copied(stopped(), folder / "run")
        before = figures(run)
        damage(run / name if name else newest(run), random.Random(seed))
        with heard() as said:
            images = distil(run, MORE, resume=True).images
        if not torch.equal(images, straight()):
            return Outcome.READ if forged and images.shape == straight().shape and bool(images.isfinite().all()) else Outcome.WRONG
        if figures(run)[: len(before)] != before and not said:
            return Outcome.LOST
        return Outcome.AGAIN if said else Outcome.RESUMED

    return trial


def as_bytes(path: Path, chance: random.Random) -> None:
    """Any damage of bytes."""
    path.write_bytes(damaged(path.read_bytes(), chance))


def a_bit(path: Path, chance: random.Random) -> None:
    """A bit is flipped."""
    path.write_bytes(damaged(path.read_bytes(), chance, ["flipped"]))


def as_values(path: Path, chance: random.Random) -> None:
    """A value of a configuration is changed; half of them with the right checksum."""
    content = yaml.safe_load(path.read_text())
    changed = odd({key: value for key, value in content.items() if key != CHECKSUM}, chance)
    seal = isinstance(changed, dict) and chance.random() < 0.5
    path.write_text(yaml.safe_dump(sealed(changed) if seal else changed), errors="backslashreplace")


LINES = (
    "", "[" * DEEP, "{}", "3", "null", '{"iteration": 2, "loss": "x"}', '{"iteration": -9}', '{"iteration": 1e400}', "\x00" * 9, "\ud800",
)  # fmt: skip
"""Lines that a reader does not expect."""


def as_lines(path: Path, chance: random.Random) -> None:
    """A line of a file becomes another one."""
    lines = path.read_text().splitlines()
    place = chance.randrange(len(lines))
    lines[place] = chance.choice((*LINES, lines[place][:-9]))
    path.write_text("\n".join(lines) + "\n", errors="surrogatepass")


def _looked_at(seed: int, folder: Path) -> Outcome:
    """A damaged configuration or metrics are looked at by the commands that only read."""
    run, chance = copied(stopped(), folder / "run"), random.Random(seed)
    name, damage = chance.choice(
        (("config.yaml", as_values), ("config.yaml", as_bytes), ("metrics.jsonl", as_lines), ("metrics.jsonl", as_bytes))
    )
    damage(run / name, chance)
    refused = 0
    for look in (lambda: show(run, None, 4), lambda: compare(run), lambda: Plan.read(run), lambda: Run(run).commits()):
        try:
            look()
        except UserError as error:
            if "\n" in str(error):
                raise
            refused += 1
    return Outcome.REFUSED if refused else Outcome.READ


CAMPAIGNS = (
    Campaign("checkpoint-bits", "a bit of a run's newest checkpoint is flipped", _continued("", a_bit), short=6),
    Campaign(
        "checkpoint-bytes",
        "a run's newest checkpoint is truncated, or its blocks are zero, missing or twice",
        _continued("", as_bytes),
        short=6,
    ),
    Campaign(
        "checkpoint-forged",
        "a checkpoint has other tensors or text, with the right checksum",
        _continued("", sealed_again, forged=True),
        short=8,
    ),
    Campaign("config-bytes", "a run's `config.yaml` is damaged as bytes", _continued("config.yaml", as_bytes), short=6),
    Campaign(
        "config-values",
        "a run's `config.yaml` has odd values, half of them with the right checksum",
        _continued("config.yaml", as_values),
        short=8,
    ),
    Campaign("metrics-bytes", "a run's `metrics.jsonl` is damaged as bytes", _continued("metrics.jsonl", as_bytes), short=6),
    Campaign("metrics-lines", "a run's `metrics.jsonl` has an odd line", _continued("metrics.jsonl", as_lines), short=6),
    Campaign("run-looked-at", "`show`, `compare` and `--config` read a damaged run", _looked_at),
)
