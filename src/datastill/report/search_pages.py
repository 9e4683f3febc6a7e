"""The page of an architecture search, made from its records alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from datastill.experiments.cell import REAL
from datastill.experiments.search.ranking import Correlation, correlations
from datastill.experiments.search.specification import SearchExperiment, SearchRecord
from datastill.files import write_atomic
from datastill.networks.variants import ConvNetChoices
from datastill.report.application import Found, Provenance, found, page, provenance
from datastill.report.markdown import table, write_csv
from datastill.report.scatter import Panel, write_scatter


@dataclass(frozen=True)
class SearchLine(Provenance):
    """How a set ranks architectures. Also the columns of ``table.csv``."""

    set: str
    images: int
    n: int
    over: str
    architectures: int
    correlation: float | None
    low: float | None
    high: float | None
    seconds: float


@dataclass(frozen=True)
class Trained:
    """What one architecture reached on one set. Also the columns of ``accuracies.csv``."""

    set: str
    architecture: str
    width: int
    depth: int
    activation: str
    pool: str
    norm: str
    accuracy: float
    n: int


def write(name: str, experiment: SearchExperiment, results: Path) -> None:
    """Write ``table.csv``, ``accuracies.csv``, ``ranking.png`` and ``README.md`` from the records that are there."""
    rows, missing = found(name, experiment, results, SearchRecord)
    if not rows:
        return
    folder = results / name
    means = {row.row.name: _means(row) for row in rows}
    real = means.get(next((row.row.name for row in rows if row.row.method == REAL), ""))
    sets = [row for row in rows if row.row.method != REAL]
    ranked = {row.row.name: correlations(means[row.row.name], real) for row in sets} if real else {}
    lines = [line for row in rows for line in _lines(name, experiment, row, ranked.get(row.row.name, {}))]
    write_csv(lines, folder / "table.csv")
    write_csv([_trained(row, architecture) for row in rows for architecture in means[row.row.name]], folder / "accuracies.csv")
    if real and sets:
        panels = [
            Panel(row.row.name, [means[row.row.name][each] for each in real], list(real.values()), _said(ranked[row.row.name]["all"]))
            for row in sets
        ]
        write_scatter(
            panels, folder / "ranking.png", experiment.title, "top-1 after training on the set, %", "top-1 after training on real images, %"
        )
    body = _body(experiment, rows, means, real, ranked)
    cells = sum(len(row.records) for row in rows)
    made = [(row.row.name, provenance(name, experiment, row)) for row in rows]
    write_atomic(folder / "README.md", page(experiment, cells, missing, body, made))


def _means(row: Found[SearchRecord]) -> dict[str, float]:
    """Of every architecture over networks and seeds."""
    return {each: fmean(value for record in row.records for value in record.accuracies[each]) for each in row.first.accuracies}


def _lines(name: str, experiment: SearchExperiment, row: Found[SearchRecord], ranked: dict[str, Correlation]) -> list[SearchLine]:
    by, first = asdict(provenance(name, experiment, row)), row.first
    n = sum(record.cell.repeats for record in row.records)
    seconds = round(sum(record.seconds for record in row.records), 1)
    none = {"all": Correlation(len(first.accuracies), None, None, None)}
    return [
        SearchLine(
            **by, set=row.row.name, images=first.images, n=n, over=over, architectures=each.count, correlation=_rounded(each.value),
            low=_rounded(each.low), high=_rounded(each.high), seconds=seconds,
        )
        for over, each in (ranked or none).items()
    ]  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _trained(row: Found[SearchRecord], architecture: str) -> Trained:
    choices = ConvNetChoices.named(architecture)
    if choices is None:
        raise ValueError(f"{architecture} is not of the grid")
    values = [value for record in row.records for value in record.accuracies[architecture]]
    return Trained(row.row.name, architecture, **asdict(choices), accuracy=round(fmean(values), 2), n=len(values))


def _said(each: Correlation) -> str:
    if each.value is None:
        return "not ranked"
    return f"{each.value:.2f}" + ("" if each.low is None or each.high is None else f" ({each.low:.2f} to {each.high:.2f})")


def _body(
    experiment: SearchExperiment,
    rows: list[Found[SearchRecord]],
    means: dict[str, dict[str, float]],
    real: dict[str, float] | None,
    ranked: dict[str, dict[str, Correlation]],
) -> list[str]:
    head, lines = ["set", "images", "n", "epochs"], []
    tops = list(next(iter(ranked.values()))) if ranked else []
    for row in rows:
        first, own = row.first, means[row.row.name]
        best = max(own, key=lambda each: own[each])
        n = sum(record.cell.repeats for record in row.records)
        line = [f"`{row.row.name}`", first.images, n, first.cell.protocol.passes]
        line += [_said(ranked[row.row.name][top]) if row.row.name in ranked else "" for top in tops]
        lines.append([*line, f"`{best}`", f"{real[best]:.2f}" if real else None, f"{sum(each.seconds for each in row.records):.0f}"])
    picture = ["![accuracy on real images over accuracy on each set](ranking.png)", ""] if ranked else []
    cell = rows[0].first.cell
    return [
        *picture,
        *table([*head, *tops, "ranked first", "its accuracy on real images %", "seconds of training"], lines),
        "",
        f"Spearman's rank correlation of {experiment.architectures} ConvNets between training on each set and training on the images of "
        f"the row `{REAL}`, with its 95% interval where four or more are ranked. The top ones are those that are best on real images. The "
        f"ConvNets are drawn from the grid of width {{32, 64, 128, 256}}, depth 1 to 4, three activations, three pools and five norms, 720 "
        f"in all"
        + (f", from those of width {experiment.widest} at most" if experiment.widest < 256 else "")
        + f". Accuracies are top-1 on the {cell.split} split of {cell.data}, with n networks of each architecture on each set. The row "
        "`random` has as many real images as the distilled sets, so its networks take the same time. `table.csv` has the commands that "
        "repeat each row, `accuracies.csv` every architecture.",
    ]
