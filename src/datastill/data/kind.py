"""What kind of data set a folder looks like, for messages about a name that says another or none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from datastill.data.image_files import SUFFIXES

SAVED = ("dataset_dict.json", "dataset_info.json", "state.json")
"""Files that ``save_to_disk`` of the package datasets writes."""
LOOKED_AT = 50
"""Folders of a folder that are looked into, so that a message about a large one does not keep anybody waiting."""


def kind_of(path: Path | str) -> str:
    """The key that names a folder of data, or a parquet file: "arrow", "parquet" or "folder"; "" if it looks like none of them.

    Only the names of its files, of those of its folders, and of those of the first folder of each are looked at.
    """
    if str(path).endswith(".parquet") and os.path.isfile(path):  # noqa: PTH113 (Path.is_file raises where it may not look)
        return "parquet"
    folders, names = _inside(path)
    if any(name in SAVED for name in names):
        return "arrow"
    inner = []
    for folder in sorted(folders)[:LOOKED_AT]:
        deeper, files = _inside(folder)
        inner += files
        if deeper:
            inner += _inside(min(deeper))[1]
    if any(name.endswith(".parquet") for name in (*names, *inner)):
        return "parquet"
    return "folder" if any(name.lower().endswith(SUFFIXES) for name in inner) else ""


def instead(path: Path | str, key: str) -> str:
    """An ending for a message about a folder that was read as one kind and looks like another; "" if it does not."""
    found = kind_of(path)
    return f"; it looks like {found}:{path}" if found not in ("", key) else ""


def _inside(path: Path | str) -> tuple[list[str], list[str]]:
    """The folders in a folder, as paths, and the names of its files; nothing of one that cannot be read."""
    with suppress(OSError), os.scandir(path) as entries:
        there = [(entry.is_dir(), entry.path, entry.name) for entry in entries if not entry.name.startswith(".")]
        return [whole for folder, whole, _ in there if folder], [name for folder, _, name in there if not folder]
    return [], []
