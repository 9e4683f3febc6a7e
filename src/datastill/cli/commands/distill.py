"""Distil a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from datastill.cli import launched
from datastill.cli.choices import Choices
from datastill.cli.parameters import (
    CheckpointSeconds,
    Compile,
    Device,
    DryRun,
    Log,
    Precision,
    Preset,
    Set,
    Whole,
    agree,
    engine_of,
    numbers,
)
from datastill.errors import UserError

if TYPE_CHECKING:
    from datastill.distilled import DistilledSet
    from datastill.runs.job import Job


def distill(
    dataset: Annotated[str | None, Parameter(help="NAME[:PATH][@SIZE], see `datastill list datasets`; default digits")] = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="the run's folder; needed unless --dry-run")] = None,
    config: Annotated[Path | None, Parameter(help="repeat the run of this config.yaml, which supplies all other options")] = None,
    method: Annotated[
        str | None, Parameter(help="METHOD[+TERM...], see `datastill list methods`; default dm+iid, --preset best has its own")
    ] = None,
    ipc: Annotated[Whole | None, Parameter(help="synthetic images per class; default 10")] = None,
    iterations: Annotated[Whole | None, Parameter(help="total steps; default 2000; ignored by methods that choose real images")] = None,
    seed: Annotated[Whole | None, Parameter(help="the same seed gives the same bits; default 0")] = None,
    resume: Annotated[bool, Parameter(help="continue the run in --out", negative="")] = False,
    preset: Preset = None,
    set_: Set = None,
    lr: Annotated[float | None, Parameter(help="learning rate of the pixels")] = None,
    real_batch: Annotated[Whole | None, Parameter(help="real images per class and step")] = None,
    init: Annotated[
        Literal["real", "noise", "augmented"] | None,
        Parameter(help="what the pixels are initialised with; augmented: real images, and changed copies where a class has too few"),
    ] = None,
    teachers: Annotated[Whole | None, Parameter(help="number of networks in the pretrained pool")] = None,
    validate_at: Annotated[
        str | None, Parameter(help="iterations after which to evaluate on the validation split, comma-separated, e.g. 0,500,1000")
    ] = None,
    validation_epochs: Annotated[Whole | None, Parameter(help="epochs of such an evaluation; default as in `evaluate`")] = None,
    validation_network: Annotated[str | None, Parameter(help="network of such an evaluation; default convnet")] = None,
    validation: Annotated[float | None, Parameter(help="share of the training split held out for choices; default 0.1")] = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    dry_run: DryRun = False,
    checkpoint_seconds: CheckpointSeconds = 20.0,
    log: Log = None,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Distil DATASET into --ipc images per class and keep everything in --out.

    If it is stopped, `datastill resume OUT` continues where it stopped and gives the same bits; so does the same command with --resume.

    --config repeats the run of that file: its data, method, IPC, seed, iterations, engine and validations.

    Over several devices: `torchrun --nproc-per-node N -m datastill distill ...`; each process computes some of the classes.
    """
    from datastill.files import check_folder
    from datastill.runs.folder import Run

    share = launched.count() > 1
    if out is not None:
        check_folder(out)
        if not share:  # before data is read; of several processes one may have begun the run already
            Run(out).existing(resume=resume)
    elif not dry_run:
        raise UserError("where to? Give --out with a folder for the run, or --dry-run to see only what it would take")
    named = {"learning_rate": lr, "real_batch": real_batch, "initialisation": init, "pretrained.count": teachers}
    changes = [*(set_ or []), *(f"{field}={value}" for field, value in named.items() if value is not None)]
    if config is not None:
        from datastill.runs.plan import Plan
        from datastill.runs.repeat import job_of, repeat

        plan = Plan.read(config)
        values = {"--preset": preset, "--set": set_ or None, "--lr": lr, "--real-batch": real_batch, "--init": init, "--teachers": teachers}
        agree(
            config,
            {
                "the data set": (dataset, plan.data["name"]),
                "--method": (method and method.lower(), plan.method.name),
                "--ipc": (ipc, plan.ipc),
                "--iterations": (None if plan.method.steps else iterations, plan.iterations),
                "--seed": (seed, plan.seed),
                "--validate-at": (numbers(validate_at) if validate_at else None, list(plan.validate_at)),
                "--validation-epochs": (validation_epochs if plan.validate_at else None, plan.protocol.passes),
                "--validation-network": (validation_network if plan.validate_at else None, plan.protocol.network),
                "--validation": (validation, plan.data["held_out"]),
                "--device": (None if device == "auto" else device, plan.engine.get("device")),
                "--precision": (None if precision == "auto" else precision, plan.engine.get("precision")),
                "--compile": (compile, plan.engine.get("compiled")),
                **choices.agreeing(plan.data["name"]),
                **{option: (value, None) for option, value in values.items()},
            },
        )
        if out is None or dry_run:
            foresee(job_of(plan, out=out, resume=resume), out)
        else:
            say(repeat(plan, out=out, resume=resume, checkpoint_seconds=checkpoint_seconds, loggers=log or (), share=share), out)
        return
    from datastill.configuration import whole
    from datastill.data import load, parse
    from datastill.engine import hardware
    from datastill.evaluation import Protocol
    from datastill.methods import method as compose
    from datastill.runs.distill import run_job
    from datastill.runs.job import Job, check_size
    from datastill.runs.sharing import sharing
    from datastill.setting import usual_method

    dataset, preset = dataset or "digits", preset or "paper"
    method = method or usual_method(preset)
    ipc = 10 if ipc is None else ipc
    compose(method, data=parse(dataset)[0], ipc=ipc, preset=preset, settings=changes)  # a misspelt name is reported before the data is read
    with sharing(share) as ranks:
        data = load(choices.named(dataset), validation=0.1 if validation is None else validation)
        composed = compose(method, data=data, ipc=ipc, preset=preset, settings=changes)
        check_size(composed, data, whole("ipc", ipc, least=1), hardware.device(device))
        job = Job.of(
            data,
            composed,
            ipc=ipc,
            iterations=iterations,
            seed=seed or 0,
            out=out,
            resume=resume,
            validate_at=numbers(validate_at),
            protocol=Protocol(validation_network or "convnet", epochs=validation_epochs),
            engine=engine_of(device, precision, compile, composed.cost(data, ipc) * composed.iterations(iterations)),
            loggers=log or (),
            ranks=ranks,
        )
        if out is None or dry_run:
            foresee(job, out)
        else:
            say(run_job(job, checkpoint_seconds), out)


def foresee(job: Job, out: Path | None) -> None:
    """Print what a run would take."""
    from datastill.report.forecast import print_forecast
    from datastill.runs.forecast import forecast_run

    print_forecast(forecast_run(job), out)


def say(distilled: DistilledSet, out: Path) -> None:
    """Print where a set is and what to do with it."""
    from datastill.report.terminal import say_line

    say_line(f"distilled {distilled.origin.data} with {distilled.origin.method}: {len(distilled.images)} images in {out / 'distilled'}")
    say_line(f"next: datastill show {out}, datastill evaluate {out}")
