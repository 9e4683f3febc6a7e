"""Cuts photographs that scikit-image and scikit-learn bring into patches: a folder of images at 64x64, a class a photograph.

    python -m benchmarks.photographs photos

A photograph is divided into tiles of 128x128 pixels. Every fourth one gives test images, the others training images, so that no pixel is in
both. Patches of one tile overlap, and with them the training and the validation images. Needs those packages (``pip install scikit-image
scikit-learn``).
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
SPLITS = {"train": 240, "test": 80}
SIDE = 64
TILE = 2 * SIDE


def photographs() -> dict[str, NDArray[np.uint8]]:
    """The photographs by class name, ``height width channel``."""
    import skimage.data
    from sklearn.datasets import load_sample_images

    folder = Path(skimage.data.__file__).parent
    found = {name: np.asarray(Image.open(folder / file).convert("RGB")) for name, file in FROM_SCIKIT_IMAGE.items()}
    return {**found, **dict(zip(("china", "flower"), load_sample_images().images, strict=True))}


def cut(out: Path) -> None:
    """Write the patches: squares of 64 to 128 pixels, at random places of a tile, scaled to 64x64."""
    generator = np.random.default_rng(0)
    for name, photograph in photographs().items():
        height, width = photograph.shape[:2]
        tiles = [(top, left) for top in range(0, height - TILE + 1, TILE) for left in range(0, width - TILE + 1, TILE)]
        for split, mine in {"train": [tile for i, tile in enumerate(tiles) if i % 4 != 2], "test": tiles[2::4]}.items():
            folder = out / split / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(SPLITS[split]):
                top, left = mine[number % len(mine)]
                side = int(generator.integers(SIDE, TILE + 1))
                down, right = generator.integers(0, TILE - side + 1, 2)
                patch = Image.fromarray(photograph[top + down : top + down + side, left + right : left + right + side])
                patch.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{number:03d}.png")


if __name__ == "__main__":
    cut(Path(sys.argv[1] if len(sys.argv) > 1 else "photos"))
