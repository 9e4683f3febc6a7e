"""Tensors read back: only with their checksum, and with the names, shapes and types that they must have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from datastill.errors import UserError
from datastill.files.messages import reason
from datastill.files.tensors import checksum
from datastill.logs import logger

log = logger(__name__)

CHECKSUM = "checksum"
"""The key of the checksum in what is written."""


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read tensors and text back. They are in memory, so what happens to the file later changes nothing.

    Returns:
        Tensors by name, and text by key, without the checksum.

    Raises:
        UserError: If the file is missing, truncated, damaged, not a safetensors file or without a checksum. Nothing in it is ever executed.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        content = path.read_bytes()
        tensors = safetensors.torch.load(content)
        text = _text(content)
    except (safetensors.SafetensorError, OSError, ValueError, LookupError, AssertionError, RuntimeError) as error:
        raise UserError(f"{path} is truncated or not a safetensors file ({reason(error)})") from error
    stored = text.pop(CHECKSUM, None)
    if stored is None:
        raise UserError(f"{path} has no checksum, so nothing shows that it is intact: it is damaged, or datastill did not write it")
    if stored == checksum(tensors, text):
        return tensors, text
    if stored != checksum(tensors):
        raise UserError(f"{path} is damaged: its content does not match its checksum")
    log.warning("%s was written by an earlier version: its checksum does not cover the text beside the tensors", path)
    return tensors, text


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Refuse tensors that do not have exactly the names, shapes and types that they must have, or have values that are not finite.

    Args:
        found: As they were read.
        expected: Tensors of the right names, shapes and types, on any device.
        what: What they are, for the message.

    Raises:
        UserError: At the first difference.

    Example:
        >>> import torch
        >>> check_tensors({"mean": torch.zeros(1, 3)}, {"mean": torch.zeros(2, 3)}, "the file")
        Traceback (most recent call last):
        datastill.errors.UserError: the file does not fit: 'mean' must be float32 (2, 3), got float32 (1, 3)
    """
    for name in [*expected, *(name for name in found if name not in expected)]:
        ours, theirs = expected.get(name), found.get(name)
        if ours is None or theirs is None or (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
            raise UserError(f"{what} does not fit: '{name[:60]}' must be {_said(ours)}, got {_said(theirs)}")
        if theirs.is_floating_point() and not bool(theirs.isfinite().all()):
            raise UserError(f"{what} does not fit: '{name[:60]}' has values that are NaN or infinite")


def _said(tensor: Tensor | None) -> str:
    return "absent" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _text(content: bytes) -> dict[str, str]:
    """The text in the header of a safetensors file, whose structure was checked before."""
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return {str(key): str(value) for key, value in text.items()}
