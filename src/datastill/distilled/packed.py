"""Images in half or a quarter of their bytes, for sets that are kept beside their results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from datastill.errors import UserError

FORMS = ("float16", "8-bit")
"""How images may be packed, the most exact first: in 16-bit floats, or in 256 equal steps from a channel's least to its largest value."""
MOST_BYTES = 2 * 10**6
"""Bytes that the images of a kept set may take."""
HEADER = "packed"
"""The entry of a file's header that says how its images are packed."""


def packed(images: Tensor, form: str) -> tuple[Tensor, dict[str, str]]:
    """Pack images.

    Args:
        images: float32 ``image channel height width``.
        form: One of `FORMS`.

    Returns:
        The packed images and the entry of the header that they are unpacked by (see `unpacked`).

    Raises:
        UserError: If the form is unknown, or a value is too large for it.
    """
    if form == "float16":
        stored = images.half()
        if not bool(stored.isfinite().all()):
            raise UserError(f"the images have values up to {float(images.abs().max()):.4g}, too large for float16: keep them as 8-bit")
        return stored, {HEADER: json.dumps({"form": form})}
    if form != "8-bit":
        raise UserError(f"images are packed as {' or '.join(FORMS)}, got '{form}'")
    low, high = (bound.float() for bound in (images.amin((0, 2, 3)), images.amax((0, 2, 3))))
    step = ((high - low) / 255).clamp(min=torch.finfo(torch.float32).tiny)
    stored = ((images - low[:, None, None]) / step[:, None, None]).round().clamp(0, 255).to(torch.uint8)
    return stored, {HEADER: json.dumps({"form": form, "low": low.tolist(), "step": step.tolist()})}


def unpacked(stored: Tensor, header: Mapping[str, str], path: Path) -> Tensor:
    """The images of a file: float32 as they are, or as they were packed.

    Args:
        stored: As in the file.
        header: The file's text by key.
        path: Of the file, for the message.

    Raises:
        UserError: If the header does not fit what is stored.
    """
    if HEADER not in header:
        return stored
    try:
        said = json.loads(header[HEADER])
        if said["form"] == "float16" and stored.dtype == torch.float16:
            return stored.float()
        low, step = (torch.tensor(said[name], dtype=torch.float32) for name in ("low", "step"))
        fits = stored.dtype == torch.uint8 and stored.ndim == 4 and low.shape == step.shape == stored.shape[1:2]
        if said["form"] == "8-bit" and fits and bool((step > 0).all()):
            return low[:, None, None] + stored.float() * step[:, None, None]
    except (ValueError, TypeError, LookupError, RecursionError, RuntimeError, OverflowError) as error:
        raise UserError(f"{path} is damaged: its header does not say how its images are packed") from error
    raise UserError(f"{path} is damaged: its images, {stored.dtype} {tuple(stored.shape)}, are not packed as its header says")


def fitting(images: Tensor) -> str | None:
    """The most exact form in which images take no more than `MOST_BYTES`; None if there is none."""
    return next((form for form, size in zip(FORMS, (2, 1), strict=True) if images.numel() * size <= MOST_BYTES), None)
