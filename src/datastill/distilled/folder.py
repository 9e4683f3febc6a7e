"""A distilled set and its folder: saved, loaded, checked."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, get_args, get_type_hints

from datastill.data import DataSet
from datastill.distilled.hub import write_card, write_parquet
from datastill.distilled.picture import write_grid
from datastill.distilled.set import Origin, SyntheticImages, check
from datastill.distilled.tensor_file import TENSOR_FILES, read_dc
from datastill.errors import UserError
from datastill.files import load_tensors, save_tensors

IMAGES = "images.safetensors"
FORMAT = "datastill-1"


@dataclass(frozen=True, eq=False)
class DistilledSet(SyntheticImages):
    """A few synthetic images per class, with a folder that they are kept in.

    Attributes:
        images: float32 ``image channel height width``, normalised; class after class.
        labels: int64 ``image``.
        origin: Where they come from.
    """

    def save(self, folder: Path | str) -> Path:
        """Write a self-describing folder: the float images, an 8-bit parquet, a dataset card and a picture.

        Args:
            folder: Made if missing; files of an earlier set in it are replaced.

        Returns:
            The folder.
        """
        folder = Path(folder)
        header = {"format": FORMAT, "origin": json.dumps(asdict(self.origin))}
        save_tensors(folder / IMAGES, {"images": self.images, "labels": self.labels}, header)
        write_parquet(self, folder / "data" / "train-00000-of-00001.parquet")
        write_grid(self, folder / "grid.png")
        write_card(self, folder / "README.md")
        return folder

    @classmethod
    def load(cls, path: Path | str) -> Self:
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
        check(tensors["images"], tensors["labels"], origin, str(path))
        return cls(tensors["images"], tensors["labels"], origin)

    @classmethod
    def load_dc(cls, path: Path | str, data: DataSet) -> Self:
        """Read the tensor file ``{'data': [[images, labels], ...]}`` of the published DC and DM code; the last set in it is taken.

        Args:
            path: A ``.pt`` file. Only tensors and plain containers are read; a file with any other pickled object is refused.
            data: The data set it was distilled from, which the file does not name.

        Raises:
            UserError: If the file holds anything else, or does not fit the data set.
        """
        path = Path(path)
        images, labels = read_dc(path)
        origin = Origin(
            data.name, data.fingerprint, data.class_names, data.mean, data.std, data.flip, method="unknown", seed=0, iterations=0
        )
        check(images, labels, origin, str(path))
        order = labels.argsort(stable=True)
        return cls(images[order].contiguous(), labels[order], origin)


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
