"""What uses of a set keep: the memory of continual learning, searched architectures, attacked networks, embeddings, and their records."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import datastill
from datastill.analysis import Analysis
from datastill.analysis.embedding import Scatter
from datastill.data import DataSet
from datastill.encoders import TrainingRecipe
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments.cell import ContinualCell, EmbeddingCell, PrivacyCell, SearchCell
from datastill.experiments.continual.learning import continual
from datastill.experiments.embeddings.specification import EmbeddingRecord
from datastill.experiments.privacy.inference import GRID, LOSS, RATIO, Attack, membership_inference
from datastill.experiments.privacy.specification import PrivacyRecord
from datastill.experiments.record import RECORD, AnyRecordOf, ContinualRecord, Found, StageRecord
from datastill.experiments.search.ranking import architecture_search
from datastill.experiments.search.specification import SearchRecord
from datastill.experiments.stored import read_record, write_record
from faults.campaign import Campaign, Outcome
from faults.known import copied, heard, place, sealed_again
from faults.mutations import damaged
from faults.results_read import written
from records import MAKER, METHOD

FEW = Protocol("convnet-32x1-relu-avgpool-nonorm", epochs=1)
CHECKED = (".safetensors", ".yaml", ".json", ".jsonl", ".answers")
"""Endings of the files that are read back."""


@cache
def digits() -> DataSet:
    """Four classes of digits."""
    return datastill.load("digits[0-3]")


def _steps(out: Path) -> object:
    found = continual(digits(), method="random", steps=2, ipc=1, repeats=1, protocol=FEW, engine=Engine(), out=out)
    return found.accuracies, found.memory.images.tolist(), found.memory.labels.tolist()


def _search(out: Path) -> object:
    options: dict[str, Any] = {"methods": ("random",), "ipc": 1, "architectures": (FEW.network, "convnet-64x1-relu-avgpool-nonorm")}
    return architecture_search(digits(), **options, real=2, protocol=FEW, engine=Engine(), out=out).accuracies


def _attacks(out: Path) -> object:
    return membership_inference(digits(), method="random", ipc=1, pool=32, models=8, beside=(), protocol=FEW, engine=Engine(), out=out)


USES: dict[str, Callable[[Path], object]] = {"continual": _steps, "search": _search, "privacy": _attacks}
"""What each use comes to, given the folder that it keeps everything in."""


@cache
def done(use: str) -> tuple[Path, object]:
    """The folder of a use that was ended, and what it came to."""
    try:
        return place() / use, USES[use](place() / use)
    except UserError as error:  # it would count as a file that was refused
        raise RuntimeError(str(error)) from error


def _use(use: str) -> Callable[[int, Path], Outcome]:
    """One of the files that a use keeps is damaged, as bytes or with the right checksum, and it is asked for again."""

    def trial(seed: int, folder: Path) -> Outcome:
        known, expected = done(use)
        again, chance = copied(known, folder / use), random.Random(seed)
        path = chance.choice(sorted(path for path in again.rglob("*") if path.suffix in CHECKED))
        forged = path.suffix in (".safetensors", ".answers") and chance.random() < 0.5
        if forged:
            sealed_again(path, chance)
        else:
            path.write_bytes(damaged(path.read_bytes(), chance))
        with heard() as said:
            found = USES[use](again)
        if found != expected:
            return Outcome.READ if forged else Outcome.WRONG
        return Outcome.AGAIN if said else Outcome.UNCHANGED

    return trial


COMMON: Mapping[str, Any] = {
    "data": "digits", "method": "dm", "ipc": 2, "seed": 0, "iterations": 30, "preset": "paper", "settings": (), "protocol": FEW,
    "repeats": 1, "split": "test", "policy": Policy(),
}  # fmt: skip
FOUND: Mapping[str, Any] = {"fingerprint": "0123", "class_names": ("a", "b"), "train": 90, "distilled_by": MAKER, "evaluated_by": MAKER}
HALF = Attack((0.5,) * 8, (0.0,) * 8, (0.5,) * len(GRID))
PLANE = ((0.5, 1.0), (2.0, -1.0))
ANALYSIS = Analysis("resnet18", 90.0, ("a", "b"), Scatter(2.0, 1.0), Scatter(0.5, 1.0), 0.1, None, PLANE, (0, 1), PLANE, (0, 1), {})


@cache
def records() -> tuple[Any, ...]:
    """A record of every use."""
    stage = StageRecord(1, 2, 2, 0.5, Found((50.0,), ((2,),)))
    last = replace(stage, classes=2, images=4, trained_on=4, score=Found((75.0,), ((2, 0), (1, 1))))
    return (
        ContinualRecord(ContinualCell("c/dm", **COMMON, steps=2), **FOUND, method=METHOD, stages=(stage, last), evaluation_epochs=9),
        SearchRecord(
            cell=SearchCell(name="s/dm", **COMMON, architectures=2, widest=32), **FOUND, method=METHOD, images=4,
            accuracies={"one": (40.0,), "other": (50.0,)}, seconds=3.0,
        ),
        PrivacyRecord(
            cell=PrivacyCell(name="p/dm", **COMMON, pool=0, audit=0, models=8), **FOUND, method=METHOD, images=4,
            attacks={LOSS: HALF, RATIO: HALF}, accuracies=(50.0,) * 8, members=9, others=9,
        ),
        EmbeddingRecord(
            cell=EmbeddingCell(name="f/dm", **COMMON, network="resnet18", recipe=TrainingRecipe(), real=2), **FOUND, method=METHOD,
            images=4, analysis=ANALYSIS,
        ),
    )  # fmt: skip


def _record(seed: int, folder: Path) -> Outcome:
    known: AnyRecordOf = records()[seed % len(records())]
    chance = random.Random(seed)
    write_record(known, folder)
    again = written(folder / RECORD, chance, values=chance.random() < 0.7)
    with heard() as said:
        found = read_record(type(known), folder, known.cell)
    if found == known:
        return Outcome.UNCHANGED
    return Outcome.READ if again or said or found is not None else Outcome.WRONG


CAMPAIGNS = (
    Campaign("continual", "a file of the steps of continual learning is damaged", _use("continual"), short=3),
    Campaign("search", "a file of a search for architectures is damaged", _use("search"), short=3),
    Campaign("privacy", "a file of an attack on networks is damaged", _use("privacy"), short=1),
    Campaign("uses-records", "a record of such a use, or of embeddings, is damaged, as bytes or with odd values", _record),
)
