"""Protocols by name: their values, when the rate falls, what cutmix trains on, and that no number is without its protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from datastill import evaluate, labels
from datastill.augment import DSA
from datastill.configuration import describe, restore
from datastill.data import DataSet
from datastill.engine import Engine, Trainer
from datastill.errors import UserError
from datastill.evaluation import PROTOCOLS, Protocol, Scorer
from datastill.evaluation.protocol import idc_epochs
from datastill.experiments.file import read_experiment
from datastill.methods import method
from datastill.report.comparison.reading import read
from datastill.runs.distill import distill

IDC = Protocol.named("idc")


def test_a_name_stands_for_a_protocol_with_the_network_that_is_asked_for() -> None:
    assert Protocol.given(None) == Protocol.given("dc") == Protocol()
    assert Protocol.given("idc", Protocol("alexnet")) == replace(IDC, network="alexnet")
    assert Protocol.given(IDC, Protocol("alexnet")) is IDC
    with pytest.raises(UserError, match=r"unknown protocol 'icd'\. Did you mean 'idc'"):
        Protocol.given("icd")
    with pytest.raises(UserError, match=r"must be a Protocol or the name of one \(dc, idc, dd\), got 3"):
        Protocol.given(3)  # type: ignore[arg-type]


def test_the_values_of_both() -> None:
    dc = Protocol.named("dc")
    assert dc == Protocol()
    assert (dc.learning_rate, dc.momentum, dc.weight_decay, dc.batch) == (0.01, 0.9, 5e-4, 256)
    assert (dc.passes, dc.falls, dc.fall) == (1000, (500,), 10)
    assert (dc.restart, dc.cutmix, dc.title, dc.changes) == (True, 0, "DC protocol", "")
    idc = IDC.resolved(1, 10)
    assert (idc.learning_rate, idc.momentum, idc.weight_decay, idc.batch) == (0.01, 0.9, 5e-4, 64)
    assert (idc.passes, idc.falls, idc.fall) == (3000, (2000, 2500), 5)
    assert (idc.restart, idc.cutmix, idc.title, idc.changes) == (False, 0.5, "IDC protocol", "")
    assert replace(idc, batch=256, cutmix=0.1).changes == "batch 256, cutmix 0.1"


@pytest.mark.parametrize(
    ("ipc", "classes", "epochs"),
    [
        *((1, 10, 3000), (2, 10, 2000), (10, 10, 2000), (11, 10, 1500), (50, 10, 1500), (51, 10, 1000)),
        *((1, 100, 2000), (10, 100, 1300), (50, 100, 1000)),
    ],
)
def test_epochs_by_ipc(ipc: int, classes: int, epochs: int) -> None:
    assert idc_epochs(ipc, classes) == IDC.resolved(ipc, classes).passes == epochs
    assert replace(IDC, epochs=7).resolved(ipc, classes).passes == 7
    assert Protocol().resolved(ipc, classes).passes == 1000


class Steps:
    """Takes the steps of a trainer down: learning rate, whether a momentum was there, labels and their kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rates: list[float] = []
        self.begun: list[bool] = []
        self.labels: list[tuple[Tensor, str]] = []
        step = Trainer.step

        def watched(trainer: Trainer, images: Tensor, of: Tensor, kind: str = labels.HARD) -> tuple[float, int]:
            self.rates.append(trainer.optimizer.param_groups[0]["lr"])
            self.begun.append(bool(trainer.optimizer.state))
            self.labels.append((of, kind))
            return step(trainer, images, of, kind)

        monkeypatch.setattr(Trainer, "step", watched)


def scored(data: DataSet, protocol: Protocol) -> tuple[float, ...]:
    images = data.normalise(data.train.gather(torch.arange(12)))
    return Scorer(data, data.test, protocol, Engine()).score(images, data.train.labels[:12], [(0, 0)]).accuracies


@pytest.mark.parametrize(("name", "falls"), [("dc", {3: 0.001}), ("idc", {4: 0.002, 5: 0.0004})])
def test_when_the_rate_falls_and_whether_the_momentum_goes_on(
    tiny: DataSet, monkeypatch: pytest.MonkeyPatch, name: str, falls: dict[int, float]
) -> None:
    steps = Steps(monkeypatch)
    scored(tiny, replace(Protocol.named(name), epochs=6))
    rate, expected = 0.01, []
    for epoch in range(6):
        rate = falls.get(epoch, rate)
        expected.append(rate)
    assert steps.rates == pytest.approx(expected)
    assert steps.begun == [epoch > 0 and not (name == "dc" and epoch in falls) for epoch in range(6)]


def test_half_of_the_batches_are_mixed_with_the_same_draws_every_time(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    protocol = replace(IDC, epochs=20, batch=6)
    assert scored(tiny, protocol) == scored(tiny, protocol)
    soft = [(of, kind) for of, kind in steps.labels if kind != labels.HARD]
    assert 8 < len(soft) / 2 < 32
    assert all(kind == "probabilities" and torch.allclose(of.sum(1), torch.ones(6)) for of, kind in soft)
    steps.labels.clear()
    scored(tiny, replace(protocol, augment=False))
    assert all(kind == labels.HARD for _, kind in steps.labels)


def test_there_is_no_cutout_where_there_is_cutmix(tiny: DataSet) -> None:
    def augmentation(protocol: Protocol) -> DSA:
        return Scorer(tiny, tiny.test, protocol, Engine()).augmentation

    assert set(augmentation(Protocol()).families) - set(augmentation(Protocol(cutmix=0.5)).families) == {"cutout"}
    assert augmentation(IDC) == DSA(("crop", "scale", "rotate"), ("flip", "colour"))
    assert augmentation(replace(IDC, cutmix=0.0)).after == ("cutout",)
    assert augmentation(replace(IDC, augment=False)) == DSA(())


def test_what_was_measured_before_idc_had_its_own_augmentation_says_so() -> None:
    earlier = {name: value for name, value in describe(IDC).items() if name != "augmentation"}
    assert restore(earlier, Protocol).changes == "augmentation dsa"


@pytest.mark.parametrize("kind", [kind for kind in labels.KINDS if kind != "hard"] + ["hard"])
def test_mixed_labels_have_the_gradient_of_the_two_losses(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    soft = torch.rand(2, 5, 4, generator=generator)
    one, other = (soft / soft.sum(2, keepdim=True)) if kind == "probabilities" else soft
    if kind == labels.HARD:
        one, other = one.argmax(1), other.argmax(1)
    logits = torch.randn(5, 4, generator=generator, requires_grad=True)
    expected = torch.autograd.grad((0.3 * labels.loss(logits, one, kind) + 0.7 * labels.loss(logits, other, kind)).sum(), logits)[0]
    found = torch.autograd.grad(labels.loss(logits, *labels.mixed(one, other, 0.3, kind, 4)).sum(), logits)[0]
    torch.testing.assert_close(found, expected)


def test_no_number_is_without_its_protocol_and_no_table_has_both(tiny: DataSet, tmp_path: Path) -> None:
    chosen = distill(tiny, method=method("random", data=tiny, ipc=2), ipc=2, out=tmp_path / "run")
    distilled = replace(chosen, numbers={"rate.0.0": 0.1, "rate.0.1": 0.1})
    for name in PROTOCOLS:
        epochs = None if name == "dd" else 1  # those of the learned steps
        found = evaluate(distilled, data=tiny, repeats=1, compare=[], protocol=replace(Protocol.named(name), epochs=epochs))
        described = found.describe()
        assert described["protocol"]["called"] == name
        (tmp_path / f"{name}.json").write_text(json.dumps(described))
    titles = {read(tmp_path / f"{name}.json")[0][0].conditions.title for name in PROTOCOLS}
    assert len(titles) == len(PROTOCOLS)
    assert all(any(f"{name.upper()} protocol" in title for title in titles) for name in PROTOCOLS)


def test_the_epochs_of_an_evaluation_go_by_the_stored_images_of_its_set(tiny: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    distilled = distill(tiny, method=method("random", data=tiny, ipc=2), ipc=2)
    asked: list[Protocol] = []
    monkeypatch.setattr(Scorer, "_train", lambda scorer, *_, **__: asked.append(scorer.protocol))
    evaluate(distilled, data=tiny, repeats=1, compare=[], protocol=IDC)
    assert [protocol.passes for protocol in asked] == [2000]


def test_an_experiment_of_ones_own_names_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("data: digits\nmethods: random\nprotocol: idc\n")
    assert read_experiment(file)[1].protocol == IDC
    file.write_text("data: digits\nmethods: random\nprotocol: {called: idc, epochs: 10}\n")
    assert read_experiment(file)[1].protocol == replace(IDC, epochs=10)
    file.write_text("data: digits\nmethods: random\nprotocol: abc\n")
    with pytest.raises(UserError, match="unknown protocol 'abc'"):
        read_experiment(file)


@pytest.mark.parametrize("fields", [{"fall": 0.5}, {"fall_at": (0.0,)}, {"cutmix": 1.5}])
def test_a_protocol_that_cannot_be_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(UserError, match="a fall of the learning rate of at least 1"):
        Protocol(**fields)  # type: ignore[arg-type]  # on purpose
