"""Distilled sets made by other code: the tensor file of DC and DM, the files of trajectory matching, NumPy archives."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.distilled.tensor_file import TENSOR_FILES, read_plain, refusal, whole
from datastill.errors import UserError, unknown
from datastill.files import reason
from datastill.kinds import LEARNING_RATE, Canvas
from datastill.labels import HARD, KINDS, classes_of, problem
from datastill.logs import logger
from datastill.text import counted

log = logger(__name__)

FOREIGN_FILES = (*TENSOR_FILES, ".npz")
"""Endings of the files made by other code that `read` knows."""
ARRAYS = (("images", "labels"), ("image", "label"), ("x", "y"), ("x_train", "y_train"))
"""What images and labels are called in an archive, whatever the case."""
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Found(NamedTuple):
    """What a file holds.

    Attributes:
        images: As they are stored.
        labels: As they are stored.
        rate: The learned learning rate, if there is one.
        usual: What soft labels of such files are if they are not probabilities; None if that cannot be known.
        archive: Whether the images may be pixels, and channels may come last.
        pixels: Whether floats are pixels in [0, 1] that may reach beyond.
    """

    images: Tensor
    labels: Tensor
    rate: float | None = None
    usual: str | None = None
    archive: bool = False
    pixels: bool = False


def read(path: Path, data: DataSet, experiment: int | None = None, label_kind: str | None = None) -> Canvas:
    """Read images, labels and learned numbers (see `DistilledSet.load_foreign`).

    Raises:
        UserError: If there is no such file, or it is not understood.
    """
    if label_kind is not None and label_kind not in KINDS:
        raise unknown("kind of label", label_kind, KINDS)
    found = _archive(path) if path.suffix == ".npz" else _tensors(path, experiment, data)
    if experiment is not None and (path.suffix == ".npz" or found.usual):
        raise UserError(f"{path} holds one set: leave out the experiment number, {experiment}")
    images = _images(found, data, path)
    labels, kind = _labels(found, data, path, label_kind)
    return Canvas(images, labels, kind, {} if found.rate is None else {LEARNING_RATE: found.rate})


def _tensors(path: Path, experiment: int | None, data: DataSet) -> Found:
    content = read_plain(path)
    if isinstance(content, Tensor):
        return _trajectory(path, whole(content, path), data)
    sets = content.get("data") if isinstance(content, dict) else None
    if not isinstance(sets, list) or not sets:
        raise refusal(path)
    if experiment is not None and not 1 <= experiment <= len(sets):
        raise UserError(
            f"{path} holds the sets of {counted(len(sets), 'experiment')}, numbered from 1: there is no experiment {experiment}"
        )
    if experiment is None and len(sets) > 1:
        log.warning(
            "%s holds the sets of %d experiments; the last is read, unless you choose an experiment from 1 to %d", path, *[len(sets)] * 2
        )
    chosen = sets[-1 if experiment is None else experiment - 1]
    if not isinstance(chosen, list | tuple) or len(chosen) != 2:
        raise refusal(path)
    return Found(whole(chosen[0], path), whole(chosen[1], path))


def _trajectory(path: Path, images: Tensor, data: DataSet) -> Found:
    """``images_best.pt``, with ``labels_best.pt`` and perhaps ``lr_best.pt`` beside it; ``images_zca_best.pt`` has whitening undone."""
    name = re.fullmatch(r"images_(zca_)?(.+)", path.stem)
    if name is None:
        raise UserError(f"{path} is refused: it holds one tensor, which is read only if the file is named images_NAME{path.suffix}")
    beside, rate = (path.with_name(f"{what}_{name[2]}{path.suffix}") for what in ("labels", "lr"))
    if not beside.is_file():
        raise UserError(f"{path} has no labels: expected {beside.name} beside it")
    if name[1] is None and not data.whitening:
        log.warning("%s: if it was distilled on ZCA-whitened images, read it with `whiten`: networks are tested on unwhitened images", path)
    labels = whole(read_plain(beside), beside)
    return Found(images, labels, _rate(rate) if rate.is_file() else None, usual="logits", pixels=name[1] is not None)


def _rate(path: Path) -> float:
    content = read_plain(path)
    try:
        rate = float(content)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is refused: expected one number, the learned learning rate") from error
    if not 0 < rate < float("inf"):
        raise UserError(f"{path} is refused: the learned learning rate must be above 0 and finite, got {rate}")
    return rate


def _archive(path: Path) -> Found:
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            names = {name.lower(): name for name in file.files}
            pair = next((pair for pair in ARRAYS if {*pair} <= set(names)), None)
            if pair is None:
                raise UserError(
                    f"{path} has no images and labels: expected arrays of these names, got {', '.join(file.files)[:100] or 'none'}"
                )
            images, labels = (torch.from_numpy(file[names[name]]) for name in pair)
    except UserError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} is refused: expected an archive of plain arrays, images and labels ({reason(error)[:100]})") from error
    return Found(images, labels, usual="scores", archive=True)


def _images(found: Found, data: DataSet, path: Path) -> Tensor:
    """float32 ``image channel height width``, normalised."""
    images = _channels_first(found.images, data, path) if found.archive else found.images
    if images.dtype == torch.uint8 and images.ndim == 4 and images.shape[1] == data.channels:
        return data.normalise(images)
    if not images.is_floating_point():
        raise UserError(f"{path}: images must be uint8 or floats, got {images.dtype} {tuple(images.shape)}")
    images = images.float()
    if found.pixels and images.shape[1:] == (data.channels, *data.size):
        return data.normalisation.apply(images)
    if not found.archive or not images.numel() or float(images.min()) < 0 or not bool(images.isfinite().all()):
        return images  # normalised, or refused later
    if float(images.max()) > 1:
        raise UserError(
            f"{path}: float images from {float(images.min()):.4g} to {float(images.max()):.4g} are neither pixels from 0 to 1 nor "
            "normalised; store pixels from 0 to 255 as uint8"
        )
    log.info("%s: float images from 0 to 1 are read as pixels", path)
    return data.normalisation.apply(images)


def _channels_first(images: Tensor, data: DataSet, path: Path) -> Tensor:
    first, last = (data.channels, *data.size), (*data.size, data.channels)
    shape = tuple(images.shape[1:])
    if data.channels == 1 and shape == data.size:
        return images[:, None]
    if first == last == shape:
        raise UserError(f"{path}: images {shape} may have their channels first or last; save them as a tensor file, with channels first")
    if shape not in (first, last):
        raise UserError(
            f"{path}: images {tuple(images.shape)} do not fit {data.name}: expected (image, {_text(first)}) or (image, {_text(last)})"
        )
    return images if shape == first else images.permute(0, 3, 1, 2).contiguous()


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _labels(found: Found, data: DataSet, path: Path, asked: str | None) -> tuple[Tensor, str]:
    """Labels and what they are: one-hot rows count as hard labels, since they hold no more."""
    labels = found.labels[:, 0] if found.labels.ndim == 2 and found.labels.shape[1] == 1 and data.classes > 1 else found.labels
    if labels.ndim < 2:
        if labels.dtype not in INTEGERS and not (labels.is_floating_point() and bool((labels == labels.round()).all())):
            raise UserError(f"{path}: expected classes as whole numbers or a row of numbers for every image as labels, got {labels.dtype}")
        if asked not in (None, HARD):
            raise UserError(f"{path} has hard labels, not {asked}")
        return labels.long(), HARD
    soft = labels.float() if labels.is_floating_point() or labels.dtype in INTEGERS else labels
    if soft.ndim != 2 or not soft.is_floating_point() or not soft.numel():
        raise UserError(f"{path}: labels must be (image,) or (image, class), got {labels.dtype} {tuple(labels.shape)}")
    if asked == HARD or (asked is None and bool(((soft == 0) | (soft == 1)).all()) and bool((soft.sum(1) == 1).all())):
        if soft.shape[1] != data.classes:
            raise UserError(f"{path}: labels of {soft.shape[1]} classes do not fit the {data.classes} classes of {data.name}")
        return classes_of(soft), HARD
    if asked is not None:
        return soft, asked
    if problem(soft, "probabilities", *soft.shape) is None:
        return soft, "probabilities"
    if found.usual is None:
        raise UserError(f"{path}: the labels are not probabilities; say whether they are weights, logits or scores")
    log.warning(
        "%s: the labels are not probabilities and are read as %s, as usual in such files, unless another kind is given", path, found.usual
    )
    return soft, found.usual
