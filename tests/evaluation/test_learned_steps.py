"""The protocol "dd": exactly the steps that were learned with a set, and one line for all that they do not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from datastill import DistilledSet, evaluate, random
from datastill.cli import main
from datastill.data import load
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate_across, random_subset
from datastill.evaluation.protocol import learned_steps
from datastill.evaluation.robust import robustness
from datastill.experiments.continual.running import check
from datastill.experiments.continual.specification import ContinualExperiment, ContinualRow
from datastill.experiments.file import read_experiment
from datastill.networks import build
from datastill.runs.distill import distill

DD = Protocol.named("dd")
EXACT = Engine()


@pytest.fixture(scope="module")
def learned() -> DistilledSet:
    """Two images of each digit with six learned steps."""
    return distill("digits", method="dd", ipc=2, iterations=2, settings=["target_batch=30"], engine=EXACT, seed=3)


def accuracy_by_hand(distilled: DistilledSet, images: torch.Tensor, labels: torch.Tensor, seed: int) -> float:
    """Train a network as the published algorithm says, without our trainer."""
    data = load("digits", validation=distilled.origin.held_out)
    network = build("convnet", channels=data.channels, classes=data.classes, size=data.size)
    network.reset(random.generator(random.derive(0, "evaluation", seed, 0), "weights"))
    network.train()
    for epoch in range(3):
        for image in range(2):
            rows = [2 * label + image for label in range(10)]
            loss = F.cross_entropy(network(images[rows]).logits, labels[rows])
            slopes = torch.autograd.grad(loss, list(network.parameters()))
            with torch.no_grad():
                for weight, slope in zip(network.parameters(), slopes, strict=True):
                    weight.sub_(slope, alpha=distilled.numbers[f"rate.{epoch}.{image}"])
    network.eval()
    with torch.no_grad():
        found = network(data.normalise(data.test.gather(torch.arange(len(data.test))))).logits.argmax(1)
    return 100 * float((found == data.test.labels).float().mean())


def test_a_network_takes_the_learned_steps_and_no_others(learned: DistilledSet) -> None:
    found = evaluate(learned, repeats=1, seed=4, protocol=DD, engine=EXACT, compare=("random",))
    assert found.score.mean == pytest.approx(accuracy_by_hand(learned, learned.images, learned.labels, 4), abs=0.2)
    data = load("digits", validation=learned.origin.held_out)
    real = random_subset(data, learned.labels, 4)
    assert found.comparisons["random"].mean == pytest.approx(accuracy_by_hand(learned, *real, 4), abs=0.2)
    assert (found.protocol.passes, found.protocol.batch, found.protocol.title) == (3, 10, "DD protocol")
    assert found.protocol.steps == tuple(learned.numbers[f"rate.{epoch}.{image}"] for epoch in range(3) for image in range(2))
    assert found.describe()["protocol"]["steps"] == list(found.protocol.steps)
    assert found.protocol.changes == DD.changes == ""


def test_steps_of_other_rates_are_another_network(learned: DistilledSet, tmp_path: Path) -> None:
    keep = tmp_path / "networks.json"
    first = evaluate(learned, repeats=1, protocol=DD, engine=EXACT, compare=(), keep=keep)
    slower = replace(learned, numbers={name: value / 50 for name, value in learned.numbers.items()})
    assert evaluate(slower, repeats=1, protocol=DD, engine=EXACT, compare=(), keep=keep).score.mean != first.score.mean
    assert evaluate(learned, repeats=1, protocol=DD, engine=EXACT, compare=(), keep=keep).score.mean == first.score.mean


@pytest.mark.parametrize("changes", [{"epochs": 5}, {"augment": True}, {"momentum": 0.9}, {"learning_rate": 0.1}, {"learned_rate": True}])
def test_nothing_but_the_network_can_be_changed(learned: DistilledSet, changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="only the network can be changed"):
        evaluate(learned, repeats=1, protocol=replace(DD, **changes), engine=EXACT, compare=())
    assert list(evaluate_across(learned, ["alexnet"], repeats=1, protocol=DD, engine=EXACT)) == ["alexnet"]


def test_a_set_without_learned_steps_is_told_the_other_protocol(learned: DistilledSet) -> None:
    with pytest.raises(UserError, match="this one has none, as only sets of `dd` do: use 'dc'"):
        evaluate(replace(learned, numbers={}), protocol=DD, engine=EXACT)
    with pytest.raises(UserError, match="equally many images of every class"):
        evaluate(replace(learned, labels=learned.labels.flip(0)), protocol=DD, engine=EXACT)
    with pytest.raises(UserError, match="the protocol must have it"):
        robustness(learned, protocol=DD, engine=EXACT)


@pytest.mark.parametrize(
    "numbers",
    [{"rate.0.0": 0.1}, {"rate.0.0": 0.1, "rate.0.1": -0.1}, {"rate.0.0": 0.1, "rate.0.1": 0.1, "rate.2.0": 0.1, "rate.2.1": 0.1}],
)
def test_steps_that_are_missing_or_not_above_0(numbers: dict[str, float]) -> None:
    with pytest.raises(UserError, match="expected a learned step size above 0 for each of the 2 images"):
        learned_steps(numbers, 2)
    assert learned_steps({"learning_rate": 0.1}, 2) == ()


def test_by_command_and_in_an_experiment(learned: DistilledSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "set"
    learned.save(folder)
    arguments = ["evaluate", str(folder), "--repeats", "2", "--compare", "random", "--protocol", "dd"]
    main(arguments)
    assert "DD protocol" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--epochs", "7"])
    assert "only the network can be changed" in capsys.readouterr().err
    path = tmp_path / "mine.yaml"
    path.write_text("data: digits\nipc: 2\nmethods: dd\niterations: 1\nprotocol: dd\n")
    assert read_experiment(path)[1].protocol == DD
    main(["experiment", str(path), "--dry-run"])
    said = capsys.readouterr()
    assert "mine: 1 of 1 missing cells can be run" in said.out
    assert "measuring 1/1" in said.err


def test_continual_learning_has_no_learned_steps() -> None:
    figure = ContinualExperiment("A title", "digits", (2,), (ContinualRow("dd"),), iterations=1, ipc=1, protocol=DD)
    (cell,) = figure.cells("figure", {"figure": figure})[:1]
    with pytest.raises(UserError, match="which no learned steps fit: use another method than 'dd'"):
        check(cell, load("digits"))
