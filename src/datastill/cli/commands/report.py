"""Write a page on runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.parameters import Compile, Device, Precision, engine_of


def report(
    *what: Annotated[str, Parameter(help="runs' folders, folders of results, or names of experiments")],
    out: Annotated[
        Path | None, Parameter(help="the HTML file to write; default report.html in the folder of a single run, and here for several")
    ] = None,
    quick: Annotated[
        bool,
        Parameter(
            help="read no data and train no network: scores of images, nearest real images and the map are left out, "
            "unless an earlier report of the run has kept them",
            negative="",
        ),
    ] = False,
    results: Annotated[Path, Parameter(help="where the records of experiments are")] = Path("results"),
    runs: Annotated[Path, Parameter(help="where the runs of experiments are, if they were kept")] = Path("runs"),
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Write one HTML file on finished runs: scores, images, a map, curves, mistakes, settings and commands. It fetches nothing.

    WHAT is one or several (at most 8, shown side by side) of: a run's folder, a folder of results, the name of an experiment.

    Scores come from the files of `datastill evaluate RUN --out RUN/evaluation.json`; with --robust they include all real images.

    For example:

      datastill report runs/digits

      datastill report runs/dm runs/dm+iid --out comparison.html

      datastill report components-cifar10-ipc10
    """
    from datastill.report.page import write_report
    from datastill.report.terminal import say_line

    engine = engine_of(device, precision, compile, 0)
    target = write_report(what, out, look=not quick, results=results, runs=runs, engine=engine)
    say_line(f"wrote {target} ({target.stat().st_size / 1e6:.2f} MB); open it with a browser")
