"""Arrays and tensors of images, whatever their layout, type and range, to uint8 with the channels last."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from datastill.errors import UserError
from datastill.logs import logger, note

log = logger(__name__)

CHANNELS = (1, 3, 4)


def is_array(thing: object) -> bool:
    """Whether something is an array or a tensor."""
    return isinstance(thing, np.ndarray | torch.Tensor)


def channels_last(shape: tuple[int, ...], where: str) -> bool:
    """Whether the channels of images come last, of one image's shape.

    Raises:
        UserError: If they are in no place, or could be in either.

    Example:
        >>> channels_last((32, 32, 3), "x"), channels_last((1, 28, 28), "x"), channels_last((28, 28), "x")
        (True, False, True)
    """
    if len(shape) == 2:
        return True
    if len(shape) != 3:
        flat = ": reshape the values of an image to its height and width" if len(shape) == 1 else ""
        raise UserError(
            f"{where}: an image must be (height, width), (channel, height, width) or (height, width, channel), got {shape}{flat}"
        )
    first, last = shape[0] in CHANNELS, shape[2] in CHANNELS
    if first == last:
        said = "may have its channels first or last: save it as PIL images, or change its size" if first else "has no 1, 3 or 4 channels"
        raise UserError(f"{where}: an image of shape {shape} {said}")
    return last


def to_bytes(values: Any, where: str, *, one: bool = False) -> NDArray[Any]:
    """Values as uint8: bytes as they are, whole numbers from 0 to 255, floats from 0 to 1 (as ToTensor of torchvision makes them).

    Args:
        values: Array or tensor of any shape.
        where: What they are, for messages.
        one: Whether they are one image of many, which may be black.

    Returns:
        uint8; uint16 stays.

    Raises:
        UserError: If the values have another type or range.
    """
    found: NDArray[Any] = values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else values
    if found.dtype in (np.uint8, np.uint16):
        if not one and found.size and found.max() <= 1:
            note(log.warning, "%s: every value is 0 or 1 out of 255: if these are black and white, multiply by 255", where)
        return found
    if found.dtype.kind not in "iuf":
        raise UserError(f"{where}: expected images of numbers, got {found.dtype}")
    low, high = (float(found.min()), float(found.max())) if found.size else (0.0, 0.0)
    if found.dtype.kind == "f" and 0 <= low <= high <= 1:
        scaled: NDArray[Any] = np.rint(found * 255).astype(np.uint8)
        return scaled
    if found.dtype.kind in "iu" and 0 <= low <= high <= 255 and (one or high > 1):
        return found.astype(np.uint8)
    raise UserError(f"{where}: {_advice(found, low, high)}")


def _advice(values: NDArray[Any], low: float, high: float) -> str:
    said = f"expected bytes, whole numbers from 0 to 255 or floats from 0 to 1, got {values.dtype} from {low:.4g} to {high:.4g}"
    if values.dtype.kind in "iu" and high <= 1 and low >= 0:
        return f"{said}: 0 and 1 may be black and white, times 255, or two dark greys, as uint8"
    if low < 0:
        return f"{said}: give them without Normalize, as every data set is normalised by its own mean and deviation"
    if not np.isfinite(high) or np.isnan(low):
        return f"{said}: some values are NaN or infinite"
    return f"{said}: divide them by their largest possible value, or turn them into uint8"
