"""What added terms change, as differences between sets that were distilled with the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from datastill.configuration import flat
from datastill.evaluation.spread import LEAST, half_interval, spread
from datastill.experiments.record import Record
from datastill.experiments.specification import Line
from datastill.report.markdown import table


@dataclass(frozen=True)
class Difference:
    """What a method with added terms is above the one without them.

    Attributes:
        method: The row with the terms.
        base: That without them.
        data: The data set.
        ipc: Images per class.
        values: By distilling seed, points between the means of the two sets of that seed.
    """

    method: str
    base: str
    data: str
    ipc: int
    values: tuple[float, ...]


def differences(found: Sequence[tuple[Line, Sequence[Record]]]) -> list[Difference]:
    """Pair every row whose method has added terms with the row of its method alone, by data set, IPC and seed.

    Rows that differ in more than the terms are not paired: those that are evaluated under another protocol, or whose methods have another
    value. Steps may differ, as those of equal cost do.

    Args:
        found: The lines of a table with the records that are there.

    Returns:
        Those with at least `LEAST` seeds in common, in the order of the table.
    """
    pairs = []
    for line, records in found:
        base, _, added = line.row.method.partition("+")
        for other, alone in found if added else ():
            same = (other.row.method, other.block.name, other.ipc) == (base, line.block.name, line.ipc)
            if not same or not _alike(records[0], alone[0]):
                continue
            mine, theirs = _by_seed(records), _by_seed(alone)
            values = tuple(mine[seed] - theirs[seed] for seed in mine if seed in theirs)
            if len(values) >= LEAST:
                pairs.append(Difference(line.row.name, other.row.name, line.block.name, line.ipc, values))
            break
    return pairs


def _alike(one: Record, other: Record) -> bool:
    """Whether two sets differ in the terms alone, as far as both records say."""
    mine, theirs = ({path: value for path, value in flat(each.method).items() if not _of_terms(path)} for each in (one, other))
    return one.cell.protocol == other.cell.protocol and all(mine[path] == theirs[path] for path in mine.keys() & theirs.keys())


def _of_terms(path: str) -> bool:
    """Whether a value of a method is its name, or one of terms and what they read and are bounded by."""
    return path.partition(".")[0] in ("name", "terms", "encoders", "added", "balance")


def _by_seed(records: Sequence[Record]) -> dict[int, float]:
    return {record.cell.seed: fmean(record.score.accuracies) for record in records}


def section(pairs: Sequence[Difference]) -> list[str]:
    """The part of a page on the differences; nothing where there are none."""
    if not pairs:
        return []
    several = len({(pair.data, pair.ipc) for pair in pairs}) > 1
    place = ("data", "IPC") if several else ()
    rows = [
        [
            f"`{pair.method}`", f"`{pair.base}`", *((pair.data, pair.ipc) if several else ()),
            f"{fmean(pair.values):+.2f} +- {spread(pair.values) or 0.0:.2f}", f"+- {half_interval(pair.values):.2f}",
            f"+- {half_interval(pair.values, among=len(pairs)):.2f}", len(pair.values),
        ]
        for pair in pairs
    ]  # fmt: skip
    head = ["method", "against", *place, "difference (mean +- std)", "95% interval", f"the same for all {len(pairs)} together", "seeds"]
    return [
        "## What added terms change, paired by seed",
        "",
        *table(head, rows),
        "",
        "Sets of one seed start from the same images and are tested in networks with the same first weights, so their differences vary "
        "less than the rows above do. One interval in twenty leaves out zero by chance; those for all together are wider: if no "
        "term had an effect, at most one page in twenty would have such an interval (Bonferroni).",
        "",
    ]
