"""Membership inference: who is a member, what attacks find, from Python and by the command."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import datastill
from datastill.cli import main
from datastill.engine import Engine
from datastill.engine.policy import Policy
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.experiments import EXPERIMENTS, run_experiment
from datastill.experiments.application import SetRow
from datastill.experiments.cell import REAL
from datastill.experiments.privacy.inference import LOSS, RATIO, attacked
from datastill.experiments.privacy.specification import PrivacyExperiment
from datastill.experiments.privacy.worlds import Worlds
from datastill.report import privacy_pages
from datastill.report.results import write

NETWORK = "convnet-32x1-relu-avgpool-nonorm"
TINY = PrivacyExperiment(
    title="Attacks",
    data="digits[0-2]",
    rows=(SetRow(REAL, ipc=0), SetRow("random", iterations=0)),
    iterations=1,
    ipc=1,
    protocol=Protocol(NETWORK, epochs=1),
    policy=Policy("fp32", compile=False),
    pool=24,
    models=8,
)


def test_every_image_is_in_half_of_the_sets() -> None:
    worlds = Worlds(datastill.load("digits"), 200, 0, 8, 0)
    members = torch.stack([worlds.members(model) for model in range(8)])
    assert members.sum(0).tolist() == [4] * len(worlds.positions)
    assert not bool((members[0] & members[1]).any())
    assert not torch.equal(members[0], members[2])
    read = worlds.read(3)
    train = worlds.data.train
    ours = {image.numpy().tobytes() for image in train.gather(worlds.positions[members[3]])}
    assert {image.numpy().tobytes() for image in read.train.images} == ours
    assert len(read.train) == int(members[3].sum())
    assert read.fingerprint != worlds.read(2).fingerprint


def test_an_audit_has_wrong_labels_and_all_others_are_read() -> None:
    worlds = Worlds(datastill.load("digits"), 200, 20, 8, 0)
    right = worlds.data.train.labels[worlds.positions]
    wrong = (worlds.labels != right).nonzero().flatten()
    assert torch.equal(wrong, worlds.attacked)
    assert len(wrong) == 20
    for model in range(2):
        read = worlds.read(model).train
        assert len(read) == len(worlds.positions) - 10
        pairs = {(image.numpy().tobytes(), int(label)) for image, label in zip(read.images, read.labels, strict=True)}
        inside = worlds.attacked[worlds.members(model)]
        for row in inside.tolist():
            image = worlds.data.train.gather(worlds.positions[row : row + 1])[0]
            assert (image.numpy().tobytes(), int(worlds.labels[row])) in pairs


def test_attacks_on_known_scores() -> None:
    members = torch.tensor([[True, True, False, False]] * 2)
    found = attacked(torch.tensor([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 3.0, 2.0]]), members)
    assert found.auc == (1.0, 0.5)
    assert found.true_positives == (1.0, 0.5)
    assert found.curve[-1] == 1.0
    assert attacked(torch.zeros(1, 4), members[:1]).auc == (0.5,)


def test_memorised_wrong_labels_are_found_and_a_kill_loses_one_network(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "method": REAL, "ipc": 0, "pool": 36, "audit": 18, "models": 8, "engine": Engine(),
        "protocol": Protocol("convnet-64x1-relu-avgpool-batchnorm", epochs=15, augment=False, learning_rate=0.05, batch=9),
    }  # fmt: skip
    found = datastill.membership_inference("digits[0-2]", out=tmp_path, **options)
    assert (found.members, found.others, len(found.accuracies)) == (9, 9, 8)
    assert all(sum(found.attacks[name].auc) / 8 > 0.9 for name in (LOSS, RATIO))
    (tmp_path / "set3.answers").unlink()
    (tmp_path / "set4.answers").write_bytes(b"damaged")
    again = datastill.membership_inference("digits[0-2]", out=tmp_path, **options)
    assert again == found
    assert "AUC" in again._repr_html_()


def test_it_is_beside_networks_on_real_images_and_on_a_random_subset(tmp_path: Path) -> None:
    options: dict[str, Any] = {"ipc": 1, "pool": 24, "models": 8, "engine": Engine(), "iterations": 1}
    few = Protocol("convnet-32x1-relu-avgpool-nonorm", epochs=1)
    found = datastill.membership_inference("digits[0-2]", method="dm", protocol=few, out=tmp_path, **options)
    assert list(found.beside) == [REAL, "random"]
    assert (found.images, found.beside[REAL].images, found.beside["random"].images) == (3, 12, 3)
    assert datastill.membership_inference("digits[0-2]", method="dm", protocol=few, out=tmp_path, **options) == found
    alone = datastill.membership_inference("digits[0-2]", method="random", protocol=few, beside="random", **options)
    assert (alone.beside, alone.attacks) == ({}, found.beside["random"].attacks)
    assert all(f">{name}<" in found._repr_html_() for name in ("set", REAL, "random"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": 6}, "`models` must be a whole number of at least 8, got 6"),
        ({"models": 9}, "sets come in pairs.*`models=9`, use an even one"),
        ({"pool": 10**6}, "`pool` must be a whole number from 0 to"),
        ({"pool": 9}, "at least 4 images of every class in the pool, got `pool=9`"),
        ({"audit": 41, "pool": 40}, "`audit` must be a whole number from 0 to 40, got 41"),
        ({"method": "dm", "ipc": 0}, "ipc"),
    ],
)
def test_what_cannot_be_attacked_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        datastill.membership_inference("digits[0-2]", **{"method": "random", "ipc": 1, "models": 8, **change})


@pytest.mark.parametrize(
    ("areas", "told"),
    [
        ((0.9, 0.91, 0.92, 0.93), None),
        ((0.4, 0.6, 0.4, 0.6), "by loss threshold and by likelihood ratio does no better than guessing"),
        ((0.40, 0.41, 0.42, 0.41), "does no better than guessing"),  # below it, also for sure
        ((), "No networks on real images were attacked"),
    ],
)
def test_a_page_says_where_attacks_find_nothing_on_real_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, areas: tuple[float, ...], told: str | None
) -> None:
    monkeypatch.setattr(privacy_pages, "_areas", lambda row, attack: areas or (0.5, 0.6))
    kept = replace(TINY, rows=TINY.rows if areas else TINY.rows[1:])
    run_experiment("attacks", results=tmp_path / "results", runs=tmp_path / "runs", recorded=write, experiments={"attacks": kept})
    page = (tmp_path / "results" / "attacks" / "README.md").read_text()
    assert (told or "\n") in page
    assert ("guessing on networks" in page) is (told is not None and "guessing" in told)


def test_steps_that_were_learned_are_asked_of_no_other_set_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("datastill.experiments.privacy.inference.make")
    options: dict[str, Any] = {"ipc": 1, "models": 8, "pool": 24}
    for given in ({"method": "dm", "protocol": "dd"}, {"method": "dm", "real_protocol": "dd"}, {"method": REAL, "protocol": "dd"}):
        with pytest.raises(UserError, match="the protocol 'dd' takes the training steps that a set was learned with"):
            datastill.membership_inference("digits[0-2]", **{**options, **given})
    with pytest.raises(UserError, match="unknown method 'reall'"):
        datastill.membership_inference("digits[0-2]", **{**options, "method": REAL, "ipc": 0, "beside": "reall"})


def test_the_command_attacks_and_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXPERIMENTS, "attacks", TINY)
    options = ["--results", str(tmp_path / "results"), "--runs", str(tmp_path / "runs")]
    main(["experiment", "attacks", *options])
    folder = tmp_path / "results" / "attacks"
    with (folder / "table.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["set"], line["attack"]) for line in lines] == [(name, attack) for name in (REAL, "random") for attack in (LOSS, RATIO)]
    assert {(line["models"], line["images"]) for line in lines if line["set"] == "random"} == {("8", "3")}
    assert all(0 <= float(line["auc"]) <= 1 for line in lines)
    assert "is less than one: true positives are those with no false one at all" in (folder / "README.md").read_text()
    (tmp_path / "results" / "attacks" / "README.md").unlink()
    main(["experiment", "attacks", *options, "--redraw"])
    assert (folder / "README.md").exists()
    assert (folder / "curve.png").exists()
