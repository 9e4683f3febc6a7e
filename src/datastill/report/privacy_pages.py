"""The page of an experiment on privacy, made from its records alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from datastill.evaluation.spread import half_interval
from datastill.experiments.cell import REAL
from datastill.experiments.privacy.inference import FALSE_POSITIVES, GRID, LOSS, RATIO
from datastill.experiments.privacy.specification import PrivacyExperiment, PrivacyRecord
from datastill.files import write_atomic
from datastill.report.application import Found, Provenance, found, mean_and_interval, page, provenance
from datastill.report.markdown import table, write_csv
from datastill.report.scatter import Line, write_lines


@dataclass(frozen=True)
class PrivacyLine(Provenance):
    """What an attack reaches on one kind of set. Also the columns of ``table.csv``."""

    set: str
    images: int
    attack: str
    auc: float
    auc_interval95: float | None
    true_positives: float
    true_positives_interval95: float | None
    false_positives: float
    accuracy: float
    models: int
    members: int
    others: int


@dataclass(frozen=True)
class PrivacyPoint:
    """One point of a curve. Also the columns of ``curve.csv``."""

    set: str
    attack: str
    false_positives: float
    true_positives: float


def write(name: str, experiment: PrivacyExperiment, results: Path) -> None:
    """Write ``table.csv``, ``curve.csv``, ``curve.png`` and ``README.md`` from the records that are there."""
    rows, missing = found(name, experiment, results, PrivacyRecord)
    if not rows:
        return
    folder = results / name
    points = [point for row in rows for attack in (LOSS, RATIO) for point in _points(row, attack)]
    write_csv([_line(name, experiment, row, attack) for row in rows for attack in (LOSS, RATIO)], folder / "table.csv")
    write_csv(points, folder / "curve.csv")
    lines = [
        Line(row.row.name, attack, [(point.false_positives, point.true_positives) for point in _points(row, attack)])
        for attack in (LOSS, RATIO)
        for row in rows
    ]
    write_lines(lines, folder / "curve.png", experiment.title, "false positives", "true positives")
    cells = sum(len(row.records) for row in rows)
    write_atomic(
        folder / "README.md",
        page(experiment, cells, missing, _body(rows), [(row.row.name, provenance(name, experiment, row)) for row in rows]),
    )


def _areas(row: Found[PrivacyRecord], attack: str) -> list[float]:
    return [value for record in row.records for value in record.attacks[attack].auc]


def _rates(row: Found[PrivacyRecord], attack: str) -> list[float]:
    """In percent."""
    return [100 * value for record in row.records for value in record.attacks[attack].true_positives]


def _accuracies(row: Found[PrivacyRecord]) -> list[float]:
    return [value for record in row.records for value in record.accuracies]


def _points(row: Found[PrivacyRecord], attack: str) -> list[PrivacyPoint]:
    reached = zip(*(record.attacks[attack].curve for record in row.records), strict=True)
    return [
        PrivacyPoint(row.row.name, attack, share, round(fmean(values), 5))
        for share, values in zip(GRID, reached, strict=True)
        if share * row.first.others >= 1
    ]


def _line(name: str, experiment: PrivacyExperiment, row: Found[PrivacyRecord], attack: str) -> PrivacyLine:
    areas, rates, first = _areas(row, attack), _rates(row, attack), row.first
    return PrivacyLine(
        **asdict(provenance(name, experiment, row)),
        set=row.row.name,
        images=first.images,
        attack=attack,
        auc=round(fmean(areas), 4),
        auc_interval95=_rounded(half_interval(areas)),
        true_positives=round(fmean(rates), 4),
        true_positives_interval95=_rounded(half_interval(rates)),
        false_positives=100 * FALSE_POSITIVES,
        accuracy=round(fmean(_accuracies(row)), 2),
        models=len(areas),
        members=first.members,
        others=first.others,
    )


def _guessing(areas: Sequence[float]) -> bool:
    """Whether the interval of the area under the curve is not above 0.5."""
    return fmean(areas) - (half_interval(areas) or 0.0) <= 0.5


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _body(rows: Sequence[Found[PrivacyRecord]]) -> list[str]:
    head = ["set", "images", "n", "accuracy %"]
    head += [f"{what}, {attack}" for attack in (LOSS, RATIO) for what in ("AUC", "true positives %")]
    lines = []
    for row in rows:
        cells = [f"`{row.row.name}`", row.first.images, len(_accuracies(row)), mean_and_interval(_accuracies(row))]
        for attack in (LOSS, RATIO):
            cells += [mean_and_interval(_areas(row, attack), 3), mean_and_interval(_rates(row, attack))]
        lines.append(cells)
    first = rows[0].first
    cell, others = first.cell, first.others
    few = (
        f" Of {others} images, {100 * FALSE_POSITIVES:g}% is less than one: true positives are those with no false one at all."
        if others * FALSE_POSITIVES < 1
        else ""
    )
    told = [row for row in rows if row.row.method == REAL]
    blind = [attack for attack in (LOSS, RATIO) if told and _guessing(_areas(told[0], attack))]
    control = (
        [
            "",
            f"**The attack by {' and by '.join(blind)} does no better than guessing on networks that are trained on the real images "
            "themselves. So what it finds on sets says nothing of how much they hide.**",
        ]
        if blind
        else []
        if told
        else ["", "No networks on real images were attacked, without which nothing shows that these attacks can find anything."]
    )
    what = (
        f"{cell.audit} images of the pool are attacked, all under a wrong label; each is in half of the sets' real images"
        if cell.audit
        else "all images of the pool are attacked, and each is among the real images of half of the sets"
    )
    return [
        "![true over false positives](curve.png)", "", *table(head, lines), "",
        f"Networks ({cell.protocol.network}, {cell.protocol.called.upper()} protocol) are trained on sets, and attacked: was a real image "
        "among those that the set was made from? "
        f"There are n sets of each kind with one network each; {what}. So a network has {first.members} members and {others} others to "
        f"tell apart. Rows `{REAL}` are networks trained on the real images themselves. True positives are at {100 * FALSE_POSITIVES:g}% "
        f"false ones.{few} The likelihood ratio of a network has the others as its shadow models, as many with an image as without it. "
        "An AUC of 0.5 is guessing. +- is half "
        f"the 95% interval over the networks, which share their pool, so it is narrower than that of new pools would be. Accuracies are "
        f"top-1 on the {cell.split} split of {cell.data}. `table.csv` has the commands that repeat each row, `curve.csv` the figures of "
        "the picture.",
        *control,
    ]  # fmt: skip
