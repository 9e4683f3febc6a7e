"""Results and sets that are read back: kept networks of an evaluation, evaluations, records, distilled sets, files of other code."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from datastill import DistilledSet
from datastill.data import DataSet
from datastill.distilled.formats import export
from datastill.errors import UserError
from datastill.evaluation.ledger import Ledger
from datastill.experiments.record import RECORD, Record
from datastill.experiments.stored import read_record, write_record
from datastill.files import CHECKSUM, sealed
from datastill.report.comparison.reading import read as compare
from datastill.report.summary import show
from faults.campaign import Campaign, Outcome
from faults.known import copied, heard, place, sealed_again
from faults.mutations import DEEP, damaged, odd
from records import record
from tiny_sets import data_set, distilled_set

MATRICES = {"one": torch.tensor([[3, 1], [0, 4]]), "two": torch.tensor([[4, 0], [2, 2]])}
COUNTS = (4, 4)


def written(path: Path, chance: random.Random, *, values: bool, seal: bool = True) -> bool:
    """Damage a JSON file, as bytes or in one of its values; whether the checksum was made right again."""
    content = path.read_bytes()
    if not values:
        path.write_bytes(damaged(content, chance))
        return False
    if chance.random() < 0.02:
        path.write_bytes(b"[" * DEEP)
        return False
    read = json.loads(content)
    whole = isinstance(read, dict)
    changed = odd({key: value for key, value in read.items() if key != CHECKSUM} if whole else read, chance)
    again = seal and isinstance(changed, dict) and chance.random() < 0.5
    path.write_text(json.dumps(sealed(changed) if again else changed))
    return again


def _ledger(*, values: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        path = folder / "kept"
        ledger = Ledger(path)
        for name, matrix in MATRICES.items():
            ledger.keep(name, matrix)
        written(path, random.Random(seed), values=values)
        with heard() as said:
            again = Ledger(path)
            found = {name: again.find(name, COUNTS) for name in MATRICES}
        if any(matrix is not None and not torch.equal(matrix, MATRICES[name]) for name, matrix in found.items()):
            return Outcome.WRONG
        if all(matrix is not None for matrix in found.values()):
            return Outcome.UNCHANGED
        return Outcome.AGAIN if said else Outcome.LOST

    return trial


@cache
def known_record() -> Record:
    """A record whose figures agree."""
    return record(accuracies=(45.0, 55.0), comparisons={"random": (49.0, 51.0)}, curve=((0, 10.0), (5, 20.0)))


def _record(*, values: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        write_record(known_record(), folder)
        again = written(folder / RECORD, random.Random(seed), values=values)
        with heard() as said:
            found = read_record(Record, folder, known_record().cell)
            compare(folder)
        if found == known_record():
            return Outcome.UNCHANGED
        # One without any checksum is of an earlier version, which is told once for each process, and must agree with itself.
        return Outcome.READ if again or said or (found is not None and values) else Outcome.WRONG

    return trial


EVALUATION = {
    "data": "cifar10", "split": "test", "seed": 0, "protocol": {"network": "convnet", "epochs": 5}, "class_names": ["a", "b"], "images": 4,
    "fingerprint": "0123", "labels": "hard", "learning_rate": 0.01, "engine": {"precision": "fp32"}, "accuracies": [45.0, 55.0],
    "comparisons": {"random": {"accuracies": [49.0]}}, "made": {"method": "dm", "iterations": 5},
}  # fmt: skip


def _evaluation(seed: int, folder: Path) -> Outcome:
    path, chance = folder / "e.json", random.Random(seed)
    path.write_text(json.dumps(sealed(EVALUATION), indent=1))
    expected = compare(path)
    again = written(path, chance, values=chance.random() < 0.5)
    found = compare(path)
    return Outcome.UNCHANGED if found == expected else Outcome.READ if again or CHECKSUM not in path.read_text() else Outcome.WRONG


@cache
def saved() -> Path:
    """The folder of a set."""
    return distilled_set().save(place() / "set")


def _set(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        target, chance = copied(saved(), folder / "set"), random.Random(seed)
        path = target / "images.safetensors"
        if forged:
            sealed_again(path, chance)
        else:
            path.write_bytes(damaged(path.read_bytes(), chance))
        found, expected = DistilledSet.load(target), distilled_set()
        equal = torch.equal(found.images, expected.images) and torch.equal(found.labels, expected.labels)
        if equal and found.origin == expected.origin:
            return Outcome.UNCHANGED
        if not forged:
            return Outcome.WRONG
        show(target, None, 4, found)
        export(found, folder / "exported", chance.choice(("folder", "dc", "parquet")))
        return Outcome.READ

    return trial


@cache
def foreign() -> tuple[Path, DataSet]:
    """Files as other code writes them, and the data set that they were distilled from."""
    folder = place() / "foreign"
    folder.mkdir()
    made = distilled_set()
    torch.save({"data": [[made.images.clone(), made.labels.clone()]]}, folder / "res.pt")
    torch.save(made.images.clone(), folder / "images_best.pt")
    torch.save(torch.rand(6, 3), folder / "labels_best.pt")
    torch.save(torch.tensor(0.02), folder / "lr_best.pt")
    np.savez_compressed(folder / "set.npz", images=made.pixels.numpy(), labels=made.labels.numpy())
    np.savez(folder / "plain.npz", x=made.pixels.numpy(), y=made.labels.numpy())
    return folder, data_set()


def _foreign(seed: int, folder: Path) -> Outcome:
    known, data = foreign()
    target, chance = copied(known, folder / "files"), random.Random(seed)
    name = chance.choice(sorted(path.name for path in known.iterdir()))
    (target / name).write_bytes(damaged((target / name).read_bytes(), chance))
    opened = {"labels_best.pt": "images_best.pt", "lr_best.pt": "images_best.pt"}.get(name, name)
    found = DistilledSet.load_foreign(target / opened, data)
    return Outcome.READ if bool(found.images.isfinite().all()) and len(found.images) == len(found.labels) else Outcome.WRONG


def _class_name(seed: int, folder: Path) -> Outcome:
    """A set with a class name of any characters, halves of characters included, is saved, read, shown and exported."""
    chance = random.Random(seed)
    letters = [chr(chance.choice((chance.randrange(0x80), chance.randrange(0xD800, 0xE000), chance.randrange(0x110000)))) for _ in range(5)]
    name = "".join(letters[: chance.randrange(1, 6)]) * chance.choice((1, 1, 100))
    name = json.loads(json.dumps(name))  # two halves that meet are one character
    try:
        made = replace(distilled_set(), origin=replace(distilled_set().origin, class_names=(name, "dog", "ship")))
        found = DistilledSet.load(made.save(folder / "set"))
        show(folder / "set", None, 4, found)
        export(found, folder / "exported", chance.choice(("folder", "dc", "parquet")))
    except UserError:
        return Outcome.REFUSED
    return Outcome.UNCHANGED if found.origin == made.origin else Outcome.WRONG


def every(campaigns: dict[str, Any]) -> tuple[Campaign, ...]:
    """Campaigns by name, each with what is done and the trial."""
    return tuple(Campaign(name, *rest) for name, rest in campaigns.items())


CAMPAIGNS = every({
    "ledger-bytes": ("the kept networks of an evaluation are damaged as bytes", _ledger(values=False)),
    "ledger-values": ("the kept networks of an evaluation have odd values", _ledger(values=True)),
    "record-bytes": ("a record is damaged as bytes", _record(values=False)),
    "record-values": ("a record has odd values, half of them with the right checksum", _record(values=True)),
    "evaluation": ("an evaluation's JSON is damaged, as bytes or with odd values", _evaluation),
    "set-bytes": ("a distilled set is damaged as bytes", _set(forged=False)),
    "set-forged": ("a distilled set has other tensors or text, with the right checksum", _set(forged=True)),
    "foreign-bytes": ("a set made by other code (`.pt`, `.npz`) is damaged as bytes", _foreign, 30),
    "class-names": ("a class is called by any characters, halves of characters included", _class_name, 8),
})  # fmt: skip
