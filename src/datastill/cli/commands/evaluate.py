"""Measure what a set is worth."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from datastill.cli.choices import Choices
from datastill.cli.parameters import Compile, Device, DryRun, Labels, Number, Precision, Source, Whole, engine_of, foreign
from datastill.errors import UserError


def evaluate(
    path: Source,
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
    epochs: Annotated[
        Whole | None, Parameter(help="passes over the set; default 1000, 300 not augmented; idc: by IPC; dd: the set's")
    ] = None,
    augment: Annotated[bool, Parameter(help="augment the images, as the protocol says", negative="--no-augment")] = True,
    protocol: Annotated[
        Literal["dc", "idc", "dd"],
        Parameter(
            help="how networks are trained: as in the condensation papers, as in IDC and DANCE (cutmix, longer), or by exactly the steps "
            "that were learned with a set of dd"
        ),
    ] = "dc",
    learned_rate: Annotated[
        bool, Parameter(help="use the set's learned learning rate if it has one, as published", negative="--no-learned-rate")
    ] = True,
    robust: Annotated[
        bool,
        Parameter(help="DD-Ranking's robust scores too: also train with hard labels and without augmentation", negative=""),
    ] = False,
    real_accuracy: Annotated[
        float | None, Parameter(help="with --robust: accuracy in percent of networks trained on all real images; by default one is trained")
    ] = None,
    set_: Annotated[
        list[str] | None,
        Parameter(
            name="--set",
            help="change another value of the protocol: learning_rate, momentum, weight_decay, batch, fall, fall_at, restart, cutmix, "
            "augmentation; repeatable",
            negative="",
        ),
    ] = None,
    choices: Choices = Choices(),  # noqa: B008 (frozen)
    experiment: Number = None,
    labels: Labels = None,
    json_: Annotated[bool, Parameter(name="--json", help="print everything as JSON", negative="")] = False,
    out: Annotated[Path | None, Parameter(help="also write the JSON to this file; if killed, the same command continues")] = None,
    dry_run: DryRun = False,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = None,
) -> None:
    """Train networks from scratch on the distilled set at PATH and test them on real images.

    --network all trains four kinds of network and prints one table (cross-architecture generalisation).

    PATH is a run's folder, a distilled folder, its images.safetensors, or (with --data) a file made by other code: res*.pt of DC
    and DM, images_best.pt with labels_best.pt of trajectory matching, or an .npz of images and labels.
    """
    from datastill.configuration import changed
    from datastill.evaluation import Protocol
    from datastill.evaluation.evaluate import evaluate_across
    from datastill.evaluation.forecast import forecast_evaluation
    from datastill.evaluation.ledger import Ledger
    from datastill.evaluation.robust import Robustness, robustness
    from datastill.files import beside, check_file, locked, sealed, through_links, write_atomic
    from datastill.networks import ZOO
    from datastill.report.evaluation import print_across, print_evaluation, print_robustness
    from datastill.report.forecast import print_forecast
    from datastill.report.terminal import say_line

    names = [name for name in compare.split(",") if name and name != "none"]
    networks = [name for part in network.split(",") for name in (ZOO if part.strip() == "all" else (part.strip(),))]
    usual = Protocol.named(protocol)
    followed = replace(
        usual, network=networks[0], epochs=epochs, augment=augment and usual.augment, learned_rate=learned_rate and usual.learned_rate
    )
    for change in set_ or ():
        followed = changed(followed, change, "the protocol")
        if change.startswith("learning_rate="):  # also the protocol's usual one
            followed = replace(followed, learned_rate=False)
    if followed.network != networks[0]:
        raise UserError(f"--set network={followed.network} contradicts the network {networks[0]}: give it with --network")
    if robust and len(networks) > 1:
        raise UserError(f"--robust is for one network, got --network {network}")
    if real_accuracy is not None and not robust:
        raise UserError("--real-accuracy is for --robust")
    if out is not None:
        check_file(out)
    engine = engine_of(device, precision, compile, 0)  # suited to each network's training later
    keep = None if out is None else beside(out, "networks")
    data = choices.of(data, "a set's own data set is read as it was for distilling")
    distilled, examined = foreign(path, data, experiment, labels) or (path, data)
    if dry_run:
        shown = forecast_evaluation(
            distilled, networks, repeats=repeats, split=split, data=examined, compare=names, protocol=followed, engine=engine,
            robust=robust,
        )  # fmt: skip
        print_forecast(shown, None)
        return
    with contextlib.nullcontext() if out is None else locked(out, f"the evaluation in {out}"):
        scores: Robustness | None = None
        if robust:
            scores = robustness(
                distilled, repeats=repeats, seed=seed, split=split, data=examined, compare=names, protocol=followed, engine=engine,
                keep=keep, real=real_accuracy,
            )  # fmt: skip
            found = {networks[0]: scores.evaluation}
        else:
            found = evaluate_across(
                distilled, networks, repeats=repeats, seed=seed, split=split, data=examined, compare=names, protocol=followed,
                engine=engine, keep=keep,
            )  # fmt: skip
        single = next(iter(found.values())) if len(found) == 1 else None
        content = single.describe() if single else {"networks": {name: result.describe() for name, result in found.items()}}
        content |= {"robust": scores.describe()} if scores else {}
        if out is not None:  # before anything is printed: nothing that an output can't take may lose it
            write_atomic(through_links(out), json.dumps(sealed(content), indent=1) + "\n")
            Ledger(keep).remove()
    if json_:
        say_line(json.dumps(content))
    elif single:
        print_evaluation(single)
        if scores:
            print_robustness(scores)
    else:
        print_across(found)
