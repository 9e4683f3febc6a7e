"""Cuts photographs that scikit-image and scikit-learn bring into patches: a folder of images at 64x64, a class a photograph.

    python -m benchmarks.photographs photos

The left 70% of every photograph are training images, the rest test images. Needs scikit-image (``pip install scikit-image``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FROM_SCIKIT_IMAGE = {
    "astronaut": "astronaut.png",
    "cat": "chelsea.png",
    "coffee": "coffee.png",
}
SPLITS = {"train": 240, "test": 60}
SIDE = 64


def photographs() -> dict[str, NDArray[np.uint8]]:
    """The photographs by class name, ``height width channel``."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    folder = Path(skimage.data.__file__).parent
    found = {name: np.asarray(Image.open(folder / file).convert("RGB")) for name, file in FROM_SCIKIT_IMAGE.items()}
    return {**found, **dict(zip(("china", "flower"), load_sample_images().images, strict=True))}


def cut(out: Path) -> None:
    """Write the patches: squares of 64 to 128 pixels, at random places, scaled to 64x64."""
    generator = np.random.default_rng(0)
    for name, photograph in photographs().items():
        height, width = photograph.shape[:2]
        border = int(width * 0.7)
        for split, (left, right) in {"train": (0, border), "test": (border, width)}.items():
            folder = out / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(SPLITS[split]):
                side = int(generator.integers(SIDE, min(2 * SIDE + 1, right - left, height)))
                top, start = int(generator.integers(0, height - side + 1)), int(generator.integers(left, right - side + 1))
                patch = Image.fromarray(photograph[top : top + side, start : start + side])
                patch.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")


if __name__ == "__main__":
    cut(Path(sys.argv[1] if len(sys.argv) > 1 else "photos"))
