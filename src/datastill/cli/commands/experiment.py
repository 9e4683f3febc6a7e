"""Run the cells of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from datastill.cli.parameters import Whole
from datastill.errors import UserError


def experiment(
    name: str | None = None,
    /,
    *,
    results: Annotated[Path, Parameter(help="where to write tables, curves and logs")] = Path("results"),
    runs: Annotated[Path, Parameter(help="where to keep the runs")] = Path("runs"),
    only: Annotated[str | None, Parameter(help="what to run, comma-separated: rows, or parts such as digits-ipc2; default all")] = None,
    repeats: Annotated[Whole | None, Parameter(help="networks per row; default as in the specification; more can be added later")] = None,
    redraw: Annotated[
        bool,
        Parameter(help="only write the pages again, from the records in --results; without NAME, those of all experiments", negative=""),
    ] = False,
) -> None:
    """Run what is missing of a table or figure and write it to --results. If it is killed, the same command continues.

    NAME is one of `datastill list experiments`.
    """
    from datastill.experiments import EXPERIMENTS, run_experiment
    from datastill.report.results import write, write_index

    if redraw:
        for each in [name] if name else EXPERIMENTS:
            write(each, results)
    elif name:
        run_experiment(name, results=results, runs=runs, only=only.split(",") if only else (), repeats=repeats, recorded=write)
    else:
        raise UserError("which experiment? `datastill list experiments` lists them; --redraw alone writes the pages of all of them again")
    write_index(EXPERIMENTS, results)
    print(f"results in {results / name if name else results}")
