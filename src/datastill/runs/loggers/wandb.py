"""Figures for Weights & Biases."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from datastill.errors import UserError

PROJECT = "datastill"


class WandbLogger:
    """Sends figures and the configuration to the project of ``WANDB_PROJECT``, by default "datastill".

    The variables of wandb hold: with ``WANDB_MODE=offline`` everything stays in ``wandb/`` of the run's folder, for ``wandb sync``. A run
    that is continued in its folder continues there, too.

    Raises:
        UserError: If the package is missing.
    """

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError as error:
            raise UserError("the logger wandb needs the package wandb: pip install 'datastill[wandb]'") from error
        self._wandb: Any = wandb
        self._run: Any = None

    def begin(self, folder: Path | None, configuration: Mapping[str, Any], done: int) -> None:
        """Begin a run there, or continue it (see `RunLogger.begin`)."""
        where = None if folder is None else folder.resolve()
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=None if where is None else where.name,
            id=None if where is None else hashlib.blake2b(os.fsencode(where), digest_size=8).hexdigest(),
            resume=None if where is None else "allow",
            dir=where,
            config=dict(configuration),
        )

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        """A step of its history (see `RunLogger.log`)."""
        if self._run is not None:
            self._run.log(dict(figures), step=iteration)

    def end(self) -> None:
        """Send what is left (see `RunLogger.end`)."""
        if self._run is not None:
            self._run.finish()
