"""A split of a data set as an image folder for other programs, with a manifest of which images are in which split."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

import torch

from datastill.data.catalogue import parse
from datastill.data.data_set import DataSet
from datastill.data.image_folder import folder_names, write_image, write_normalisation
from datastill.data.images import ClassImages
from datastill.data.naming import public_name
from datastill.data.sources import Sources
from datastill.errors import UserError
from datastill.files import new_folder, write_atomic
from datastill.text import code, counted

MANIFEST = "manifest.csv"
"""Every image of the data set: its split, its class, what it is called in the source, and its file if it is in this folder."""
BLOCK = 1024
"""Images that are read at a time."""


def write_split(data: DataSet, name: str, target: Path) -> None:
    """Write the images of a split as ``CLASS/000000.png``, the manifest of all splits, mean and standard deviation, and a README.

    Args:
        data: The data set.
        name: "train", "validation" or "test".
        target: A folder, which must not exist yet.

    Raises:
        UserError: If there is no such split, a class has no image in it, or the folder cannot be written.
    """
    split, folders = data.split(name), folder_names(data.class_names)
    if not all(split.counts):
        empty = data.class_names[split.counts.index(0)]
        raise UserError(f"the {name} split of {data.name} has no image of the class '{empty}', which ImageFolder cannot read")
    files = [f"{folders[label]}/{number:06d}.png" for label, count in enumerate(split.counts) for number in range(count)]
    with new_folder(target) as built:
        for block in torch.split(torch.arange(len(split)), BLOCK):
            for position, pixels in zip(block.tolist(), split.gather(block), strict=True):
                write_image(pixels, built / files[position])
        constants = write_normalisation(data.normalisation, built)
        write_atomic(built / MANIFEST, _manifest(data, name, files).encode(errors="backslashreplace"))
        write_atomic(built / "README.md", _page(data, name, constants))


def _manifest(data: DataSet, exported: str, files: list[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["split", "class", "source", "file"])
    root = _root(data.name)
    for name, split in data.splits.items():
        for position, (label, source) in enumerate(zip(split.labels.tolist(), _sources(split), strict=True)):
            file = files[position] if name == exported else ""
            writer.writerow([name, data.class_names[label], source.replace(root, "") if root else source, file])
    writer.writerows(["skipped", "", source.replace(root, "") if root else source, ""] for source in data.skipped)
    return buffer.getvalue()


def _sources(split: ClassImages) -> Iterator[str]:
    named = split.sources or Sources(torch.arange(len(split.storage)))
    for block in torch.split(split.rows, BLOCK):
        yield from named.of(block)


def _root(name: str) -> str:
    """The folder that a data set's name has, with the separator: where it lies on one machine stays private. Empty if there is none."""
    try:
        path = parse(name)[1]
    except UserError:  # an object that a program held
        return ""
    return "" if path is None else f"{path}{os.sep}"


def _page(data: DataSet, name: str, constants: str) -> str:
    split = data.split(name)
    height, width = data.size
    why = {
        "train": "It is what is distilled.",
        "validation": "It is held out of the training split, for every choice that is made.",
        "test": "No choice is made on it.",
    }[name]
    lines = [
        f"# The {name} split of {code(public_name(data.name))}",
        "",
        f"{len(split)} real images of {data.classes} classes, {width}x{height} pixels, {counted(data.channels, 'channel')}, "
        f"one folder per class (fingerprint of the training split: {code(data.fingerprint)}). {why}",
        "",
        f"{constants} `{MANIFEST}` names every image of the "
        "data set with its split, its class, what it is called where it comes from (without a name: its number there, from 0) and, if it "
        "is in this folder, its file. The images of `validation` and `test` are not distilled. "
        "Files that cannot be read and were left out are `skipped`.",
        "",
        "| folder | class |",
        "|---|---|",
        *(f"| {code(folder)} | {code(name)} |" for folder, name in zip(folder_names(data.class_names), data.class_names, strict=True)),
    ]
    return "\n".join(lines) + "\n"
