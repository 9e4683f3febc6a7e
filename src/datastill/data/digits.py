"""The digits embedded in scikit-learn: 1,797 images of 8x8 pixels, no download."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datastill.data.storage import RawData, RawSplit


def read() -> RawData:
    """Read the digits; they have no separate test split."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield pixels

    split = RawSplit(bunch.target.astype(np.int64), 1, (8, 8), blocks, "scikit-learn digits")
    return RawData(tuple(str(digit) for digit in range(10)), split, None)
