"""The loggers of a run, by name or as objects, none of which can end it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from datastill.errors import UserError
from datastill.files import reason
from datastill.logs import logger
from datastill.plugins import Names
from datastill.runs.loggers.logger import RunLogger
from datastill.runs.loggers.tensorboard import TensorBoardLogger
from datastill.runs.loggers.wandb import WandbLogger

log = logger(__name__)

LOGGERS: dict[str, Callable[[], RunLogger]] = {"tensorboard": TensorBoardLogger, "wandb": WandbLogger}
"""What makes the loggers of this package, by name."""


def _maker(name: str, offered: Any) -> Callable[[], RunLogger]:
    if not callable(offered):
        raise ValueError(f"expected a class or a function that makes a logger, got {offered!r}")
    maker: Callable[[], RunLogger] = offered
    return maker


NAMES: Names[Callable[[], RunLogger]] = Names("logger", LOGGERS, _maker)
"""The loggers of this package and of installed plug-ins."""


class Loggers:
    """Passes everything on to several loggers; one that raises is left out from then on, with one warning.

    Args:
        loggers: Each with the name that a warning gives it.
    """

    def __init__(self, loggers: Iterable[tuple[str, RunLogger]] = ()) -> None:
        self._loggers = list(loggers)

    @classmethod
    def of(cls, asked: Iterable[str | RunLogger]) -> Loggers:
        """Make the loggers that were asked for.

        Args:
            asked: Names of `NAMES`, or objects.

        Raises:
            UserError: If there is no such name, its package is missing, or an object is no logger.
        """
        if isinstance(asked, str):
            raise UserError(f'`loggers` must be a list of names or loggers, got "{asked}"')
        return cls((each if isinstance(each, str) else type(each).__name__, _made(each)) for each in asked)

    def begin(self, folder: Path | None, configuration: Mapping[str, Any], done: int) -> None:
        """See `RunLogger.begin`."""
        self._each(lambda logger: logger.begin(folder, configuration, done))

    def log(self, iteration: int, figures: Mapping[str, float]) -> None:
        """See `RunLogger.log`."""
        self._each(lambda logger: logger.log(iteration, figures))

    def end(self) -> None:
        """See `RunLogger.end`."""
        self._each(lambda logger: logger.end())

    def _each(self, act: Callable[[RunLogger], None]) -> None:
        for name, each in list(self._loggers):
            try:
                act(each)
            except Exception as error:  # whatever a service or its library raises
                self._loggers.remove((name, each))
                log.warning("the logger %s failed (%s) and gets nothing more of this run, which goes on", name, reason(error))


def _made(asked: str | RunLogger) -> RunLogger:
    made = NAMES.find(asked.lower())() if isinstance(asked, str) else asked
    if isinstance(made, type) or not isinstance(made, RunLogger):
        raise UserError(f"expected the name of a logger, or an object with `begin`, `log` and `end`, got {made!r}")
    return made
