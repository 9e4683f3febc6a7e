"""Images as torchvision's ImageFolder reads them: PNGs in one folder per class, and the constants that they are normalised with."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from datastill.data.normalisation import Normalisation
from datastill.data.whitening import ZCA
from datastill.files import save_tensors, write_atomic

NORMALISATION = "normalisation.json"
"""The mean and standard deviation that images are normalised with, per channel."""
WHITENING = "whitening.safetensors"
"""The matrix and the mean image that images are whitened with."""
LONGEST_NAME = 50
"""Characters of a class's name that its folder keeps: file systems take 255 bytes."""


def folder_names(class_names: Sequence[str]) -> list[str]:
    """Folder names that sort like the classes: the names themselves where they do and every file system keeps them, numbered otherwise.

    Example:
        >>> folder_names(("cat", "dog")), folder_names(("ship", "a/b"))
        (['cat', 'dog'], ['0_ship', '1_a_b'])
    """
    safe = [re.sub(r"[^\w .()-]", "_", name)[:LONGEST_NAME].strip(" .") or "_" for name in class_names]
    distinct = len({name.casefold() for name in safe}) == len(safe)
    if distinct and safe == sorted(safe) and safe == list(class_names):
        return safe
    digits = len(str(len(safe) - 1))
    return [f"{label:0{digits}d}_{name}" for label, name in enumerate(safe)]


def write_image(pixels: Tensor, path: Path) -> None:
    """Write uint8 ``channel height width`` as a PNG file (see `datastill.files.write_atomic`)."""
    write_atomic(path, png(pixels))


def png(pixels: Tensor) -> bytes:
    """An image, uint8 ``channel height width``, as the content of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(array(pixels)).save(buffer, format="PNG")
    return buffer.getvalue()


def array(pixels: Tensor) -> NDArray[np.uint8]:
    """An image, uint8 ``channel height width``, as ``height width`` (1 channel) or ``height width channel``."""
    values: NDArray[np.uint8] = pixels.numpy()
    return values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0))


def write_normalisation(normalisation: Normalisation, folder: Path) -> str:
    """Write what turns images of 8 bits into the input of networks, as torchvision takes it.

    Args:
        normalisation: What it is: mean and standard deviation in `NORMALISATION`, arguments of Normalize; a whitening in `WHITENING`,
            arguments of LinearTransformation.
        folder: Where the file goes.

    Returns:
        What the file has, as a sentence of a page.
    """
    if isinstance(normalisation, ZCA):
        matrices = {"transformation_matrix": normalisation.matrix, "mean_vector": normalisation.centre.flatten()}
        save_tensors(folder / WHITENING, matrices, {})
        return f"`{WHITENING}` has the matrix and the mean image that real images are whitened with (ZCA)."
    write_atomic(folder / NORMALISATION, json.dumps(normalisation.describe(), indent=1) + "\n")
    return f"`{NORMALISATION}` has the mean and the standard deviation of real pixels."
