"""Distilled sets for other programs: image folder, the tensor file of the DC code, the hub's layout."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from datastill.distilled.card import percent
from datastill.distilled.folder import DistilledSet
from datastill.distilled.image_folder import write_folder
from datastill.distilled.set import SyntheticImages
from datastill.distilled.tensor_file import write_dc
from datastill.errors import UserError, unknown

log = logging.getLogger(__name__)


def export(distilled: DistilledSet, target: Path | str, format: str = "folder") -> Path:
    """Write a distilled set for another program.

    Args:
        distilled: The set.
        target: A folder for "folder" and "parquet", a file for "dc"; must not exist yet. It is there as a whole or not at all.
        format: "folder" for torchvision's ImageFolder (``CLASS/0000.png``, 8 bits), "dc" for the float tensor file
            ``{'data': [[images, labels]]}`` that the published DC and DM evaluators read, "parquet" for the Hugging Face hub. The first two
            go to programs that know nothing about parts: there every part of a partitioned image is a separate image, enlarged.
            Soft labels and learned numbers go as far as the format can carry them; one line says what is left out, another what 8 bits
            lose of the images of a "folder".

    Returns:
        What was written.

    Raises:
        UserError: If the format is unknown, the target exists or cannot be written.
    """
    target = Path(target)
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if os.path.lexists(target):
        raise UserError(f"{target} already exists; choose another place or remove it first")
    FORMATS[format](distilled, target)
    return target


def _write_folder(distilled: SyntheticImages, target: Path) -> None:
    plain = distilled.of_parts()
    write_folder(plain, target)
    if plain.clipped:
        log.warning(
            "8-bit images cannot hold %s of the values of this set: these are clipped, which changes a value by %.2f standard deviations "
            "(root mean square). `datastill evaluate` scores both. To lose nothing, use `format=dc` or `format=parquet`, whose floats are "
            "whole, or distil with `pixels=box`",
            percent(plain.clipped),
            plain.loss_of_rendering,
        )


def _write_dc(distilled: SyntheticImages, target: Path) -> None:
    write_dc(distilled.of_parts(), target)


def _write_hub(distilled: DistilledSet, target: Path) -> None:
    distilled.save(target)  # a distilled folder has the hub's layout, and the card speaks of all of its files


FORMATS = {"folder": _write_folder, "dc": _write_dc, "parquet": _write_hub}
"""Every export format by name."""
