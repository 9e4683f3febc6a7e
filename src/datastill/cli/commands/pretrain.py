"""Train networks into the cache."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import Compile, Device, Precision, Validation, Whole, engine_of


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
    choices: Choices = Choices(),  # noqa: B008 (frozen)
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
    from datastill.report.terminal import say_line
    from datastill.teachers.pretraining import measured_on, pretraining_cost

    chosen = RECIPES[recipe] if epochs is None else dataclasses.replace(RECIPES[recipe], epochs=epochs)
    data = load(choices.named(dataset), validation=validation)
    model = build(network, channels=data.channels, classes=data.classes, size=data.size)
    engine = engine_of(device, precision, compile, pretraining_cost(data, model, chosen))
    for member in train(data, network, count, chosen, engine):
        for number, epoch in enumerate(member.curve, 1):
            held_out = "" if epoch.held_out is None else f", {epoch.held_out:.1f}% on the validation split"
            say_line(f"epoch {number:>3}  {clock(epoch.seconds):>7}  {epoch.accuracy:.1f}% of its training batches{held_out}")
        say_line(f"{member.path}  {member.accuracy:.2f}% on {measured_on(data)} after {clock(member.seconds)}")
