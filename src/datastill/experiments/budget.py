"""As much of an experiment as fits into a time, the most informative cells first."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datastill.engine.measuring import threads
from datastill.errors import UserError
from datastill.experiments.cell import AnyCell
from datastill.experiments.forecast import Measuring
from datastill.experiments.policy import cost
from datastill.experiments.running import Work
from datastill.experiments.specification import Experiment, Specifications
from datastill.logs import logger
from datastill.progress import clock

log = logger(__name__)


@dataclass
class Budget:
    """Chooses cells for `run_experiment` until a time is over, and says what is left.

    Rows that have no set yet come before rows that have one, those before rows with two, and so on. Among them, rows with a published
    number come first, then the cheapest. A cell is begun if it fits into the time that is left, by a few of its steps that are measured
    just before; what measuring takes counts. A cell that takes longer than that is not stopped. With several workers, a cell is chosen when
    one of them is free, and measured while the others compute, so its time is rather too high.

    Attributes:
        seconds: The time, above 0.
        runs: Where the runs are kept.
        clock: Seconds by the clock.
        cores: Of a cell, with which it is measured; 0 for those of this process.
        left: What the cells that did not fit would take at least, in seconds by their names.

    Raises:
        UserError: If there is no time.
    """

    seconds: float
    runs: Path
    clock: Callable[[], float] = time.monotonic
    cores: int = 0
    left: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise UserError(f"a budget is a time above 0, got {self.seconds:g} seconds")

    def __call__(self, work: Work, name: str, experiments: Specifications) -> Iterator[AnyCell]:
        """Give one cell after the other, each when the one before has been run."""
        end, measuring = self.clock() + self.seconds, Measuring(work, self.runs)
        costs = {cell.name: cost(cell, work.read(cell.data)) for cell in work.cells}
        experiment = experiments[name]
        lines = experiment.lines(name, experiments) if isinstance(experiment, Experiment) else ()
        published = {cell.name for line in lines if line.published is not None for cell in line.cells}
        sets = Counter(map(_line, work.recorded))
        waiting, rate = list(work.cells), 0.0
        while waiting:
            cell = min(waiting, key=lambda each: (sets[_line(each.name)], each.name not in published, costs[each.name]))
            waiting.remove(cell)
            takes = rate * costs[cell.name]
            if self.clock() + takes < end:
                with threads(self.cores):
                    takes = measuring.seconds(cell)
                rate = min(rate or takes / costs[cell.name], takes / costs[cell.name])
            if self.clock() + takes >= end:
                self.left[cell.name] = takes
                continue
            yield cell
            measuring.count(cell)
            sets[_line(cell.name)] += 1
        self._report(len(work.cells))

    def _report(self, cells: int) -> None:
        if self.left:
            names = ", ".join(f"{name} (about {clock(seconds)})" for name, seconds in self.left.items())
            log.info("the budget of %s was for %d of %d cells; left: %s", clock(self.seconds), cells - len(self.left), cells, names)


def _line(cell: str) -> str:
    """What the names of cells have in common that differ in the seed alone."""
    return re.sub(r"/seed-?\d+$", "", cell)
