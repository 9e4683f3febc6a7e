"""Tables of results that may be compared with each other, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from datastill.errors import UserError
from datastill.evaluation.spread import half_interval, spread
from datastill.report.comparison.measured import Conditions, Measured
from datastill.report.comparison.reading import read
from datastill.text import counted


@dataclass(frozen=True)
class ComparisonLine:
    """A method at an IPC.

    Attributes:
        name: The method, or what the row of an experiment is called.
        differs: The settings that tell it from others of its name and IPC.
        ipc: Images per class.
        accuracy: Mean top-1 in percent over the networks of all sets.
        std: Over the networks of a single set, or over the means of several sets; divided by their number. None for one.
        interval95: Half width of the 95% interval of the mean, of the same values.
        n: Networks.
        sets: Distilled sets, each with its own seed.
        random: Mean of networks on a random real subset of the same size, where that was measured.
        sources: Where it was read from.
    """

    name: str
    differs: str
    ipc: float
    accuracy: float
    std: float | None
    interval95: float | None
    n: int
    sets: int
    random: float | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonTable:
    """Lines that were measured under the same conditions.

    Attributes:
        conditions: Which.
        title: Them in words.
        lines: By IPC, then in the order they were given in.
        precisions: Of the networks, where it is known.
    """

    conditions: Conditions
    title: str
    lines: tuple[ComparisonLine, ...]
    precisions: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that was found.

    Attributes:
        tables: One for all results of the same conditions.
        unmeasured: Folders of sets that have not been evaluated.
    """

    tables: tuple[ComparisonTable, ...]
    unmeasured: tuple[Path, ...] = ()


def compare(paths: Sequence[Path | str], results: Path | str | None = "results") -> Comparison:
    """Put results side by side.

    Two results are in one table only if they have the same data set and training split, the same test split, the same protocol and
    network, and labels of the same kind. Runs that differ in nothing but the seed are one line.

    Args:
        paths: Folders of runs or of results, and files of evaluations.
        results: The folder of all results: a run of an experiment in which no evaluation lies has the accuracies of its records there.

    Raises:
        UserError: If there is nothing to compare, or a file is damaged.
    """
    if not paths:
        raise UserError("nothing to compare: give folders of runs or of results, or files of evaluations")
    read_once = dict.fromkeys(Path(path) for path in paths)
    found = [read(path, Path(results) if results is not None else None) for path in read_once]
    measured = [one for some, _ in found for one in some]
    unmeasured = tuple(path for _, some in found for path in some)
    if not measured:
        among = f"; {counted(len(unmeasured), 'set')} there, not evaluated yet: datastill evaluate {unmeasured[0]}" if unmeasured else ""
        raise UserError(f"no result in {', '.join(map(str, read_once))}{among}")
    by_conditions: dict[Conditions, list[Measured]] = {}
    for one in measured:
        by_conditions.setdefault(one.conditions, []).append(one)
    titles = [conditions.title for conditions in by_conditions]
    return Comparison(
        tuple(_table(conditions, some, several=titles.count(conditions.title) > 1) for conditions, some in by_conditions.items()),
        unmeasured,
    )


def _table(conditions: Conditions, measured: Sequence[Measured], *, several: bool) -> ComparisonTable:
    """The table of some conditions; if several have the same title, it says which training split it is of."""
    groups = sorted(_groups(measured), key=lambda group: group.first.ipc)
    lines = tuple(group.line(_differences(group, groups)) for group in groups)
    precisions = sorted({one.precision for one in measured if one.precision})
    title = f"{conditions.title} (training split {conditions.fingerprint or 'not recorded'})" if several else conditions.title
    return ComparisonTable(conditions, title, lines, tuple(precisions))


@dataclass
class _Group:
    """The sets of one line: what was measured of each, by the seed of its networks."""

    sets: dict[str, dict[int, Measured]] = field(default_factory=dict)

    @property
    def first(self) -> Measured:
        return next(iter(next(iter(self.sets.values())).values()))

    def takes(self, one: Measured) -> bool:
        """Whether it is of a set of this line, or of one that differs in the seed alone."""
        first = self.first
        if one.made in self.sets:
            before = self.sets[one.made].get(one.evaluation_seed)
            return (one.values, one.ipc) == (first.values, first.ipc) and (before is None or _one_begins_the_other(before, one))
        alike = (one.name, one.ipc, one.values) == (first.name, first.ipc, first.values)
        return alike and one.seed is not None and one.seed not in {each.seed for each in self.measured()}

    def measured(self) -> Iterable[Measured]:
        return (one for by_seed in self.sets.values() for one in by_seed.values())

    def add(self, one: Measured) -> None:
        """Add networks; of two evaluations with the same seed the one with more networks counts."""
        by_seed = self.sets.setdefault(one.made, {})
        before = by_seed.get(one.evaluation_seed)
        if before is None or len(before.accuracies) < len(one.accuracies):
            by_seed[one.evaluation_seed] = one

    def line(self, differs: str) -> ComparisonLine:
        sets = [[value for one in by_seed.values() for value in one.accuracies] for by_seed in self.sets.values()]
        values = [fmean(accuracies) for accuracies in sets] if len(sets) > 1 else sets[0]
        every = [value for accuracies in sets for value in accuracies]
        random = [value for one in self.measured() for value in one.random]
        return ComparisonLine(
            name=self.first.name,
            differs=differs,
            ipc=self.first.ipc,
            accuracy=fmean(every),
            std=spread(values),
            interval95=half_interval(values),
            n=len(every),
            sets=len(sets),
            random=fmean(random) if random else None,
            sources=tuple(dict.fromkeys(one.source for one in self.measured())),
        )


def _groups(measured: Sequence[Measured]) -> list[_Group]:
    groups: list[_Group] = []
    for one in measured:
        if any(_same(one, other) for group in groups for other in group.measured()):
            continue  # a record and the run that it is of
        group = next((group for group in groups if group.takes(one)), None)
        if group is None:
            group = _Group()
            groups.append(group)
        group.add(one)
    return groups


def _same(one: Measured, other: Measured) -> bool:
    """Whether two files say the same of the same set."""
    keys = ("name", "ipc", "values", "seed", "evaluation_seed", "accuracies")
    return one.seed is not None and all(getattr(one, key) == getattr(other, key) for key in keys)


def _one_begins_the_other(one: Measured, other: Measured) -> bool:
    """Whether the networks of one evaluation are the first of another one."""
    return all(first == second for first, second in zip(one.accuracies, other.accuracies, strict=False))


def _differences(group: _Group, groups: Sequence[_Group]) -> str:
    """The values that tell a line from others of its name and IPC."""
    mine = group.first
    others = [other.first.values for other in groups if (other.first.name, other.first.ipc) == (mine.name, mine.ipc)]
    return ", ".join(f"{path}={_shown(mine.values, path)}" for path in _paths(others) if len({_shown(each, path) for each in others}) > 1)


def _paths(values: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(path for each in values for path in each))


def _shown(values: Mapping[str, Any], path: str) -> str:
    return str(values[path]) if path in values else "none"
