"""Train networks into the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import Compile, Device, Precision, Validation, Whole, engine_of

if TYPE_CHECKING:
    from datastill.data import DataSet
    from datastill.engine import Engine


def pretrain(
    dataset: Annotated[str, Parameter(help="NAME[:PATH][@SIZE], see `datastill list datasets`")] = "digits",
    /,
    *,
    network: Annotated[str | None, Parameter(help="see `datastill list networks`; default resnet18, with --snapshots convnet")] = None,
    count: Annotated[Whole | None, Parameter(help="networks in the pool, default 1; with --snapshots runs, default 3")] = None,
    epochs: Annotated[Whole | None, Parameter(help="passes over the training split; default as in the recipe")] = None,
    recipe: Annotated[
        Literal["fast", "paper", "trajectory"] | None,
        Parameter(
            help="paper: 30 epochs, no augmentation; fast: one-cycle, flip and shift; trajectory: 10 epochs, no augmentation; "
            "default fast, with --snapshots trajectory"
        ),
    ] = None,
    snapshots: Annotated[
        bool,
        Parameter(
            help="keep the networks on the way as well, for the encoder `trajectory`; experts of mtt and ftd are trained by --method alone",
            negative="",
        ),
    ] = False,
    method: Annotated[str | None, Parameter(help="train what this method reads, such as the experts of mtt; with --ipc, --preset")] = None,
    ipc: Annotated[Whole, Parameter(help="with --method: images per class, which its values depend on")] = 10,
    preset: Annotated[Literal["paper", "code", "fast", "best"], Parameter(help="with --method: which published values")] = "paper",
    set_: Annotated[
        list[str] | None,
        Parameter(
            name="--set", help="with --snapshots: every, early, parts, type; with --method: any of its values; repeatable", negative=""
        ),
    ] = None,
    validation: Validation = 0.1,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Train a pool of networks on DATASET, for terms that read a pretrained encoder, into the cache.

    `distill` finds them there: those of another recipe with --set pretrained.recipe=paper or --set pretrained.recipe.epochs=E, more than
    one with --teachers N. It trains any that are missing. If this command is killed, the same command continues.

    With --method it trains all that a method reads and that is missing: the pools of its terms, the runs of `tgdd`, the experts of `mtt`.

    With --snapshots it trains runs for --set matching=trajectory. Snapshots are kept after every N-th epoch (--set every=N), and at PARTS
    moments of each of the first EARLY epochs (--set parts=PARTS, --set early=EARLY), as float16 or float32 (--set type=float32).
    """
    import dataclasses

    from datastill.configuration import changed, whole
    from datastill.data import load
    from datastill.encoders import RECIPES, PretrainedPool, TrajectoryNetwork
    from datastill.encoders import pretrain as train
    from datastill.errors import UserError
    from datastill.networks import build
    from datastill.progress import clock
    from datastill.report.terminal import say_line
    from datastill.teachers.pool import measured_on, pretraining_cost
    from datastill.teachers.trajectories import trajectories

    if method is not None:
        given = {"--network": network, "--count": count, "--epochs": epochs, "--recipe": recipe, "--snapshots": snapshots or None}
        if clashing := [option for option, value in given.items() if value is not None]:
            raise UserError(f"--method says what is trained: leave out {', '.join(clashing)}, or change the method's values with --set")
        data, engine_for = load(choices.named(dataset), validation=validation), partial(engine_of, device, precision, compile)
        _train_for(method, data, whole("ipc", ipc, least=1), preset, set_ or (), engine_for)
        return
    if set_ and not snapshots:
        raise UserError("--set says what is kept of training runs, or changes a method: give it with --snapshots or --method")
    usual = TrajectoryNetwork() if snapshots else PretrainedPool()
    network, count = network or usual.network, count or usual.count
    chosen = RECIPES[recipe] if recipe else usual.recipe
    chosen = chosen if epochs is None else dataclasses.replace(chosen, epochs=epochs)
    kept = TrajectoryNetwork().snapshots
    for change in set_ or ():
        kept = changed(kept, change, "the snapshots")
    data = load(choices.named(dataset), validation=validation)
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    engine = engine_of(device, precision, compile, pretraining_cost(data, model, chosen))
    if snapshots:
        for run in trajectories(data, network, count, chosen, kept, engine):
            for moment, reached in zip(run.epochs, run.accuracies, strict=True):
                say_line(f"epoch {moment:>6.2f}  {100 * reached:.1f}% of the epoch's training batches")
            say_line(f"{run.path}  {len(run.epochs)} snapshots, {run.path.stat().st_size / 1e6:.1f} MB, after {clock(run.seconds)}")
        return
    for member in train(data, network, count, chosen, engine):
        for number, epoch in enumerate(member.curve, 1):
            held_out = "" if epoch.held_out is None else f", {epoch.held_out:.1f}% on the validation split"
            say_line(f"epoch {number:>3}  {clock(epoch.seconds):>7}  {epoch.accuracy:.1f}% of its training batches{held_out}")
        say_line(f"{member.path}  {member.accuracy:.2f}% on {measured_on(data)} after {clock(member.seconds)}")


def _train_for(method: str, data: DataSet, ipc: int, preset: str, settings: Sequence[str], engine: Callable[[float], Engine]) -> None:
    """Train what a method reads and what is missing, and say where it is."""
    from datastill.methods import method as compose
    from datastill.networks import build
    from datastill.report.terminal import say_line
    from datastill.teachers.pool import pretraining_cost
    from datastill.text import counted

    composed = compose(method, data=data, ipc=ipc, preset=preset, settings=settings)
    composed.check(data, ipc)
    missing = composed.missing(data)
    costs = [
        pretraining_cost(data, build(each.network, channels=data.channels, classes=data.classes, size=data.size), each.recipe)
        for each in missing
    ]
    if missing:
        composed.open(data, engine(max(costs)), ipc, 0)
    for each in missing:
        say_line(f"{each.folder}  {counted(each.count, each.network)}, {counted(each.recipe.epochs, 'epoch')}")
    read = composed.pretraining_seconds(data) > 0
    say_line(f"{composed.name}: {'all that it reads is in the cache' if read else 'it reads nothing that is trained first'}")
