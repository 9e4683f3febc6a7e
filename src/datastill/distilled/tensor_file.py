"""The tensor file ``{'data': [[images, labels], ...]}`` of the published DC and DM code."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datastill.distilled.set import SyntheticImages
from datastill.errors import UserError
from datastill.files import write_atomic

TENSOR_FILES = (".pt", ".pth")
"""Endings of the tensor files of the published DC and DM code."""


def read_dc(path: Path) -> tuple[Tensor, Tensor]:
    """Read images and labels of the last set in a file. Only tensors and plain containers are read.

    Args:
        path: The file.

    Returns:
        float32 ``image channel height width`` and int64 ``image``, in the order of the file.

    Raises:
        UserError: If there is no such file, or there is anything else in it.
    """
    try:
        with torch.serialization.safe_globals(_PLAIN_NUMBERS):
            content = torch.load(path, map_location="cpu", weights_only=True)
        images, labels = content["data"][-1]
        _require_whole(images, labels)
        return images.detach().float(), labels.detach().long()
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}") from error
    except Exception as error:
        raise UserError(
            f"{path} is refused: expected a tensor file {{'data': [[images, labels]]}} with tensors only, without other pickled objects"
        ) from error


def write_dc(distilled: SyntheticImages, target: Path) -> None:
    """Write the float images and labels as the published DC and DM code saves and evaluates them."""
    buffer = io.BytesIO()
    torch.save({"data": [[distilled.images.clone(), distilled.labels.clone()]]}, buffer)
    write_atomic(target, buffer.getvalue())


_PLAIN_NUMBERS: list[Any] = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32")),
]
"""What the published code saves with the images, its accuracies: NumPy's numbers, which nothing but a number can come out of."""


def _require_whole(*tensors: Tensor) -> None:
    """Refuse tensors that are sparse, without values, or larger than what is stored of them."""
    for tensor in tensors:
        stored = tensor.untyped_storage().nbytes() if tensor.layout == torch.strided and tensor.device.type == "cpu" else 0
        if stored < tensor.numel() * tensor.element_size():
            raise ValueError("not a plain tensor")
