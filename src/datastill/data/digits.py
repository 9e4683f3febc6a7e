"""1,797 handwritten digits of 8x8 pixels that are part of this package: those that scikit-learn brings, so no download.

Reference:
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, doi:10.24432/C50P49, CC BY 4.0.
    Its test set; every value counts the dark pixels in a block of 4x4, from 0 to 16.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from datastill.data.storage import RawData, RawSplit

LEVELS = 16


def read() -> RawData:
    """Read the digits; they have no separate test split."""
    with resources.files(__package__).joinpath("digits.npz").open("rb") as stream, np.load(stream) as file:
        values, labels = file["values"], file["labels"]
    pixels = np.rint(values * (255 / LEVELS)).astype(np.uint8)[:, None]

    def blocks() -> Iterator[NDArray[np.uint8]]:
        yield pixels

    split = RawSplit(labels.astype(np.int64), 1, (8, 8), blocks, "scikit-learn digits")
    return RawData(tuple(str(digit) for digit in range(10)), split, None)
