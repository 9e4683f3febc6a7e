"""The page of a figure of embeddings, made from its records alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from datastill.experiments.embeddings.specification import EmbeddingExperiment, EmbeddingRecord
from datastill.files import write_atomic
from datastill.report.analysis import write_planes
from datastill.report.application import Found, Provenance, found, mean_and_interval, page, provenance
from datastill.report.markdown import table, write_csv

COLUMNS = {
    "within_synthetic": "within classes",
    "between_synthetic": "between classes",
    "ratio_synthetic": "within / between",
    "within_real": "within, real",
    "between_real": "between, real",
    "ratio_real": "within / between, real",
    "mean_distance": "distance of means",
    "covariance_distance": "distance of covariances",
}
"""The numbers of an analysis, and how a table calls them."""


@dataclass(frozen=True)
class EmbeddingLine(Provenance):
    """The numbers of one set. Also the columns of ``table.csv``."""

    set: str
    seed: int
    ipc: int
    images: int
    embedding: str
    embedding_accuracy: float
    real_images: int
    within_synthetic: float
    between_synthetic: float
    ratio_synthetic: float
    within_real: float
    between_real: float
    ratio_real: float
    mean_distance: float
    covariance_distance: float | None


@dataclass(frozen=True)
class PlanePoint:
    """One image in the plane. Also the columns of ``plane.csv``."""

    set: str
    seed: int
    kind: str
    label: str
    x: float
    y: float


def write(name: str, experiment: EmbeddingExperiment, results: Path) -> None:
    """Write ``table.csv``, ``plane.csv``, ``plane.png`` and ``README.md`` from the records that are there."""
    rows, missing = found(name, experiment, results, EmbeddingRecord)
    if not rows:
        return
    folder = results / name
    write_csv([_line(name, experiment, row, record) for row in rows for record in row.records], folder / "table.csv")
    write_csv([point for row in rows for record in row.records for point in _points(row, record)], folder / "plane.csv")
    write_planes([(f"{row.row.name}, IPC {row.ipc}", row.first.analysis) for row in rows], folder / "plane.png", experiment.title)
    cells = sum(len(row.records) for row in rows)
    text = page(experiment, cells, missing, _body(rows), [(row.row.name, provenance(name, experiment, row)) for row in rows])
    write_atomic(folder / "README.md", text)


def _line(name: str, experiment: EmbeddingExperiment, row: Found[EmbeddingRecord], record: EmbeddingRecord) -> EmbeddingLine:
    analysis, covariances = record.analysis, record.analysis.covariance_distance
    return EmbeddingLine(
        **asdict(provenance(name, experiment, row)),
        set=row.row.name,
        seed=record.cell.seed,
        ipc=record.cell.ipc,
        images=record.images,
        embedding=analysis.network,
        embedding_accuracy=round(analysis.accuracy, 2),
        real_images=len(analysis.real_labels),
        within_synthetic=_rounded(analysis.synthetic.within),
        between_synthetic=_rounded(analysis.synthetic.between),
        ratio_synthetic=_rounded(analysis.synthetic.ratio),
        within_real=_rounded(analysis.real.within),
        between_real=_rounded(analysis.real.between),
        ratio_real=_rounded(analysis.real.ratio),
        mean_distance=_rounded(analysis.mean_distance),
        covariance_distance=None if covariances is None else _rounded(covariances),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _points(row: Found[EmbeddingRecord], record: EmbeddingRecord) -> list[PlanePoint]:
    one = record.analysis
    kinds = (("real", one.real_plane, one.real_labels), ("synthetic", one.synthetic_plane, one.synthetic_labels))
    return [
        PlanePoint(row.row.name, record.cell.seed, kind, one.class_names[label], round(x, 3), round(y, 3))
        for kind, plane, labels in kinds
        for (x, y), label in zip(plane, labels, strict=True)
    ]


def _body(rows: list[Found[EmbeddingRecord]]) -> list[str]:
    lines = []
    for row in rows:
        line: list[object] = [f"`{row.row.name}`", row.ipc, len(row.records)]
        for key in COLUMNS:
            values = [record.analysis.numbers()[key] for record in row.records]
            known = [value for value in values if value is not None]
            line.append(mean_and_interval(known, 3) if known else None)
        lines.append(line)
    first = rows[0].first.analysis
    return [
        "![real and synthetic images in the plane](plane.png)", "", *table(["set", "IPC", "n", *COLUMNS.values()], lines), "",
        f"Embeddings of a {first.network} that was trained on the real images ({first.accuracy:.2f}% held out), of the synthetic images "
        f"and of {len(first.real_labels)} real training images. Scatter is mean squared distance: within classes from the mean of the "
        "class, between classes from the mean of a class to that of all. The distance of means is the root mean square over classes, in "
        "units of the root of the real scatter within classes. The distance of covariances is the mean over classes of the Frobenius "
        "distance between the local covariances of the last map (Eq. 6 and 7 of the paper), over the norm of the real one. n is the number "
        "of sets, each of another seed; where there are several, +- is half the 95% interval. The picture is t-SNE of real and synthetic "
        "images together, a panel for the first seed of each set; distances between panels mean nothing. `table.csv` has the commands that "
        "repeat each row, `plane.csv` all points.",
    ]  # fmt: skip
