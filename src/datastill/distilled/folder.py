"""A distilled set and its folder: saved, loaded, checked."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, get_args, get_type_hints

import torch
from torch import Tensor

from datastill.configuration import from_plain
from datastill.data import DataSet
from datastill.data.whitening import Whitening
from datastill.distilled.card import Published, write_card
from datastill.distilled.fetching import fetch, is_of_hub
from datastill.distilled.foreign import FOREIGN_FILES, read
from datastill.distilled.hub import remove_others, table, write_parquet
from datastill.distilled.packed import packed, unpacked
from datastill.distilled.picture import write_grid
from datastill.distilled.set import Origin, SyntheticImages, check
from datastill.errors import UserError
from datastill.files import is_empty, load_tensors, new_folder, save_tensors
from datastill.kinds import Canvas
from datastill.kinds.canvas import NUMBERS
from datastill.labels import HARD, classes_of

IMAGES = "images.safetensors"
FORMAT = "datastill-1"
WHITENED = "datastill-2"
"""The format of a whitened set, which earlier versions would take for one that is not."""


@dataclass(frozen=True, eq=False, repr=False)
class DistilledSet(SyntheticImages):
    """A few images per class, synthetic or chosen, with a folder that they are kept in.

    Attributes:
        images: float32 ``image channel height width``, normalised; class after class.
        labels: int64 ``image``, or float32 ``image class`` where they are soft.
        origin: Where they come from.
        label_kind: What the labels are, one of `datastill.labels.KINDS`.
        numbers: Other numbers that were learned, by name.
    """

    def save(self, folder: Path | str, *, published: Published | None = None) -> Path:
        """Write a self-describing folder: the float images with labels and learned numbers, an 8-bit parquet, a dataset card, a picture.

        Args:
            folder: Made if missing, as a whole; files of an earlier set in it are replaced, others stay.
            published: What the card of a set on the hub says in addition.

        Returns:
            The folder.

        Raises:
            UserError: If the folder holds other files and no set, the disk is full, or it cannot be written.
        """
        folder = Path(folder)
        if not os.path.lexists(folder):
            with new_folder(folder) as built:
                self._write(built, published)
            return folder
        if folder.is_dir() and not (folder / IMAGES).is_file() and not is_empty(folder):
            raise UserError(f"{folder} holds other files and no distilled set: remove them, or name another folder")
        self._write(folder, published)
        return folder

    def _write(self, folder: Path, published: Published | None) -> None:
        save_tensors(folder / IMAGES, {"labels": self.labels, **self.canvas.tensors()}, self._header())
        parquet = write_parquet(self, folder)
        write_grid(self, folder / "grid.png")
        write_card(self, parquet, folder / "README.md", published)
        remove_others(parquet, folder)

    def _header(self) -> dict[str, str]:
        origin = asdict(self.origin)
        if origin["whitening"] is None:
            del origin["whitening"]
        return {"format": WHITENED if self.origin.whitening else FORMAT, "origin": json.dumps(origin), "labels": self.label_kind}

    def pack(self, path: Path | str, form: str) -> Path:
        """Write the images, labels and learned numbers alone into one small file, which `load` reads.

        Args:
            path: The file; replaced if it is there.
            form: "float16", or "8-bit": 256 equal steps from the least to the largest value of a channel.

        Returns:
            The file.

        Raises:
            UserError: If the form is unknown, a value is too large for it, or the file cannot be written.
        """
        stored, said = packed(self.images, form)
        save_tensors(Path(path), {"labels": self.labels, **self.canvas.tensors(), "images": stored}, {**self._header(), **said})
        return Path(path)

    def as_hf(self) -> Any:
        """What networks are trained on (see `expanded`) as a `datasets.Dataset` in memory.

        Its columns are ``image`` (8 bits, see `clipped`), ``label`` (a ClassLabel) and, where labels are soft, ``soft_label``.

        Raises:
            UserError: If `datasets` is not installed.
        """
        try:
            from datasets import Dataset
        except ImportError as error:
            raise UserError("`as_hf` needs the package datasets: pip install 'datastill[hub]'") from error
        return Dataset(table(self.of_parts()))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read a run's folder, a distilled folder or its safetensors file back. Nothing in it is ever executed.

        Args:
            path: ``runs/NAME``, ``runs/NAME/distilled``, a ``.safetensors`` file, or ``hub:OWNER/NAME`` for a set of the Hugging Face hub.

        Raises:
            UserError: If there is none, or its shapes, labels or values cannot be right.
        """
        path = _find(Path(path))
        tensors, metadata = load_tensors(path)
        if metadata.get("format") not in (FORMAT, WHITENED) or not {"images", "labels"} <= set(tensors):
            raise UserError(
                f"{path} is not a distilled set of this program: expected the tensors images and labels and a header of format {FORMAT}"
            )
        origin = _origin(metadata.get("origin", ""), path)
        if (metadata["format"] == WHITENED) != (origin.whitening is not None):
            raise UserError(f"the header of {path} is damaged: its format {metadata['format']} does not fit whether it is whitened")
        images = unpacked(tensors["images"], metadata, path)
        canvas = Canvas(images, tensors["labels"], metadata.get("labels", HARD), _numbers(tensors, path))
        check(canvas, origin, str(path))
        return cls.of(canvas, origin)

    @classmethod
    def load_foreign(cls, path: Path | str, data: DataSet, *, experiment: int | None = None, label_kind: str | None = None) -> Self:
        """Read a set made by other code.

        Args:
            path: A ``.pt`` file ``{'data': [[images, labels], ...]}`` of the DC and DM code; ``images_best.pt`` of trajectory matching with
                ``labels_best.pt`` (and ``lr_best.pt``) beside it; or an ``.npz`` file of images and labels. Only tensors, arrays and plain
                containers are read; a file with any other pickled object is refused.
            data: The data set it was distilled from, which the file does not name.
            experiment: Which set of a file that holds several, from 1; None takes the last one.
            label_kind: What soft labels are, one of `datastill.labels.KINDS`; None takes probabilities if they sum to
                one, and otherwise goes by the kind of file.

        Raises:
            UserError: If the file holds anything else, or does not fit the data set.

        Reference:
            DC arXiv:2006.05929, DM arXiv:2110.04181, trajectory matching arXiv:2203.11932.
        """
        path = Path(path)
        canvas = read(path, data, experiment, label_kind)
        origin = Origin(
            data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip, method="unknown", seed=0, iterations=0,
            held_out=data.held_out, whitening=data.whitened_by,
        )  # fmt: skip
        check(canvas, origin, str(path))
        order = classes_of(canvas.labels).argsort(stable=True)
        return cls(canvas.images[order].contiguous(), canvas.labels[order], origin, canvas.label_kind, canvas.numbers)

    @classmethod
    def load_dc(cls, path: Path | str, data: DataSet) -> Self:
        """The earlier name of `load_foreign`."""
        return cls.load_foreign(path, data)


def _find(path: Path) -> Path:
    if is_of_hub(path):
        return fetch(str(path), IMAGES)
    if path.suffix in FOREIGN_FILES and path.is_file():
        raise UserError(f"{path} does not say what it was distilled from: give it with `data`, for example `data=cifar10`")
    candidates = [path] if path.is_file() else [path / IMAGES, path / "distilled" / IMAGES]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        started = " (the run is not finished: continue it with `datastill.resume`)" if (path / "config.yaml").exists() else ""
        raise UserError(f"no distilled set at {path}{started}; expected a run's folder, a folder with {IMAGES}, or that file")
    return found


def _numbers(tensors: Mapping[str, Tensor], path: Path) -> dict[str, float]:
    """The learned numbers in a file.

    Raises:
        UserError: If there is a tensor that is neither those nor images and labels.
    """
    numbers = {name.removeprefix(NUMBERS): value for name, value in tensors.items() if name not in ("images", "labels")}
    for name, value in numbers.items():
        if f"{NUMBERS}{name}" not in tensors or value.shape != () or value.dtype != torch.float64 or not math.isfinite(value):
            raise UserError(
                f"{path} is damaged: expected images, labels and finite float64 numbers named {NUMBERS}NAME, "
                f"got '{name[:60]}', {value.dtype} {tuple(value.shape)}"
            )
    return {name: float(value) for name, value in numbers.items()}


def _origin(text: str, path: Path) -> Origin:
    try:
        content: dict[str, Any] = json.loads(text)
        known = {entry.name for entry in fields(Origin)}
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items() if key in known}
        if values.get("whitening") is not None:
            values["whitening"] = from_plain(Whitening, values["whitening"], f"the whitening of {path}")
        origin = Origin(**values)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"the header of {path} is damaged: expected the origin of the set as JSON") from error
    for name, kind in get_type_hints(Origin).items():
        if not _fits(getattr(origin, name), kind):
            raise UserError(
                f"the header of {path} is damaged: {name} has a value that cannot be right, {str(getattr(origin, name))[:60]!r}"
            )
    if origin.iterations < 0 or not 0 <= origin.held_out <= 0.5:
        said = f"{origin.iterations} iterations, {origin.held_out:g} of every class held out"
        raise UserError(f"the header of {path} is damaged: it cannot be of {said}")
    return origin


def _fits(value: Any, kind: Any) -> bool:
    if kind == Whitening | None:
        return value is None or (isinstance(value, Whitening) and 0 < value.epsilon < 1e6)
    if get_args(kind):
        return isinstance(value, tuple) and all(_fits(entry, get_args(kind)[0]) for entry in value)
    if kind is float:
        return type(value) in (int, float) and abs(value) < 1e6  # NaN is not
    return type(value) is kind
