"""The commands: what they take, what they call, what they print. Everything else is imported when a command needs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from datastill.cli.parameters import (
    Compile,
    Device,
    FromData,
    Labels,
    Number,
    Precision,
    Validation,
    Whole,
    agree,
    engine_of,
    foreign,
    numbers,
    opened,
)
from datastill.errors import UserError

HELP = """Distil a labelled image set into a few synthetic images per class, and measure what they are worth.

For example:

  datastill distill digits --ipc 2 --iterations 200 --out runs/digits

  datastill evaluate runs/digits --repeats 3

  datastill show runs/digits

A data set is NAME[:PATH][@SIZE]: digits, cifar10, folder:photos@64, parquet:DIR; some classes only: cifar100[0-19].
A method is METHOD[+TERM...]: dm, dm+cc, idm+iid.
`datastill list datasets|networks|methods|terms` lists them all.
"""

app = App(
    name="datastill",
    help=HELP,
    help_format="plaintext",
    version_flags=["--version"],
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)


@app.command
def distill(
    dataset: Annotated[str | None, Parameter(help="NAME[:PATH][@SIZE], see `datastill list datasets`; default digits")] = None,
    /,
    *,
    out: Annotated[Path, Parameter(help="the run's folder")],
    config: Annotated[Path | None, Parameter(help="repeat the run of this config.yaml; what it says need not be given again")] = None,
    method: Annotated[str | None, Parameter(help="METHOD[+TERM...], see `datastill list methods`; default dm+iid")] = None,
    ipc: Annotated[Whole | None, Parameter(help="synthetic images per class; default 10")] = None,
    iterations: Annotated[Whole | None, Parameter(help="steps in all; default 2000, not for methods that choose real images")] = None,
    seed: Annotated[Whole | None, Parameter(help="the same seed gives the same bits; default 0")] = None,
    resume: Annotated[bool, Parameter(help="continue the run in --out", negative="")] = False,
    preset: Annotated[
        str | None, Parameter(help="values to use: paper, code (those of the published code), fast (our cheapest); default paper")
    ] = None,
    set_: Annotated[
        list[str] | None,
        Parameter(name="--set", help="change a value: TERM.FIELD=VALUE or FIELD=VALUE, e.g. cc.weight=0.02; repeatable", negative=""),
    ] = None,
    lr: Annotated[float | None, Parameter(help="learning rate of the pixels")] = None,
    real_batch: Annotated[Whole | None, Parameter(help="real images per class and step")] = None,
    init: Annotated[Literal["real", "noise"] | None, Parameter(help="what the pixels are initialised with")] = None,
    teachers: Annotated[Whole | None, Parameter(help="number of networks in the pretrained pool")] = None,
    validate_at: Annotated[
        str | None, Parameter(help="iterations after which to evaluate on the validation split, comma-separated, e.g. 0,500,1000")
    ] = None,
    validation_epochs: Annotated[Whole | None, Parameter(help="epochs of such an evaluation; default as in `evaluate`")] = None,
    validation_network: Annotated[str | None, Parameter(help="network of such an evaluation; default convnet")] = None,
    validation: Annotated[float | None, Parameter(help="share of the training split held out for choices; default 0.1")] = None,
    checkpoint_seconds: Annotated[float, Parameter(help="seconds between checkpoints; 0 writes one after every iteration")] = 20.0,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Distil DATASET into --ipc images per class and keep everything in --out.

    If it is killed, the same command with --resume continues where it stopped and gives the same bits.

    --config repeats the run of that file: its data, method, IPC, seed, iterations, engine and validations.
    """
    named = {"learning_rate": lr, "real_batch": real_batch, "initialisation": init, "pretrained.count": teachers}
    changes = [*(set_ or []), *(f"{field}={value}" for field, value in named.items() if value is not None)]
    if config is not None:
        from datastill.runs.plan import Plan
        from datastill.runs.repeat import repeat

        plan = Plan.read(config)
        values = {"--preset": preset, "--set": set_ or None, "--lr": lr, "--real-batch": real_batch, "--init": init, "--teachers": teachers}
        agree(
            config,
            {
                "the data set": (dataset, plan.data["name"]),
                "--method": (method and method.lower(), plan.method.name),
                "--ipc": (ipc, plan.ipc),
                "--iterations": (iterations, plan.iterations),
                "--seed": (seed, plan.seed),
                "--validate-at": (numbers(validate_at) if validate_at else None, list(plan.validate_at)),
                "--validation-epochs": (validation_epochs, plan.protocol.passes),
                "--validation-network": (validation_network, plan.protocol.network),
                "--validation": (validation, plan.data["held_out"]),
                "--device": (None if device == "auto" else device, plan.engine.get("device")),
                "--precision": (None if precision == "auto" else precision, plan.engine.get("precision")),
                "--compile": (compile, plan.engine.get("compiled")),
                **{option: (value, None) for option, value in values.items()},
            },
        )
        distilled = repeat(plan, out=out, resume=resume, checkpoint_seconds=checkpoint_seconds)
        _distilled(plan.data["name"], plan.method.name, len(distilled), out)
        return
    from datastill.data import load, parse
    from datastill.evaluation import Protocol
    from datastill.methods import method as compose
    from datastill.runs.distill import distill as run

    dataset, method, preset = dataset or "digits", method or "dm+iid", preset or "paper"
    ipc = 10 if ipc is None else ipc
    compose(method, data=parse(dataset)[0], ipc=ipc, preset=preset, settings=changes)  # a misspelt name is reported before the data is read
    data = load(dataset, validation=0.1 if validation is None else validation)
    composed = compose(method, data=data.source, classes=data.classes, ipc=ipc, preset=preset, settings=changes)
    run(
        data,
        method=composed,
        ipc=ipc,
        iterations=iterations,
        seed=seed or 0,
        out=out,
        resume=resume,
        validate_at=numbers(validate_at),
        validation_protocol=Protocol(validation_network or "convnet", epochs=validation_epochs),
        engine=engine_of(device, precision, compile, composed.cost(data, ipc) * composed.iterations(iterations)),
        checkpoint_seconds=checkpoint_seconds,
    )
    _distilled(data.name, composed.name, ipc * data.classes, out)


def _distilled(data: str, method: str, images: int, out: Path) -> None:
    print(f"distilled {data} with {method}: {images} images in {out / 'distilled'}")
    print(f"next: datastill show {out}, datastill evaluate {out}")


@app.command
def evaluate(
    path: Path,
    /,
    *,
    network: Annotated[
        str, Parameter(help="see `datastill list networks`; several, comma-separated, or all (the papers' four) give one table")
    ] = "convnet",
    repeats: Annotated[Whole, Parameter(help="networks trained from scratch")] = 5,
    seed: Annotated[Whole, Parameter(help="the same seed gives the same numbers")] = 0,
    data: Annotated[str | None, Parameter(help="data set to test on; default the one it was distilled from")] = None,
    split: Annotated[Literal["test", "validation"], Parameter(help="test for reporting, validation for choices")] = "test",
    compare: Annotated[str, Parameter(help="what to compare with, comma-separated: rendering, random; or none")] = "rendering,random",
    epochs: Annotated[Whole | None, Parameter(help="passes over the set; default 1000, 300 without augmentation")] = None,
    augment: Annotated[bool, Parameter(help="train with DSA", negative="--no-augment")] = True,
    learned_rate: Annotated[
        bool, Parameter(help="use the set's learned learning rate if it has one, as published", negative="--no-learned-rate")
    ] = True,
    experiment: Number = None,
    labels: Labels = None,
    json_: Annotated[bool, Parameter(name="--json", help="print everything as JSON", negative="")] = False,
    out: Annotated[Path | None, Parameter(help="also write the JSON to this file; if killed, the same command continues")] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Train networks from scratch on the distilled set at PATH and test them on real images (the DC protocol).

    --network all trains four kinds of network and prints one table (cross-architecture generalisation).

    PATH is a run's folder, a distilled folder, its images.safetensors, or (with --data) a file made by other code: res*.pt of DC
    and DM, images_best.pt with labels_best.pt of trajectory matching, or an .npz of images and labels.
    """
    from datastill.evaluation import Protocol
    from datastill.evaluation.evaluate import evaluate_across
    from datastill.evaluation.ledger import Ledger
    from datastill.files import check_file, write_atomic
    from datastill.networks import ZOO
    from datastill.report.evaluation import print_across, print_evaluation

    names = [name for name in compare.split(",") if name and name != "none"]
    networks = [name for part in network.split(",") for name in (ZOO if part.strip() == "all" else (part.strip(),))]
    protocol = Protocol(network=networks[0], epochs=epochs, augment=augment, learned_rate=learned_rate)
    engine = engine_of(device, precision, compile, 0)  # suited to each network's training later
    if out is not None:
        check_file(out)
    keep = None if out is None else out.with_name(f"{out.name}.partial")
    distilled, examined = foreign(path, data, experiment, labels) or (path, data)
    found = evaluate_across(
        distilled, networks, repeats=repeats, seed=seed, split=split, data=examined, compare=names, protocol=protocol,
        engine=engine, keep=keep,
    )  # fmt: skip
    single = next(iter(found.values())) if len(found) == 1 else None
    content = single.describe() if single else {"networks": {name: result.describe() for name, result in found.items()}}
    if json_:
        print(json.dumps(content))
    elif single:
        print_evaluation(single)
    else:
        print_across(found)
    if out is not None:
        write_atomic(out, json.dumps(content, indent=1) + "\n")
        Ledger(keep).remove()


@app.command
def pretrain(
    dataset: str = "digits",
    /,
    *,
    network: Annotated[str, Parameter(help="see `datastill list networks`")] = "resnet18",
    count: Annotated[Whole, Parameter(help="networks in the pool")] = 1,
    epochs: Annotated[Whole | None, Parameter(help="passes over the training split; default as in the recipe")] = None,
    recipe: Annotated[
        Literal["fast", "paper"], Parameter(help="paper: 30 epochs, no augmentation; fast: one-cycle, flip and shift")
    ] = "fast",
    validation: Validation = 0.1,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Train a pool of networks on DATASET, for terms that read a pretrained encoder, into the cache.

    `distill` finds them there: those of another recipe with --set pretrained.recipe=paper or --set pretrained.recipe.epochs=E, more than
    one with --teachers N. It trains any that are missing. If this command is killed, the same command continues.
    """
    import dataclasses

    from datastill.data import load
    from datastill.encoders import RECIPES
    from datastill.encoders import pretrain as train
    from datastill.networks import build
    from datastill.progress import clock
    from datastill.teachers.pretraining import measured_on, pretraining_cost

    chosen = RECIPES[recipe] if epochs is None else dataclasses.replace(RECIPES[recipe], epochs=epochs)
    data = load(dataset, validation=validation)
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    engine = engine_of(device, precision, compile, pretraining_cost(data, model, chosen))
    for member in train(data, network, count, chosen, engine):
        for number, epoch in enumerate(member.curve, 1):
            held_out = "" if epoch.held_out is None else f", {epoch.held_out:.1f}% on the validation split"
            print(f"epoch {number:>3}  {clock(epoch.seconds):>7}  {epoch.accuracy:.1f}% of its training batches{held_out}")
        print(f"{member.path}  {member.accuracy:.2f}% on {measured_on(data)} after {clock(member.seconds)}")


@app.command
def export(
    path: Path,
    target: Path,
    /,
    *,
    format: Annotated[str, Parameter(help="folder (ImageFolder), dc (tensor file of the DC code), parquet (hub)")] = "folder",
    data: FromData = None,
    experiment: Number = None,
    labels: Labels = None,
) -> None:
    """Write the distilled set at PATH (see `datastill evaluate --help`) to TARGET in a format that other programs read."""
    from datastill.distilled.formats import export as write

    print(f"wrote {write(opened(path, data, experiment, labels), target, format)}")


@app.command
def show(
    path: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="where to write the picture; default grid.png in the set's folder")] = None,
    columns: Annotated[Whole, Parameter(help="images per class in the picture")] = 10,
    data: FromData = None,
    experiment: Number = None,
    labels: Labels = None,
) -> None:
    """Summarise the run or distilled set at PATH (see `datastill evaluate --help`) and draw its images, one row per class."""
    from datastill.report.summary import show as summarise

    summarise(path, out, columns, opened(path, data, experiment, labels))


@app.command
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


@app.command(name="list")
def list_(what: Literal["datasets", "networks", "methods", "terms", "experiments"], /) -> None:
    """List the names that the other commands take."""
    from datastill.report.listing import rows

    entries = rows(what)
    width = max(len(name) for name, _ in entries)
    for name, summary in entries:
        print(f"{name:<{width}}  {summary}")
