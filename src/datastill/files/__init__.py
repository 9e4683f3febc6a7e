"""Files: written completely or not at all, locked while they are worked on, tensors with a checksum."""

from __future__ import annotations

from datastill.files.atomic import check_file, check_folder, make_folder, new_folder, open_to_append, write_atomic
from datastill.files.locks import locked
from datastill.files.messages import reason, storage_error
from datastill.files.partial import OURS, is_empty, partial_file, remove_leftovers
from datastill.files.tensors import checksum, load_tensors, save_tensors
from datastill.files.trust import why_not_ours

__all__ = [
    "OURS",
    "check_file",
    "check_folder",
    "checksum",
    "is_empty",
    "load_tensors",
    "locked",
    "make_folder",
    "new_folder",
    "open_to_append",
    "partial_file",
    "reason",
    "remove_leftovers",
    "save_tensors",
    "storage_error",
    "why_not_ours",
    "write_atomic",
]
