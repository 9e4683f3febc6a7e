"""The distilled set: float images and labels with everything known about them; saved, loaded, checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import torch
from torch import Tensor

from datastill.augment import LEAST_SIDE, expand
from datastill.data import DataSet
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors

IMAGES = "images.safetensors"
FORMAT = "datastill-1"
TENSOR_FILES = (".pt", ".pth")
"""Endings of the tensor files of the published DC and DM code."""


@dataclass(frozen=True)
class Origin:
    """Where a distilled set comes from: the header of its file.

    Attributes:
        data: The data set's name, as in `datastill.load`.
        fingerprint: Of the training split it was distilled from.
        class_names: One per class.
        mean: Per channel, that the images are normalised with.
        std: Per channel.
        flip: Whether a mirrored image keeps its class.
        method: For example "dm+iid".
        seed: Of the run.
        iterations: Steps taken.
        factor: Partitions per side of an image that stand for images of their own; 1 for none.
        version: Of the package that made it.
        held_out: Share of every class that was held out of what it was distilled from, as validation split.
    """

    data: str
    fingerprint: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flip: bool
    method: str
    seed: int
    iterations: int
    factor: int = 1
    version: str = ""
    held_out: float = 0.1


@dataclass(frozen=True, eq=False)
class DistilledSet:
    """A few synthetic images per class.

    Attributes:
        images: float32 ``image channel height width``, normalised; class after class.
        labels: int64 ``image``.
        origin: Where they come from.
    """

    images: Tensor
    labels: Tensor
    origin: Origin

    def __post_init__(self) -> None:
        _check(self.images, self.labels, self.origin, "the distilled set")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def ipc(self) -> float:
        """Images per class; a mean where classes differ."""
        return len(self.images) / len(self.origin.class_names)

    @cached_property
    def pixels(self) -> Tensor:
        """What an 8-bit file holds: uint8 ``image channel height width``, clipped to what a screen can show."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.origin.mean, self.origin.std))
        return (self.images * std + mean).clamp(0, 1).mul(255).round().to(torch.uint8)

    def expanded(self) -> tuple[Tensor, Tensor]:
        """What networks are trained on: images and labels, every part of an image enlarged to one of its own where there are parts."""
        return expand(self.images, self.origin.factor), self.labels.repeat_interleave(self.origin.factor**2)

    def rendered(self) -> DistilledSet:
        """The same set after a journey through 8 bits, normalised again."""
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.origin.mean, self.origin.std))
        return replace(self, images=(self.pixels.float() / 255 - mean) / std)

    def save(self, folder: Path | str) -> Path:
        """Write a self-describing folder: the float images, an 8-bit parquet, a dataset card and a picture.

        Args:
            folder: Made if missing; files of an earlier set in it are replaced.

        Returns:
            The folder.
        """
        from datastill.export import write_card, write_parquet
        from datastill.grid import write_grid

        folder = Path(folder)
        header = {"format": FORMAT, "origin": json.dumps(asdict(self.origin))}
        save_tensors(folder / IMAGES, {"images": self.images, "labels": self.labels}, header)
        write_parquet(self, folder / "data" / "train-00000-of-00001.parquet")
        write_grid(self, folder / "grid.png")
        write_card(self, folder / "README.md")
        return folder

    @classmethod
    def load(cls, path: Path | str) -> DistilledSet:
        """Read a run's folder, a distilled folder or its safetensors file back. Nothing in it is ever executed.

        Args:
            path: ``runs/NAME``, ``runs/NAME/distilled`` or a ``.safetensors`` file.

        Raises:
            UserError: If there is none, or its shapes, labels or values cannot be right.
        """
        path = _find(Path(path))
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != FORMAT or not {"images", "labels"} <= set(tensors):
            raise UserError(
                f"{path} is no distilled set of this program: expected the tensors images and labels and a header of format {FORMAT}"
            )
        origin = _origin(metadata.get("origin", ""), path)
        _check(tensors["images"], tensors["labels"], origin, str(path))
        return cls(tensors["images"], tensors["labels"], origin)

    @classmethod
    def load_dc(cls, path: Path | str, data: DataSet) -> DistilledSet:
        """Read the tensor file ``{'data': [[images, labels], ...]}`` of the published DC and DM code; the last set in it is taken.

        Args:
            path: A ``.pt`` file. Only tensors and plain containers are read; a file with any other pickled object is refused.
            data: The data set it was distilled from, which the file does not name.

        Raises:
            UserError: If the file holds anything else, or does not fit the data set.
        """
        path = Path(path)
        try:
            with torch.serialization.safe_globals(_PLAIN_NUMBERS):
                content = torch.load(path, map_location="cpu", weights_only=True)
            images, labels = content["data"][-1]
            _require_whole(images, labels)
            images, labels = images.detach().float(), labels.detach().long()
        except FileNotFoundError as error:
            raise UserError(f"no such file: {path}") from error
        except Exception as error:
            raise UserError(
                f"{path} is refused: expected a tensor file {{'data': [[images, labels]]}} with tensors only, without other pickled objects"
            ) from error
        origin = Origin(
            data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip, method="unknown", seed=0, iterations=0
        )
        _check(images, labels, origin, str(path))
        order = labels.argsort(stable=True)
        return cls(images[order].contiguous(), labels[order], origin)


def expanded_set(distilled: DistilledSet) -> DistilledSet:
    """The set with every part of an image enlarged to an image of its own, for programs that know nothing of parts."""
    images, labels = distilled.expanded()
    return DistilledSet(images.contiguous(), labels, replace(distilled.origin, factor=1))


_PLAIN_NUMBERS: list[Any] = [
    *((np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "int32")),
]
"""What the published code saves beside the images, its accuracies: NumPy's numbers, which nothing but a number can come out of."""


def _require_whole(*tensors: Tensor) -> None:
    """Refuse tensors that are sparse, without values, or larger than what is stored of them."""
    for tensor in tensors:
        stored = tensor.untyped_storage().nbytes() if tensor.layout == torch.strided and tensor.device.type == "cpu" else 0
        if stored < tensor.numel() * tensor.element_size():
            raise ValueError("not a plain tensor")


def _find(path: Path) -> Path:
    if path.suffix in TENSOR_FILES and path.is_file():
        raise UserError(f"{path} does not say what it was distilled from: only `datastill evaluate {path} --data NAME` reads it")
    candidates = [path] if path.is_file() else [path / IMAGES, path / "distilled" / IMAGES]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        started = " (the run is not finished: continue it with --resume)" if (path / "config.yaml").exists() else ""
        raise UserError(f"no distilled set at {path}{started}; expected a run's folder, a folder with {IMAGES}, or that file")
    return found


def _origin(text: str, path: Path) -> Origin:
    try:
        content: dict[str, Any] = json.loads(text)
        known = {entry.name for entry in fields(Origin)}
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items() if key in known}
        origin = Origin(**values)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"the header of {path} is damaged: expected the origin of the set as JSON") from error
    for name, kind in get_type_hints(Origin).items():
        if not _fits(getattr(origin, name), kind):
            raise UserError(f"the header of {path} is damaged: {name} is not what it should be, {str(getattr(origin, name))[:60]!r}")
    return origin


def _fits(value: Any, kind: Any) -> bool:
    if get_args(kind):
        return isinstance(value, tuple) and all(_fits(entry, get_args(kind)[0]) for entry in value)
    if kind is float:
        return type(value) in (int, float) and abs(value) < 1e6  # NaN is not
    return type(value) is kind


def _check(images: Tensor, labels: Tensor, origin: Origin, name: str) -> None:
    classes, channels = len(origin.class_names), len(origin.mean)
    problem = None
    if classes < 1 or channels not in (1, 3):
        problem = f"expected at least one class and 1 or 3 channels, got {classes} and {channels}"
    elif images.ndim != 4 or images.dtype != torch.float32 or images.shape[1] != channels or min(images.shape) < 1:
        problem = f"images must be float32 (image, {channels}, height, width), got {images.dtype} {tuple(images.shape)}"
    elif labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        problem = f"labels must be int64 ({len(images)},), got {labels.dtype} {tuple(labels.shape)}"
    elif int(labels.min()) < 0 or int(labels.max()) >= classes:
        problem = f"labels must be from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}"
    elif not bool(images.isfinite().all()):
        problem = f"{int((~images.isfinite()).sum())} pixel values are NaN or infinite"
    elif not 1 <= origin.factor <= max(1, min(images.shape[2:]) // LEAST_SIDE):
        problem = f"images of {images.shape[2]}x{images.shape[3]} pixels cannot have {origin.factor} parts a side"
    elif len(origin.std) != channels or min(origin.std) <= 0:
        problem = f"the standard deviations must be {channels} numbers above 0, got {origin.std}"
    if problem:
        raise UserError(f"{name} is not valid: {problem}")
