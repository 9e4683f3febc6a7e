"""Sets that are kept beside their results, in few bytes, and sets with learned labels and numbers: damaged and read back."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

from datastill import DistilledSet
from datastill.distilled import export
from datastill.distilled.packed import FORMS
from datastill.report.summary import show
from faults.caches_read import damage
from faults.campaign import Campaign, Outcome
from faults.known import copied, place, same
from tiny_sets import distilled_set, soft_set

KINDS = ("probabilities", "logits", "scores")
"""What learned labels may be."""


@cache
def kept(seed: int) -> tuple[Path, DistilledSet]:
    """A folder with the one file of a set, and what is read from it: packed in every form, with labels and numbers of every kind."""
    kind = (*KINDS, "")[seed % (1 + len(KINDS))]
    made = soft_set(kind, learning_rate=0.02) if kind else distilled_set()
    form = (*FORMS, "")[seed % (1 + len(FORMS))]
    folder = place() / f"kept-{seed}"
    folder.mkdir()
    if form:
        made.pack(folder / "images.safetensors", form)
    else:
        made.save(folder / "set")
    return folder, DistilledSet.load(folder if form else folder / "set")


def _set(*, forged: bool) -> Callable[[int, Path], Outcome]:
    def trial(seed: int, folder: Path) -> Outcome:
        known, expected = kept(seed % 12)
        (path,) = copied(known, folder / "kept").rglob("images.safetensors")
        chance = random.Random(seed)
        damage(path, chance, forged=forged)
        found = DistilledSet.load(path)
        equal = same(found.canvas.tensors() | {"labels": found.labels}, expected.canvas.tensors() | {"labels": expected.labels})
        if equal and (found.origin, found.label_kind) == (expected.origin, expected.label_kind):
            return Outcome.UNCHANGED
        if not forged:
            return Outcome.WRONG
        show(path, folder / "picture.png", 4, found)
        export(found, folder / "exported", chance.choice(("folder", "dc", "parquet")))
        return Outcome.READ

    return trial


CAMPAIGNS = (
    Campaign("kept-bytes", "a packed set, or one with learned labels and numbers, is damaged as bytes", _set(forged=False)),
    Campaign(
        "kept-forged", "a packed set, or one with learned labels and numbers, has other tensors or text, with the right checksum",
        _set(forged=True),
    ),
)  # fmt: skip
