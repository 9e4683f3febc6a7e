"""Files: written completely or not at all, locked while they are worked on, read back only if they are intact and fit."""

from __future__ import annotations

from datastill.files.atomic import check_file, check_folder, make_folder, new_folder, open_to_append, through_links, write_atomic
from datastill.files.leases import leased
from datastill.files.locks import InUseError, in_use, locked
from datastill.files.messages import reason, storage_error
from datastill.files.partial import OURS, beside, is_empty, partial_file, partial_folder, remove_if_empty, remove_leftovers
from datastill.files.reading import CHECKSUM, check_tensors, load_tensors
from datastill.files.regular import check_regular, open_regular, read_regular
from datastill.files.sealing import read_sealed, sealed, unsealed
from datastill.files.tensors import checksum, save_tensors
from datastill.files.trust import why_not_ours

__all__ = [
    "CHECKSUM",
    "OURS",
    "InUseError",
    "beside",
    "check_file",
    "check_folder",
    "check_regular",
    "check_tensors",
    "checksum",
    "in_use",
    "is_empty",
    "leased",
    "load_tensors",
    "locked",
    "make_folder",
    "new_folder",
    "open_regular",
    "open_to_append",
    "partial_file",
    "partial_folder",
    "read_regular",
    "read_sealed",
    "reason",
    "remove_if_empty",
    "remove_leftovers",
    "save_tensors",
    "sealed",
    "storage_error",
    "through_links",
    "unsealed",
    "why_not_ours",
    "write_atomic",
]
