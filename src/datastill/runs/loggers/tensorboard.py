"""Figures for TensorBoard, in files of the run's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datastill.configuration import flat
from datastill.errors import UserError

FOLDER = "tensorboard"


class TensorBoardLogger:
    """Writes scalars and the configuration into ``tensorboard/`` of the run's folder: ``tensorboard --logdir RUN``.

    Raises:
        UserError: If the package is missing.
    """

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UserError("the logger tensorboard needs the package tensorboard: pip install 'datastill[tensorboard]'") from error
        self._type: Any = SummaryWriter
        self._writer: Any = None

    def begin(self, folder: Path | None, configuration: Mapping[str, Any], done: int) -> None:
        """Open a file of events; what an earlier process wrote of later iterations is hidden (see `RunLogger.begin`)."""
        if folder is None:
            raise ValueError("it writes into a run's folder, and this run has none: give `out`")
        self._writer = self._type(str(folder / FOLDER), purge_step=done + 1 if done else None)
        rows = (f"| {key} | {value} |" for key, value in flat(configuration).items())
        self._writer.add_text("configuration", "\n".join(["| | |", "|---|---|", *rows]), done)

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        """A scalar for each (see `RunLogger.log`)."""
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, iteration)

    def end(self) -> None:
        """Write everything to disk (see `RunLogger.end`)."""
        if self._writer is not None:
            self._writer.close()
