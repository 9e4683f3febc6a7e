from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

import processes
from datastill.data import DataSet
from datastill.distilled import DistilledSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.evaluation import Protocol
from datastill.evaluation.evaluate import evaluate
from datastill.evaluation.forecast import forecast_evaluation
from datastill.evaluation.robust import Robustness, robustness
from datastill.functional import augmentation_robustness, label_robustness
from datastill.teachers.recipe import TrainingRecipe
from quick_evaluation import QUICK, quick
from tiny_sets import distilled_set, soft_set

PLAIN = replace(QUICK, augment=False)


def robust(content: DistilledSet, data: DataSet, *, real: float | None = 90.0, keep: Path | None = None) -> Robustness:
    return robustness(content, data=data, repeats=2, protocol=QUICK, engine=Engine(), real=real, keep=keep, recipe=TrainingRecipe(epochs=1))


def test_the_scores_are_those_of_the_evaluations_they_name(data: DataSet) -> None:
    soft = soft_set()
    found = robust(soft, data)
    assert found.evaluation.describe() == quick(soft, data, compare=("random",), repeats=2).describe()
    assert found.hard.describe() == quick(replace(soft, labels=soft.hard_labels, label_kind="hard"), data, repeats=2).score.describe()
    plain = evaluate(soft, data=data, repeats=2, compare=("random",), protocol=PLAIN, engine=Engine())
    assert found.plain.describe() == plain.describe()
    random = found.evaluation.comparisons["random"].mean / 100
    gain = (found.evaluation.score.mean / 100 - random - (0.9 - found.hard.mean / 100)) / 2
    assert found.label_robust == pytest.approx((math.exp(gain) - math.exp(-1)) / (math.e - math.exp(-1)))
    gain = (found.evaluation.score.mean / 100 - random + (plain.score.mean - plain.comparisons["random"].mean) / 100) / 2
    assert found.augmentation_robust == pytest.approx((math.exp(gain) - math.exp(-1)) / (math.e - math.exp(-1)))


def test_without_an_accuracy_on_all_images_a_network_is_trained_and_kept(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASTILL_CACHE", str(tmp_path))
    found = robust(distilled_set(), data, real=None)
    assert len(list(tmp_path.rglob("0.safetensors"))) == 1
    assert found.describe()["real"]["n"] == 1
    assert sum(map(sum, found.describe()["real"]["confusion"])) == len(data.test)
    assert robust(distilled_set(), data, real=None).describe() == found.describe()
    assert robust(distilled_set(), data, real=found.real_accuracy).label_robust == found.label_robust


def test_what_is_kept_is_not_trained_again(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = robust(soft_set(), data, keep=tmp_path / "kept")
    monkeypatch.setattr("datastill.evaluation.scorer.Scorer._train", None)
    assert robust(soft_set(), data, keep=tmp_path / "kept").describe() == once.describe()


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        ({"synthetic": 0.6}, {"synthetic": 0.5}, True),
        ({"hard": 0.6}, {"hard": 0.5}, True),
        ({"random": 0.3}, {"random": 0.2}, False),
        ({"real": 0.9}, {"real": 0.8}, False),
    ],
)
def test_the_label_score_rises_with_what_a_set_gains(one: dict[str, float], other: dict[str, float], better: bool) -> None:
    usual = {"synthetic": 0.5, "hard": 0.5, "random": 0.3, "real": 0.85}
    assert (label_robustness(**usual | one) > label_robustness(**usual | other)) == better


def test_a_set_as_good_as_all_images_and_a_worthless_one_are_the_ends_of_the_scale() -> None:
    least, most = math.exp(-1), math.exp(1)
    best = label_robustness(synthetic=1.0, hard=1.0, random=0.0, real=1.0)
    assert best == pytest.approx((math.exp(0.5) - least) / (most - least))
    assert label_robustness(synthetic=0.0, hard=0.0, random=1.0, real=1.0) == 0
    assert augmentation_robustness(synthetic=1.0, random=0.0, synthetic_plain=1.0, random_plain=0.0) == 1


def test_what_cannot_be_scored_is_refused(data: DataSet) -> None:
    with pytest.raises(UserError, match="from -1 to 1, got 25"):
        augmentation_robustness(synthetic=55.0, random=30.0, synthetic_plain=55.0, random_plain=30.0)
    with pytest.raises(UserError, match="the protocol must have it"):
        robustness(distilled_set(), data=data, protocol=Protocol(augment=False))
    with pytest.raises(UserError, match="a percentage from 0 to 100, got 845"):
        robustness(distilled_set(), data=data, real=845)


def test_the_forecast_counts_the_networks_of_both_ways(data: DataSet) -> None:
    parts = [
        forecast_evaluation(content, repeats=2, data=data, protocol=QUICK, engine=Engine(), robust=True).parts
        for content in (distilled_set(), soft_set())
    ]
    assert [[part.what.split()[0] for part in each] for each in parts] == [["4", "4"], ["6", "4"]]


def test_the_command_prints_and_keeps_both_scores(tmp_path: Path) -> None:
    processes.run("distill", "digits", "--method", "random", "--ipc", "1", "--out", "set", folder=tmp_path)
    words = ("evaluate", "set", "--repeats", "2", "--epochs", "1", "--robust")
    done = processes.run(*words, "--real-accuracy", "97", "--out", "e.json", folder=tmp_path)
    assert done.code == 0
    kept = json.loads((tmp_path / "e.json").read_text())["robust"]
    assert f"label {kept['label_robust']:.3f}, augmentation {kept['augmentation_robust']:.3f}" in done.out
    assert kept["real"] == {"accuracy": 97.0}
    assert "all real images (given)" in done.out
    for more, said in (
        (("--network", "convnet,vgg11"), "--robust is for one network, got --network convnet,vgg11"),
        (("--no-augment",), "the protocol must have it"),
        (("--real-accuracy", "nan"), "a percentage from 0 to 100, got nan"),
    ):
        refused = processes.run(*words, *more, folder=tmp_path)
        assert refused.code == 2
        assert said in refused.err
    refused = processes.run("evaluate", "set", "--real-accuracy", "97", folder=tmp_path)
    assert (refused.code, refused.err.strip()) == (2, "datastill: --real-accuracy is for --robust")
