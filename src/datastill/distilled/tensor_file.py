"""Tensor files of published code: read without executing anything, and written as the DC and DM code writes them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from datastill.distilled.set import SyntheticImages
from datastill.errors import UserError
from datastill.files import open_regular, write_atomic
from datastill.logs import logger

log = logger(__name__)

TENSOR_FILES = (".pt", ".pth")
"""Endings of tensor files."""
EXPECTED = "a tensor file {'data': [[images, labels]]}, or images_best.pt with labels_best.pt beside it"


def read_plain(path: Path) -> Any:
    """Read a tensor file that holds only tensors and plain containers and numbers.

    Raises:
        UserError: If there is no such file, or there is anything else in it. Nothing in it is ever executed.
    """
    try:
        with torch.serialization.safe_globals(_PLAIN_NUMBERS), open_regular(path) as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}") from error
    except Exception as error:
        raise refusal(path) from error


def refusal(path: Path) -> UserError:
    """The message for a tensor file that is not understood."""
    return UserError(f"{path} is refused: expected {EXPECTED}, with tensors only, without other pickled objects")


def whole(value: Any, path: Path) -> Tensor:
    """A plain tensor out of a file, detached; refused where it is sparse, without values, or larger than what is stored of it."""
    if not isinstance(value, Tensor):
        raise refusal(path)
    stored = value.untyped_storage().nbytes() if value.layout == torch.strided and value.device.type == "cpu" else 0
    if stored < value.numel() * value.element_size():
        raise refusal(path)
    return value.detach()


def write_dc(distilled: SyntheticImages, target: Path) -> None:
    """Write the float images and labels as the published DC and DM code saves and evaluates them.

    Soft labels are what torch's cross-entropy takes: probabilities (logits after their softmax) or weights; scores are written as they are.
    """
    labels = distilled.labels.softmax(1) if distilled.label_kind == "logits" else distilled.labels.clone()
    buffer = io.BytesIO()
    torch.save({"data": [[distilled.images.clone(), labels]]}, buffer)
    write_atomic(target, buffer.getvalue())
    if distilled.label_kind in ("weights", "scores"):
        log.warning("a tensor file does not say that its labels are %s: say so when you read it", distilled.label_kind)
    if distilled.origin.whitening is not None:
        log.warning(
            "a tensor file does not say that its images are whitened: give the data '%s' when you read it, and show none as a picture",
            distilled.origin.data,
        )
    if distilled.numbers:
        log.warning("a tensor file cannot hold the learned numbers (%s): they are left out", ", ".join(distilled.numbers))


_PLAIN_NUMBERS: list[Any] = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32")),
]
"""What the published code saves with the images, its accuracies: NumPy's numbers, which nothing but a number can come out of."""
