"""Images inside a page, as data addresses: nothing is fetched."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

from datastill.data.image_folder import array

QUALITY = 80
"""Of what is compressed with loss: real images and previews."""


def address(pixels: Tensor, *, exact: bool) -> str:
    """An image as a data address.

    Args:
        pixels: uint8 ``channel height width``.
        exact: Whether every pixel keeps its value; otherwise the image is compressed with loss, to about a third.

    Example:
        >>> import torch
        >>> address(torch.zeros(1, 8, 8, dtype=torch.uint8), exact=True)[:23]
        'data:image/webp;base64,'
    """
    buffer = io.BytesIO()
    image = Image.fromarray(array(pixels)).convert("RGB")
    if exact:
        image.save(buffer, "WEBP", lossless=True, quality=100, method=4)
    else:
        image.save(buffer, "WEBP", quality=QUALITY, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
