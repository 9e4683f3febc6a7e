"""Put results side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def compare(
    *paths: Annotated[Path, Parameter(help="folders of runs or of results, or files of `datastill evaluate --out`")],
    out: Annotated[
        list[Path] | None,
        Parameter(
            help="also write to this file; its ending gives the format: .md, .tex, .csv, .png, .pdf or .svg; repeatable", negative=""
        ),
    ] = None,
    results: Annotated[Path, Parameter(help="where the records of experiments are, for runs of theirs")] = Path("results"),
) -> None:
    """Put the results of runs, experiments and evaluations side by side: mean +- standard deviation and n.

    PATHS are folders of runs (such as runs/*) or of results, or files of `datastill evaluate --out`. What was measured on another data set
    or split, under another protocol or with another kind of labels is in another table. Runs that differ only in the seed are one line.
    The runs of an experiment have the accuracies of their records in --results.
    """
    from datastill.files import check_file
    from datastill.report.comparison import compare as put
    from datastill.report.comparison import print_comparison, write_comparison
    from datastill.report.comparison.formats import check_target
    from datastill.report.terminal import say_line

    for target in out or ():
        check_target(target)
        check_file(target)
    found = put(paths, results)
    print_comparison(found)
    for target in out or ():
        write_comparison(found, target)
        say_line(f"wrote {target}")
