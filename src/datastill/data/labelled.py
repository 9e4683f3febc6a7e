"""Images and labels one by one, as a `torch.utils.data.DataLoader` takes them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol, SupportsIndex

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from datastill.data.normalisation import Normalisation
from datastill.errors import unknown

FORMS: dict[str, str] = {
    "normalised": "float32 tensor, (pixel - mean) / std or whitened, as networks of this package are trained",
    "pixels": "float32 tensor, from 0 to 1 in real images; learned ones reach beyond",
    "pil": "PIL image of 8 bits, as torchvision's ImageFolder gives; learned images are clipped",
}
"""What an image can be given as."""


class Images(Protocol):
    """Images by their position."""

    def __getitem__(self, index: int, /) -> Tensor:
        """One image: uint8, or normalised float32, ``channel height width``."""
        ...


class Stored:
    """Images by their position in a split.

    Args:
        storage: uint8 ``row channel height width``, may be memory-mapped.
        rows: The rows of the images of the split.
    """

    def __init__(self, storage: Tensor, rows: Tensor) -> None:
        self.storage, self.rows = storage, rows

    def __getitem__(self, index: int, /) -> Tensor:
        return self.storage[self.rows[index]]


class LabelledImages(Dataset[tuple[Any, Any]]):
    """A map-style data set: item i is an image and its label.

    Args:
        images: Uint8, or normalised float32.
        labels: int64 ``image``, or float32 ``image class`` where they are soft.
        class_names: One per class.
        normalisation: What stands between pixels and normalised images.
        form: A name of `FORMS`.
        transform: Applied to every image, which is a copy.
        target_transform: Applied to every label: an int, or float32 ``class`` where labels are soft.

    Attributes:
        classes: The names of the classes, as torchvision calls them.
        targets: The class of every image.

    Raises:
        UserError: If there is no such form.
    """

    def __init__(
        self,
        images: Images,
        labels: Tensor,
        class_names: Sequence[str],
        normalisation: Normalisation,
        *,
        form: str = "normalised",
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        if form not in FORMS:
            raise unknown("form", form, FORMS)
        self.images, self.labels, self.form, self.transform, self.target_transform = images, labels, form, transform, target_transform
        self.normalisation = normalisation
        self.classes = list(class_names)
        self.targets: list[int] = (labels.argmax(1) if labels.ndim == 2 else labels).tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex) -> tuple[Any, Any]:
        place = operator.index(index)
        image, soft = self._formed(self.images[place]), self.labels[place]
        label = soft.clone() if soft.ndim else int(soft)
        return (
            image if self.transform is None else self.transform(image),
            label if self.target_transform is None else self.target_transform(label),
        )

    def _formed(self, image: Tensor) -> Any:
        stored = image.dtype == torch.uint8
        if self.form == "normalised":
            return self.normalisation.apply(image.float().div_(255)) if stored else image.clone()
        if self.form == "pixels":
            return image.float().div_(255) if stored else self.normalisation.invert(image)
        pixels = image if stored else self.normalisation.invert(image).clamp(0, 1).mul(255).round().to(torch.uint8)
        return Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).contiguous().numpy())
