"""Images and labels one by one, as a `torch.utils.data.DataLoader` takes them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, SupportsIndex

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from datastill.data.normalisation import Normalisation
from datastill.errors import WrongTypeError, unknown

FORMS: dict[str, str] = {
    "normalised": "float32 tensor, (pixel - mean) / std or whitened, as networks of this package are trained",
    "pixels": "float32 tensor, from 0 to 1 in real images; learned ones reach beyond",
    "pil": "PIL image of 8 bits, as torchvision's ImageFolder gives; learned images are clipped",
}
"""What an image can be given as."""


GIVEN: dict[str, str] = {
    "normalised": "tensors, normalised float32",
    "pixels": "tensors, float32 from 0 to 1",
    "pil": "PIL images",
}
"""The same in short."""
FROM_PIL, TO_PIL = ("ToTensor", "PILToTensor"), "ToPILImage"
"""Transforms of torchvision that take PIL images and no tensors, and the one that makes such images."""


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
        form: A name of `FORMS`; None for "pil" if the transform takes nothing else (see `takes_pil`), and "normalised" otherwise.
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
        form: str | None = None,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        form = ("pil" if takes_pil(transform) else "normalised") if form is None else form
        if form not in FORMS:
            raise unknown("form", form, FORMS)
        self.images, self.labels, self.form, self.transform, self.target_transform = images, labels, form, transform, target_transform
        self.normalisation = normalisation
        self.classes = list(class_names)
        self.targets: list[int] = (labels.argmax(1) if labels.ndim == 2 else labels).tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: SupportsIndex | slice | Sequence[int] | Tensor) -> tuple[Any, Any]:
        """An image and its label; of a slice or several positions a batch of them, as a `torch.utils.data.TensorDataset` gives it.

        Raises:
            IndexError: If there is no such image.
            WrongTypeError: If the index is something else, what is asked for is no batch, or the transform cannot take the image.
        """
        if isinstance(index, slice):
            return self._batch(range(*index.indices(len(self))))
        if isinstance(index, list) or (isinstance(index, Tensor | np.ndarray) and index.ndim == 1):
            return self._batch(index)
        try:
            place = operator.index(index)  # type: ignore[arg-type]  # anything else raises
        except TypeError as error:
            raise WrongTypeError(
                f"an image is had by its position, and several by a slice or a list of positions, got {type(index).__name__}"
            ) from error
        image, soft = self._formed(self.images[place]), self.labels[place]
        label = soft.clone() if soft.ndim else int(soft)
        return (
            image if self.transform is None else self._transformed(image),
            label if self.target_transform is None else self.target_transform(label),
        )

    def _batch(self, places: Iterable[Any]) -> tuple[Any, Any]:
        items = [self[place] for place in places]
        if not items or not all(isinstance(image, Tensor) and image.shape == items[0][0].shape for image, _ in items):
            said = "images that are no tensors of one size" if items else "no image"
            raise WrongTypeError(
                f"a slice or a list of positions gives one tensor of images, but there is {said} in it: "
                f"torch.utils.data.Subset(dataset, positions) is a data set of some images"
            )
        images, labels = default_collate(items)
        return images, labels

    def _transformed(self, image: Any) -> Any:
        try:
            return self.transform(image) if self.transform else image
        except TypeError as error:
            others = ", ".join(f"`form={name}` gives {given}" for name, given in GIVEN.items() if name != self.form)
            raise WrongTypeError(
                f"the transform cannot take what it gets, {GIVEN[self.form]} (`form={self.form}`): {error}; {others}"
            ) from error

    def _formed(self, image: Tensor) -> Any:
        stored = image.dtype == torch.uint8
        if self.form == "normalised":
            return self.normalisation.apply(image.float().div_(255)) if stored else image.clone()
        if self.form == "pixels":
            return image.float().div_(255) if stored else self.normalisation.invert(image)
        pixels = image if stored else self.normalisation.invert(image).clamp(0, 1).mul(255).round().to(torch.uint8)
        return Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).contiguous().numpy())


def takes_pil(transform: Callable[[Any], Any] | None) -> bool:
    """Whether a transform of torchvision, or the first of several that converts images, takes PIL images and no tensors."""
    steps = transform if isinstance(transform, torch.nn.Sequential) else getattr(transform, "transforms", None)
    if steps is not None:
        names = [step for step in steps if takes_pil(step) or type(step).__name__ == TO_PIL]
        return bool(names) and takes_pil(names[0])
    return type(transform).__name__ in FROM_PIL and type(transform).__module__.startswith("torchvision.")
