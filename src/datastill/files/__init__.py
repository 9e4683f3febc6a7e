"""Files: written completely or not at all, tensors with a checksum."""

from __future__ import annotations

from datastill.files.atomic import check_file, reason, storage_error, write_atomic
from datastill.files.tensors import checksum, load_tensors, save_tensors

__all__ = ["check_file", "checksum", "load_tensors", "reason", "save_tensors", "storage_error", "write_atomic"]
