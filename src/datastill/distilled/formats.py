"""Distilled sets for other programs: image folder, the tensor file of the DC code, the hub's layout."""

from __future__ import annotations

import os
from pathlib import Path

from datastill.data import DataSet
from datastill.data.split_folder import write_split
from datastill.distilled.card import percent
from datastill.distilled.folder import DistilledSet
from datastill.distilled.image_folder import write_folder
from datastill.distilled.set import SyntheticImages
from datastill.distilled.tensor_file import write_dc
from datastill.errors import UserError, unknown
from datastill.logs import logger

log = logger(__name__)


def export(distilled: DistilledSet | DataSet, target: Path | str, format: str = "folder", *, split: str | None = None) -> Path:
    """Write a distilled set, or a split of a data set, for another program.

    Args:
        distilled: The set; or a data set, of which `split` is written as a folder, with a manifest of the images of all splits.
        target: A folder for "folder" and "parquet", a file for "dc"; must not exist yet. It is there as a whole or not at all.
        format: "folder" for torchvision's ImageFolder (``CLASS/0000.png``, 8 bits), "dc" for the float tensor file
            ``{'data': [[images, labels]]}`` that the published DC and DM evaluators read, "parquet" for the Hugging Face hub. The first two
            go to programs that know nothing about parts: there every part of a partitioned image is a separate image, enlarged.
            Soft labels and learned numbers go as far as the format can carry them; one line says what is left out, another what 8 bits
            lose of the images of a "folder".
        split: "train", "validation" or "test" of a data set; None for a distilled set.

    Returns:
        What was written.

    Raises:
        UserError: If the format is unknown, the target exists or cannot be written, or a split is asked for of a set.
    """
    target = Path(target)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if isinstance(distilled, DataSet) == (split is None):
        raise UserError("`split` says which part of a data set is exported; a distilled set has no splits")
    if split is not None and format != "folder":
        raise UserError(f"a split is exported as a folder of images, not with `format={format}`")
    if os.path.lexists(target):
        raise UserError(f"{target} already exists; choose another place or remove it first")
    if isinstance(distilled, DataSet):
        write_split(distilled, str(split), target)
    else:
        FORMATS[format](distilled, target)
    return target


def _write_folder(distilled: SyntheticImages, target: Path) -> None:
    plain = distilled.of_parts()
    write_folder(plain, target)
    if plain.clipped:
        log.warning(
            "8-bit images cannot hold %s of the values of this set: these are clipped, which changes a value by %.2f standard deviations "
            "(root mean square). `datastill evaluate` scores both. To lose nothing, use `format=dc` or `format=parquet`, which keep the "
            "floats, or distil with `pixels=box`",
            percent(plain.clipped),
            plain.loss_of_rendering,
        )


def _write_dc(distilled: SyntheticImages, target: Path) -> None:
    write_dc(distilled.of_parts(), target)


def _write_hub(distilled: DistilledSet, target: Path) -> None:
    distilled.save(target)  # a distilled folder has the hub's layout, and the card speaks of all of its files


FORMATS = {"folder": _write_folder, "dc": _write_dc, "parquet": _write_hub}
"""Every export format by name."""
