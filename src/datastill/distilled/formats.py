"""Distilled sets for other programs: image folder, the tensor file of the DC code, the hub's layout."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path

from datastill.distilled.folder import DistilledSet
from datastill.distilled.hub import png
from datastill.distilled.set import SyntheticImages
from datastill.distilled.tensor_file import write_dc
from datastill.errors import UserError, unknown
from datastill.files import new_folder, write_atomic
from datastill.labels import HARD

log = logging.getLogger(__name__)

LABELS = "labels.json"
"""Soft labels and learned numbers beside the folders of the classes."""
LONGEST_NAME = 50
"""Characters of a class's name that its folder keeps: file systems take 255 bytes."""


def export(distilled: DistilledSet, target: Path | str, format: str) -> Path:
    """Write a distilled set for another program.

    Args:
        distilled: The set.
        target: A folder for "folder" and "parquet", a file for "dc"; must not exist yet.
        format: "folder" for torchvision's ImageFolder (``CLASS/0000.png``, 8 bits), "dc" for the float tensor file
            ``{'data': [[images, labels]]}`` that the published DC and DM evaluators read, "parquet" for the Hugging Face hub. The first two
            go to programs that know nothing about parts: there every part of a partitioned image is a separate image, enlarged.
            Soft labels and learned numbers go as far as the format can carry them; one line says what is left out.

    Returns:
        What was written.

    Raises:
        UserError: If the format is unknown, the target exists, or it cannot be written; then there is no target, not even a part of it.
    """
    target = Path(target)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if os.path.lexists(target):
        raise UserError(f"{target} already exists; choose another place or remove it first")
    FORMATS[format](distilled if format == "parquet" else distilled.of_parts(), target)
    return target


def write_folder(distilled: SyntheticImages, target: Path) -> None:
    """Write ``CLASS/0000.png`` so that torchvision's ImageFolder reads the same labels: its sorted names keep the classes' order.

    An image with a soft label is in the folder of the class with the largest value; ``labels.json`` beside the folders has every value.

    Raises:
        UserError: If a class has no image: ImageFolder refuses an empty folder, and without it would number the others differently.
    """
    class_names = distilled.origin.class_names
    if empty := [name for name, rows in zip(class_names, distilled.rows_by_class(), strict=True) if not rows]:
        raise UserError(
            f"the set has no image of the class '{empty[0]}', which ImageFolder cannot read; export it with --format dc or parquet"
        )
    soft: dict[str, list[float]] = {}
    with new_folder(target) as built:
        for name, rows in zip(folder_names(class_names), distilled.rows_by_class(), strict=True):
            for number, row in enumerate(rows):
                write_atomic(built / name / f"{number:04d}.png", png(distilled.pixel_array(row)))
                if distilled.track != HARD:
                    soft[f"{name}/{number:04d}.png"] = distilled.labels[row].tolist()
        if soft or distilled.numbers:
            kind = {"kind": distilled.label_kind, "class_names": list(class_names)}
            write_atomic(built / LABELS, json.dumps({**kind, "numbers": dict(distilled.numbers), "labels": soft}, indent=1) + "\n")
    if soft or distilled.numbers:
        log.warning("ImageFolder reads one class per image; soft labels and learned numbers are only in %s", target / LABELS)


def folder_names(class_names: tuple[str, ...]) -> list[str]:
    """Folder names that sort like the classes: the names themselves where they do and every file system keeps them, numbered otherwise.

    Example:
        >>> folder_names(("cat", "dog")), folder_names(("ship", "a/b"))
        (['cat', 'dog'], ['0_ship', '1_a_b'])
    """
    safe = [re.sub(r"[^\w .()-]", "_", name)[:LONGEST_NAME].strip(" .") or "_" for name in class_names]
    distinct = len({name.casefold() for name in safe}) == len(safe)
    if distinct and safe == sorted(safe) and safe == list(class_names):
        return safe
    digits = len(str(len(safe) - 1))
    return [f"{label:0{digits}d}_{name}" for label, name in enumerate(safe)]


def _write_hub(distilled: DistilledSet, target: Path) -> None:
    distilled.save(target)  # a distilled folder has the hub's layout, and the card speaks of all of its files


FORMATS = {"folder": write_folder, "dc": write_dc, "parquet": _write_hub}
"""Every export format by name."""
