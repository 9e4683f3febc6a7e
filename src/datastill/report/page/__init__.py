"""A page of one or several runs: one HTML file that fetches nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datastill import provenance
from datastill.engine import Engine
from datastill.files import check_file, write_atomic
from datastill.report.page.content import TABULATED, run_of, settings, summary
from datastill.report.page.insight import insights
from datastill.report.page.model import Subject
from datastill.report.page.reading import read
from datastill.report.page.rendering import render

RUNS = Path("runs")
RESULTS = Path("results")


def write_report(
    what: Sequence[str],
    out: Path | None = None,
    *,
    look: bool = True,
    results: Path = RESULTS,
    runs: Path = RUNS,
    engine: Engine | None = None,
) -> Path:
    """Write a page on runs.

    Args:
        what: Folders of runs or of results, or names of experiments.
        out: The HTML file; None is ``report.html`` in the folder of a single run, and here for several.
        look: Whether a network looks at the images, where what it says is not kept yet: this needs the data, and may train the network.
        results: Where the records of experiments are.
        runs: Where their runs are, if they were kept.
        engine: How to look; by default what suits it.

    Returns:
        The file.

    Raises:
        UserError: If there is nothing to report, a run is not finished, a file is damaged, or `out` cannot be written.
    """
    if out is not None:
        check_file(out)
    subjects = read(what, results=results, runs=runs)
    single = subjects[0].folder if len(subjects) == 1 else None
    target = out or (single or Path()) / "report.html"
    check_file(target)
    write_atomic(target, html(subjects, look=look, engine=engine))
    return target


def html(subjects: Sequence[Subject], *, look: bool, engine: Engine | None = None, title: str = "", back: str = "") -> str:
    """The page of some runs.

    Args:
        subjects: What was read of them.
        look: As in `write_report`.
        engine: As in `write_report`.
        title: Stands above everything; "" for one made of the runs' names.
        back: The address of a page that this one belongs to; "" for none.
    """
    sets = [(subject.distilled, subject.folder) for subject in subjects if subject.distilled is not None]
    looked = iter(insights(sets, look=look, engine=engine))
    found = [
        run_of(f"run{number}", subject, *(next(looked) if subject.distilled is not None else (None, "")), runs=len(subjects))
        for number, subject in enumerate(subjects)
    ]
    shown, charts = [run for run, _ in found], [chart for _, chart in found]
    drawn = any(chart["curves"] or chart["map"] for chart in charts)
    active = drawn or any(run.rows or run.frames for run in shown)
    names = list(dict.fromkeys(row.name for run in shown for row in run.rows))
    return render(
        "report.html",
        (*(("d3", "charts.js") if drawn else ()), *(("report.js",) if active else ())),
        title=title or f"datastill: {' and '.join(subject.name for subject in subjects[:3])}",
        summary=summary(shown),
        runs=shown,
        class_names=names,
        settings=settings(subjects),
        charts=charts,
        mapped=any(chart["map"] for chart in charts),
        curves=list(dict.fromkeys(name for chart in charts for name in chart["curves"])),
        iterations=sorted({iteration for run in shown for iteration in run.frames}),
        tabulated=TABULATED,
        version=provenance.package_version(),
        back=back,
    )
