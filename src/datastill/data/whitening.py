"""ZCA whitening by the training images: computed once, kept in the cache."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datastill.data.images import ClassImages
from datastill.data.normalisation import Normalisation
from datastill.data.storage import cache_folder
from datastill.errors import UserError
from datastill.files import check_tensors, checksum, load_tensors, locked, remove_leftovers, save_tensors
from datastill.functional import zca
from datastill.logs import logger
from datastill.size import Size

log = logger(__name__)

EPSILON = 0.1
"""What the published code of trajectory matching adds to every variance, of pixels in [0, 1]."""
MOST_FEATURES = 4096
"""Values of an image that may be whitened: the covariance and its eigenvectors take 48 bytes for each pair of them."""
BYTES = 48
BLOCK, SLAB = 1024, 512
"""Images that are added to the covariance at a time, and features."""
MIDDLE, WHITE = 128, 255
"""Of the values of a byte."""


@dataclass(frozen=True)
class Whitening:
    """Which whitening it is: what a file keeps of it, instead of its matrices.

    Attributes:
        epsilon: What is added to every variance.
        images: The fingerprint of the images that the covariance is of.
        checksum: Of the matrices. Another machine computes them from the same images with other rounding.
    """

    epsilon: float
    images: str
    checksum: str


@dataclass(frozen=True)
class ZCA(Normalisation):
    """``x = W (pixel - m)``: all values of an image together, W and m by the training images (see `datastill.functional.zca`).

    Attributes:
        identity: Which one it is. Two are equal if this is.
        centre: m, float32 ``channel height width``, the mean image.
        matrix: W, float32 ``feature feature``, symmetric; a feature is a value of an image, channel after channel.
        inverse: Of W.

    Reference:
        Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009, Appendix A. Trajectory matching (arXiv:2203.11932) whitens
        pixels in [0, 1], not normalised by channel before, by the unbiased covariance of the training split with e = .1 under the root
        (ZCAWhitening of kornia).
    """

    identity: Whitening
    centre: Tensor = field(compare=False, repr=False)
    matrix: Tensor = field(compare=False, repr=False)
    inverse: Tensor = field(compare=False, repr=False)

    def apply(self, images: Tensor) -> Tensor:
        """``W (pixel - m)``."""
        return self._mixed(images - self.centre.to(images.device), self.matrix)

    def invert(self, images: Tensor) -> Tensor:
        """``W^{-1} x + m``."""
        return self._mixed(images, self.inverse).add_(self.centre.to(images.device))

    def describe(self) -> dict[str, Any]:
        """The constants per channel, which change nothing, and which whitening follows."""
        channels, known = len(self.centre), self.identity
        whitening = {"epsilon": known.epsilon, "images": known.images, "checksum": known.checksum}
        return {"mean": [0.0] * channels, "std": [1.0] * channels, "whitening": whitening}

    @property
    def key(self) -> tuple[Any, ...]:
        """Whatever the rounding of a machine."""
        channels = len(self.centre)
        return ((0.0,) * channels, (1.0,) * channels, ("zca", self.identity.epsilon, self.identity.images))

    @staticmethod
    def _mixed(images: Tensor, matrix: Tensor) -> Tensor:
        return (images.flatten(-3) @ matrix.to(images.device)).reshape(images.shape)


def check_whitening(channels: int, size: Size, name: str) -> None:
    """Refuse images that are too large to be whitened.

    Args:
        channels: Of an image.
        size: Height and width.
        name: Of the data set, for the message.

    Raises:
        UserError: If the covariance would take too much memory.
    """
    features = channels * size[0] * size[1]
    if features > MOST_FEATURES:
        side = int((MOST_FEATURES / channels) ** 0.5)
        raise UserError(
            f"{name}: whitening images of {channels}x{size[0]}x{size[1]} takes {BYTES * features**2 / 1e9:,.1f} GB of memory, more than "
            f"{BYTES * MOST_FEATURES**2 / 1e9:.1f}: resize them to {side}x{side} or smaller, or leave `whiten` out"
        )


def whitened(images: ClassImages, fingerprint: str, *, epsilon: float = EPSILON, cache: Path | None = None) -> ZCA:
    """The whitening by some images, from the cache or computed and kept there.

    Args:
        images: The training split.
        fingerprint: Of it.
        epsilon: What is added to every variance, above 0.
        cache: The folder that it is looked for and kept in; by default the user's cache.

    Raises:
        UserError: If the images are too large, there are fewer than two, or nothing can be written.
    """
    path = _path(fingerprint, epsilon, cache)
    if not path.exists():
        check_whitening(images.channels, images.size, "the data set")
        if len(images) < 2:
            raise UserError(f"whitening takes at least two training images, got {len(images)}")
        with locked(path, f"the whitening in {path}", wait=True):
            if not path.exists():  # another process computed it meanwhile
                remove_leftovers(path.parent)
                features = images.channels * images.size[0] * images.size[1]
                log.info("computing the whitening of %d images by their %dx%d covariance, once", len(images), features, features)
                save_tensors(path, _matrices(images, epsilon), {"epsilon": str(epsilon), "images": fingerprint})
    return _read(path, epsilon, fingerprint)


def kept(known: Whitening, *, cache: Path | None = None) -> ZCA | None:
    """A whitening from the cache (see `whitened`); None if it is not there."""
    path = _path(known.images, known.epsilon, cache)
    return _read(path, known.epsilon, known.images) if path.exists() else None


def check_same(found: Whitening, known: Whitening, where: str) -> None:
    """Refuse a whitening by other images; one that was rounded in another way is told.

    Args:
        found: What there is.
        known: What it must be.
        where: What says so, for the message.

    Raises:
        UserError: If it is another one.
    """
    if (found.epsilon, found.images) != (known.epsilon, known.images):
        raise UserError(
            f"{where} was whitened with epsilon {known.epsilon:g} by the images {known.images}, and here they are {found.images} with "
            f"{found.epsilon:g}: give the data set that it is from with `data`"
        )
    if found != known:
        log.warning("%s: its whitening was computed again and differs by rounding, so bits may differ from those of before", where)


def _path(fingerprint: str, epsilon: float, cache: Path | None) -> Path:
    return (cache or cache_folder()) / "whitening" / f"{fingerprint}-zca-{epsilon:g}.safetensors"


@lru_cache(maxsize=2)
def _read(path: Path, epsilon: float, fingerprint: str) -> ZCA:
    try:
        tensors, text = load_tensors(path)
        centre = tensors.get("centre", torch.empty(0))
        square = torch.empty(centre.numel(), centre.numel(), device="meta")
        check_tensors(tensors, {"centre": torch.empty_like(centre, dtype=torch.float32), "matrix": square, "inverse": square}, str(path))
        if centre.ndim != 3 or text.get("images") != fingerprint or text.get("epsilon") != str(epsilon):
            raise UserError(f"{path} is of other images")
    except UserError as error:
        raise UserError(f"{error}: remove it to have it computed again") from error
    return ZCA(Whitening(epsilon, fingerprint, checksum(tensors)), centre, tensors["matrix"], tensors["inverse"])


def _matrices(images: ClassImages, epsilon: float) -> dict[str, Tensor]:
    """Centre, matrix and inverse.

    Bytes less 128 are at most 128 in size, so the sums of their products over 1,024 images are whole numbers of at most 2^24, exact in 32
    bits, and the sums of those exact in 64: no order of adding changes them.
    """
    count, shape = len(images), (images.channels, *images.size)
    features = images.channels * images.size[0] * images.size[1]
    total, products = torch.zeros(features, dtype=torch.float64), torch.zeros(features, features, dtype=torch.float64)
    for rows in torch.split(images.rows, BLOCK):
        block = images.storage[rows].flatten(1).float().sub_(MIDDLE)
        total += block.sum(0)
        for start in range(0, features, SLAB):  # what lies below the diagonal, which is half of it
            products[start:, start : start + SLAB] += block[:, start:].mT @ block[:, start : start + SLAB]
    products.tril_().add_(products.tril(-1).mT)
    products.mul_(count).addr_(total, total, alpha=-1).div_(count * (count - 1) * WHITE**2)
    matrix, inverse = zca(products, epsilon)
    centre = ((total / count + MIDDLE) / WHITE).reshape(shape)
    return {"centre": centre.float(), "matrix": matrix.float(), "inverse": inverse.float()}
