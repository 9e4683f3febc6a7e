"""How a run is doing, read from its folder while any process is at work on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datastill.configuration import from_plain
from datastill.data.normalisation import PerChannel
from datastill.data.whitening import Whitening, kept
from datastill.errors import UserError
from datastill.files import in_use, is_empty, load_tensors
from datastill.runs.folder import Run

WAITING, PREPARING, RUNNING, STOPPED, FINISHED = "waiting", "preparing", "running", "stopped", "finished"
PACE = 50
"""The rate is that of the last steps, of this many."""
NO_TERMS = ("iteration", "seconds", "validation_accuracy", "labels")
"""What a line of metrics has beside figures of the step."""
LEARNED = ("average", "pixels", "images")
"""What the images are called among the tensors of a checkpoint or snapshot; the first that is there is shown."""


@dataclass(frozen=True)
class Status:
    """How a run is doing.

    Attributes:
        folder: The run's.
        state: "waiting" before it has begun, "preparing" before its first step, "running", "stopped" before its last step, or "finished".
        method: Its name.
        data: The name of the data set.
        ipc: Images per class.
        done: Steps whose figures are there.
        total: Steps of the whole run.
        seconds: Median of the last steps; None before the first.
        terms: The figures of all steps by name; NaN where a step has none of that name.
        validated: Iterations with their accuracies on the validation split, in percent.
        mean: Of the data's channels, and so `std`.
        std: Standard deviation.
        whitening: What the data is whitened by; None where it is not.
    """

    folder: Path
    state: str
    method: str = ""
    data: str = ""
    ipc: int = 0
    done: int = 0
    total: int = 0
    seconds: float | None = None
    terms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    validated: Sequence[tuple[int, float]] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    whitening: Whitening | None = None

    @property
    def left(self) -> float | None:
        """Seconds until the last step; None before the first."""
        return None if self.seconds is None else self.seconds * max(0, self.total - self.done)

    @property
    def over(self) -> bool:
        """Whether no process takes steps any more."""
        return self.state in (STOPPED, FINISHED)


def read_status(folder: Path) -> Status:
    """Read how a run is doing. Nothing is written, and no process is held up.

    Args:
        folder: The run's; it need not exist yet.

    Raises:
        UserError: If it holds anything else, or its configuration is damaged.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file: expected the folder of a run")
    run, busy = Run(folder), in_use(folder / "config.yaml")
    config = run.config()
    if config is None:
        if folder.is_dir() and not busy and not is_empty(folder):
            raise UserError(f"{folder} holds no run: it has no config.yaml")
        return Status(folder, WAITING)
    data, method = config.get("data"), config.get("method")
    total, ipc = config.get("iterations"), config.get("ipc")
    if not isinstance(data, dict) or not isinstance(method, dict) or type(total) is not int or type(ipc) is not int:
        raise UserError(f"{folder / 'config.yaml'} is not the configuration of a run: expected data, method, ipc and iterations")
    entries = run.metrics()
    steps = {entry["iteration"]: entry for entry in entries if "validation_accuracy" not in entry}
    names = dict.fromkeys(name for entry in steps.values() for name, value in entry.items() if name not in NO_TERMS and _figure(value))
    done = max(steps, default=0)
    complete = done >= total and (folder / "distilled" / "images.safetensors").exists()
    return Status(
        folder,
        FINISHED if complete and not busy else STOPPED if not busy else RUNNING if steps else PREPARING,
        method=str(method.get("name", "?")),
        data=str(data.get("name", "?")),
        ipc=ipc,
        done=done,
        total=total,
        seconds=median([entry["seconds"] for entry in list(steps.values())[-PACE:] if "seconds" in entry] or [math.nan]) if steps else None,
        terms={name: [_number(entry.get(name)) for entry in steps.values()] for name in names},
        validated=[(entry["iteration"], entry["validation_accuracy"]) for entry in entries if "validation_accuracy" in entry],
        mean=_channels(data.get("mean")),
        std=_channels(data.get("std")),
        whitening=from_plain(Whitening | None, data.get("whitening"), f"{folder / 'config.yaml'}: data.whitening"),
    )


def newest_images(status: Status) -> NDArray[np.uint8] | None:
    """The images of the newest checkpoint or snapshot, as they are now; None if there is none that can be shown.

    Args:
        status: Of the run.

    Returns:
        ``class image height width channel`` for a run whose images are kept by class; others are taken to be in order of their classes.
    """
    for path in sorted(_kept(status.folder), reverse=True, key=lambda path: path.name):
        learned = _learned(path)
        if learned is None:
            continue
        if learned.ndim == 4:
            learned = torch.unflatten(learned, 0, (-1, status.ipc)) if len(learned) % max(1, status.ipc) == 0 else learned[None]
        if learned.ndim != 5 or learned.shape[2] not in (1, 3) or {len(status.mean), len(status.std)} != {learned.shape[2]}:
            continue
        normalisation = kept(status.whitening) if status.whitening else PerChannel(status.mean, status.std)
        if normalisation is None:
            return None
        pixels = (normalisation.invert(learned.float()).nan_to_num() * 255).round().clamp(0, 255).to(torch.uint8)
        shown: NDArray[np.uint8] = pixels.movedim(2, -1).numpy()
        return shown
    return None


def _kept(folder: Path) -> list[Path]:
    return [path for name in ("checkpoint", "snapshots") for path in (folder / name).glob("*.safetensors")]


def _learned(path: Path) -> Tensor | None:
    """The images of a file that another process may be removing; None if it has none, or is damaged."""
    try:
        tensors, _ = load_tensors(path)
    except UserError:
        return None
    return next((tensors[name] for name in LEARNED if name in tensors), None)


def _figure(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value) if _figure(value) else math.nan


def _channels(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values)) if isinstance(values, list) and all(map(_figure, values)) else ()
