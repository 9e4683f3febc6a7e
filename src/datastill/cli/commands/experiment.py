"""Run the cells of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from datastill.cli.parameters import Compile, DryRun, Precision, Time, Whole, entries
from datastill.errors import UserError

if TYPE_CHECKING:
    from datastill.experiments.specification import Specifications


def experiment(
    name: Annotated[str | None, Parameter(help="one of `datastill list experiments`, or a YAML file of your own")] = None,
    /,
    *,
    results: Annotated[Path, Parameter(help="where to write tables, curves and logs")] = Path("results"),
    runs: Annotated[Path, Parameter(help="where to keep the runs")] = Path("runs"),
    only: Annotated[
        str | None,
        Parameter(help="what to run, comma-separated: data=D, ipc=N, method=M, seed=S, network=N, steps=N, or names of rows and parts"),
    ] = None,
    budget: Annotated[
        Time | None, Parameter(help="run the most informative cells that fit into this time, such as 2h or 90m, and list the others")
    ] = None,
    scale: Annotated[
        float | None,
        Parameter(help="rehearse with this share of iterations, epochs, networks, seeds and architectures, such as 0.1, in another folder"),
    ] = None,
    repeats: Annotated[Whole | None, Parameter(help="networks per row; default as in the specification; more can be added later")] = None,
    executor: Annotated[
        str | None,
        Parameter(
            help="where the cells run: `local` for processes of this machine, `ray`, `slurm`; by default in this process, one by one"
        ),
    ] = None,
    workers: Annotated[
        Whole | None,
        Parameter(
            help="cells at a time, with --executor; default what a short measurement finds fastest, on clusters what there is room for"
        ),
    ] = None,
    cpus: Annotated[Whole | None, Parameter(help="cores for each cell, with --executor ray or slurm; default 1")] = None,
    gpus: Annotated[float, Parameter(help="GPUs for each cell, with --executor ray or slurm")] = 0,
    address: Annotated[str, Parameter(help="HOST:PORT of a Ray cluster, or auto; by default Ray runs on this machine alone")] = "",
    slurm: Annotated[str | None, Parameter(help="options of the jobs, such as partition=gpu,account=NAME,time=600 (minutes)")] = None,
    precision: Precision = "auto",
    compile: Compile = None,
    redraw: Annotated[
        bool,
        Parameter(help="only write the pages again, from the records in --results; without NAME, those of all experiments", negative=""),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Run the missing cells of a table or figure and write it to --results. If it is killed, the same command continues.

    NAME is one of `datastill list experiments`, or a YAML file of your own (see docs/experiments.md).
    """
    from datastill.experiments import EXPERIMENTS, run_experiment
    from datastill.experiments.budget import Budget
    from datastill.experiments.executors import Place, named_executor
    from datastill.experiments.file import keep, kept, named
    from datastill.experiments.forecast import forecast_experiment
    from datastill.experiments.policy import computed
    from datastill.experiments.scale import scaled
    from datastill.report.forecast import print_forecast
    from datastill.report.results import write, write_index
    from datastill.report.terminal import say_line

    for option, given in {"workers": workers, "cpus": cpus, "gpus": gpus, "address": address, "slurm": slurm}.items():
        if executor is None and given:
            raise UserError(f"--{option} is for --executor: say where the cells run as well, such as --executor local")
    place = Place(workers, cpus, gpus, address, tuple(entries(slurm)))
    runner = None if executor is None else named_executor(executor, place)
    asked = [] if only is None else entries(only) or [only]
    if name is None and not redraw:
        raise UserError("which experiment? `datastill list experiments` lists them; --redraw alone writes the pages of all of them again")
    if name is None:
        everything = {**EXPERIMENTS, **kept(results)}
        if not any((results / each).is_dir() for each in everything):
            raise UserError(f"{results} has no records of experiments: run one first, or name another folder with --results")
        for each in everything:
            write(each, results, everything)
        write_index(everything, results)
        say_line(f"results in {results}")
        return
    own, experiments = named(name)
    file = None if own == name else name
    if scale is not None:
        own, experiments = scaled(own, experiments, scale)
    experiments = computed(experiments, precision, compile)

    def recorded(each: str, results: Path, experiments: Specifications) -> None:
        write(each, results, experiments)
        if file is not None and scale is None:
            keep(file, results)

    if dry_run:
        if budget is not None:
            raise UserError("--dry-run says what every cell takes, and --budget runs those that fit: give one of them")
        forecast = forecast_experiment(
            own,
            results=results,
            runs=runs,
            only=asked,
            repeats=repeats,
            experiments=experiments,
            cores=runner.cores if runner else 0,
            at_once=runner.at_once if runner else 1,
        )
        print_forecast(forecast, runs / own)
        return
    if redraw:
        if (results / own).is_dir():
            recorded(own, results, experiments)
        if not (results / own / "README.md").exists():
            raise UserError(f"{results / own} has no records of {own}: run the experiment first, or name another folder with --results")
    else:
        run_experiment(
            own,
            results=results,
            runs=runs,
            only=asked,
            repeats=repeats,
            recorded=recorded,
            experiments=experiments,
            order=None if budget is None else Budget(budget, runs, cores=runner.cores if runner else 0),
            executor=runner,
        )
    write_index({**EXPERIMENTS, **kept(results)}, results)
    if (results / own / "README.md").exists():
        say_line(f"results in {results / own}")
