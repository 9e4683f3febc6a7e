"""Run the cells of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from datastill.cli.parameters import DryRun, Whole
from datastill.errors import UserError

if TYPE_CHECKING:
    from datastill.experiments.specification import Specifications


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
    dry_run: DryRun = False,
) -> None:
    """Run what is missing of a table or figure and write it to --results. If it is killed, the same command continues.

    NAME is one of `datastill list experiments`, or a YAML file of your own (see docs/experiments.md).
    """
    from datastill.experiments import EXPERIMENTS, run_experiment
    from datastill.experiments.file import keep, kept, named
    from datastill.experiments.forecast import forecast_experiment
    from datastill.report.forecast import print_forecast
    from datastill.report.results import write, write_index

    if name is None and not redraw:
        raise UserError("which experiment? `datastill list experiments` lists them; --redraw alone writes the pages of all of them again")
    if name is None:
        everything = {**EXPERIMENTS, **kept(results)}
        for each in everything:
            write(each, results, everything)
        write_index(everything, results)
        print(f"results in {results}")
        return
    own, experiments = named(name)

    def recorded(each: str, results: Path, experiments: Specifications) -> None:
        write(each, results, experiments)
        if own != name:
            keep(name, results)

    if dry_run:
        rows = only.split(",") if only else ()
        print_forecast(
            forecast_experiment(own, results=results, runs=runs, only=rows, repeats=repeats, experiments=experiments), runs / own
        )
        return
    if redraw:
        recorded(own, results, experiments)
    else:
        run_experiment(
            own,
            results=results,
            runs=runs,
            only=only.split(",") if only else (),
            repeats=repeats,
            recorded=recorded,
            experiments=experiments,
        )
    write_index({**experiments, **kept(results)}, results)
    print(f"results in {results / own}")
