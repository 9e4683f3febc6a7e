"""Differentiable siamese augmentation (DSA): transformations of a class, one draw for its real and its synthetic images."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from datastill.errors import UserError, unknown

BRIGHTNESS = 1.0
SATURATION = 2.0
CONTRAST = 0.5
CROP = 0.125
CUTOUT = 0.5
SCALE = 1.2
ROTATION = 15.0
PARAMETERS = 3
"""The most parameters a family takes."""
NONE = "none"
"""Stands for the family that is drawn where there are none."""
AUGMENTATIONS = ("dsa", "idc")
"""Ways of putting families together: "dsa" draws one of all, "idc" always applies some (see `matching` and `training`)."""


@dataclass(frozen=True)
class Draw:
    """What was drawn; applied again, it does exactly the same to any number of images.

    Attributes:
        families: The family of every class.
        uniforms: ``class image parameter`` in [0, 1); siamese draws have one image, which applies to all. The first `PARAMETERS` are of the
            drawn family, the next ones of those that are always applied, in their order.
    """

    families: tuple[str, ...]
    uniforms: Tensor


@dataclass(frozen=True)
class DSA:
    """Draws and applies augmentations; gradients flow through every family.

    Args:
        families: What to draw from, each with the same chance; see `FAMILIES`. Empty draws none.
        before: Families that are always applied, one after the other, before the drawn one.
        after: The same, after the drawn one.

    Reference:
        Zhao, Bilen: Dataset Condensation with Differentiable Siamese Augmentation, ICML 2021, arXiv:2102.08259, section 3.2 and table 8,
        where every batch has one family. What is always applied is of Kim et al. (see `matching`).

    Example:
        >>> dsa = DSA()
        >>> draw = dsa.draw([torch.Generator().manual_seed(label) for label in range(2)])
        >>> dsa(torch.zeros(2, 256, 3, 32, 32), draw).shape, dsa(torch.zeros(2, 10, 3, 32, 32), draw).shape
        (torch.Size([2, 256, 3, 32, 32]), torch.Size([2, 10, 3, 32, 32]))
    """

    families: tuple[str, ...] = ("colour", "crop", "cutout", "flip", "scale", "rotate")
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for family in (*self.families, *self.before, *self.after):
            if family not in FAMILIES:
                raise unknown("augmentation family", family, FAMILIES)

    def draw(self, generators: Sequence[torch.Generator], images: int = 1) -> Draw:
        """Draw a family for every class, and the parameters of all that is applied.

        Args:
            generators: One per class.
            images: 1 for siamese parameters shared by all images of the class; otherwise how many images get their own parameters.
        """
        families = self.families or (NONE,)
        if not (self.families or self.before or self.after):
            return Draw(families * len(generators), torch.zeros(len(generators), images, PARAMETERS))
        parameters = PARAMETERS * (1 + len(self.before) + len(self.after))
        choices = [int(torch.randint(len(families), (), generator=generator)) for generator in generators]
        uniforms = torch.stack([torch.rand(images, parameters, generator=generator) for generator in generators])
        return Draw(tuple(families[choice] for choice in choices), uniforms)

    def __call__(self, images: Tensor, draw: Draw) -> Tensor:
        """Apply a draw to ``class image channel height width``, normalised."""
        first, *others = torch.split(draw.uniforms.to(images.device).expand(-1, images.shape[1], -1), PARAMETERS, 2)
        for family, uniforms in zip(self.before, others[: len(self.before)], strict=True):
            images = _applied(family, images, uniforms)
        images = self._drawn(images, draw.families, first)
        for family, uniforms in zip(self.after, others[len(self.before) :], strict=True):
            images = _applied(family, images, uniforms)
        return images

    def _drawn(self, images: Tensor, families: Sequence[str], uniforms: Tensor) -> Tensor:
        """Apply to every class its own family."""
        parts, order = [], []
        for family in dict.fromkeys(families):
            rows = [row for row, drawn in enumerate(families) if drawn == family]
            order += rows
            chosen = images if len(rows) == len(images) else images[rows]
            parts.append(_applied(family, chosen, uniforms[rows]))
        if len(parts) == 1:
            return parts[0]
        inverse = torch.tensor(order).argsort().to(images.device)
        return torch.cat(parts)[inverse]

    def batch(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Augment ``image channel height width`` with one drawn family and parameters for every image, as evaluation does."""
        return self(images[None], self.draw([generator], len(images)))[0]


def _column(uniforms: Tensor, index: int) -> Tensor:
    return uniforms[:, index, None, None, None]


def _applied(family: str, images: Tensor, uniforms: Tensor) -> Tensor:
    """Apply one family to the images of some classes, by ``class image parameter``."""
    if family == NONE:
        return images
    return torch.unflatten(FAMILIES[family](images.flatten(0, 1), uniforms.flatten(0, 1)), 0, images.shape[:2])


def colour(images: Tensor, uniforms: Tensor) -> Tensor:
    """Brightness, then saturation about every pixel's mean over channels, then contrast about every image's mean."""
    images = images + (_column(uniforms, 0) - 0.5) * BRIGHTNESS
    gray = images.mean(1, keepdim=True)
    images = (images - gray) * (_column(uniforms, 1) * SATURATION) + gray
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * (_column(uniforms, 2) + CONTRAST) + mean


def crop(images: Tensor, uniforms: Tensor) -> Tensor:
    """Shift by whole pixels, up to an eighth of each side, zeros entering."""
    count, channels, height, width = images.shape
    down, right = int(height * CROP + 0.5), int(width * CROP + 0.5)
    padded = F.pad(images, (right, right, down, down))
    top = (uniforms[:, 0] * (2 * down + 1)).long()
    left = (uniforms[:, 1] * (2 * right + 1)).long()
    rows = (top[:, None] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=images.device))[:, None, None, :]
    image = torch.arange(count, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[None, :, None, None]
    return padded[image, channel, rows, columns]


def cutout(images: Tensor, uniforms: Tensor) -> Tensor:
    """Set a rectangle of half of each side to zero, its centre anywhere, what lies outside cut off."""
    hidden = [
        _span(uniforms[:, axis], images.shape[2 + axis])[(slice(None), None, *((slice(None), None) if axis == 0 else (None, slice(None))))]
        for axis in (0, 1)
    ]
    return images.masked_fill(hidden[0] & hidden[1], 0)


def _span(uniform: Tensor, side: int) -> Tensor:
    length = int(side * CUTOUT + 0.5)
    start = (uniform * (side + 1 - length % 2)).long()[:, None] - length // 2
    positions = torch.arange(side, device=uniform.device)
    return (positions >= start) & (positions < start + length)


def flip(images: Tensor, uniforms: Tensor) -> Tensor:
    """Mirror left and right with a chance of one half."""
    return torch.where(_column(uniforms, 0) < 0.5, images.flip(3), images)


def scale(images: Tensor, uniforms: Tensor) -> Tensor:
    """Scale height and width independently, by 1/1.2 to 1.2."""
    factors = uniforms[:, :2] * (SCALE - 1 / SCALE) + 1 / SCALE
    zero = torch.zeros_like(factors[:, 0])
    return _affine(images, torch.stack([factors[:, 0], zero, zero, zero, factors[:, 1], zero], 1))


def rotate(images: Tensor, uniforms: Tensor) -> Tensor:
    """Rotate by up to 15 degrees either way."""
    angle = (uniforms[:, 0] - 0.5) * 2 * ROTATION * math.pi / 180
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    aspect = images.shape[2] / images.shape[3]
    return _affine(images, torch.stack([cosine, -sine * aspect, zero, sine / aspect, cosine, zero], 1))


def _affine(images: Tensor, matrix: Tensor) -> Tensor:
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


FAMILIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    function.__name__: function for function in (colour, crop, cutout, flip, scale, rotate)
}
"""Every family: a function of images and of uniform numbers, ``image parameter``, that its parameters are made from."""


def families(*, flip: bool) -> tuple[str, ...]:
    """The families for a data set: all, without the mirror where it changes a class."""
    return tuple(name for name in FAMILIES if flip or name != "flip")


def matching(name: str, *, flip: bool, augment: bool = True) -> DSA:
    """The augmentation of real and synthetic images that are matched.

    Args:
        name: One of `AUGMENTATIONS`: "dsa" draws one family; "idc" applies colour, crop and cutout, one after the other.
        flip: Whether a mirror image keeps its class.
        augment: Whether anything is applied.

    Raises:
        UserError: If there is none of that name.

    Reference:
        Kim et al.: Dataset Condensation via Efficient Synthetic-Data Parameterization (IDC), ICML 2022, arXiv:2205.14959; ``diffaug`` of
        its published code, which DANCE shares.

    Example:
        >>> matching("idc", flip=True)
        DSA(families=('crop',), before=('colour',), after=('cutout',))
    """
    check_augmentation(name)
    if not augment:
        return DSA(())
    return DSA(families(flip=flip)) if name == "dsa" else DSA(("crop",), before=("colour",), after=("cutout",))


def training(name: str, *, flip: bool, cutout: bool = True, augment: bool = True) -> DSA:
    """The augmentation of images that networks are trained on.

    Args:
        name: One of `AUGMENTATIONS`: "dsa" draws one family; "idc" applies mirror and colour, then crop, scale or rotate, then cutout.
        flip: Whether a mirror image keeps its class.
        cutout: Whether there is cutout at all; cutmix takes its place.
        augment: Whether anything is applied.

    Raises:
        UserError: If there is none of that name.

    Reference:
        As `matching`; ``DiffAug``, and ``dsa_strategy`` and ``remove_aug`` of ``argument.py``, which are how IDC evaluates on small images.
        Inside its method IDC trains networks on real images with colour and crop; to train on synthetic ones between steps as it
        evaluates is ours.

    Example:
        >>> training("idc", flip=True, cutout=False)
        DSA(families=('crop', 'scale', 'rotate'), before=('flip', 'colour'), after=())
    """
    check_augmentation(name)
    if not augment:
        return DSA(())
    if name == "dsa":
        return DSA(tuple(family for family in families(flip=flip) if cutout or family != "cutout"))
    return DSA(("crop", "scale", "rotate"), before=("flip", "colour") if flip else ("colour",), after=("cutout",) if cutout else ())


def check_augmentation(name: str, idle: str = "") -> None:
    """Refuse a name that is not one of `AUGMENTATIONS`, or that would do nothing.

    Args:
        name: What is to be checked.
        idle: The name of a method that does not augment at all; empty if it does.

    Raises:
        UserError: If it is refused.
    """
    if name not in AUGMENTATIONS:
        raise unknown("augmentation", name, AUGMENTATIONS)
    if idle and name != AUGMENTATIONS[0]:
        raise UserError(
            f"{idle} does not augment, so `augmentation={name}` would do nothing: use `augment=true`, or `augmentation={AUGMENTATIONS[0]}`"
        )
