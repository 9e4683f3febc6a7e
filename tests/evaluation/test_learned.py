"""Soft labels and a learned learning rate in an evaluation: used as they claim and as the protocol says, and recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from datastill import DistilledSet, UserError
from datastill.data import DataSet
from datastill.engine import Engine
from datastill.evaluation import Evaluation, Protocol, Scorer
from datastill.evaluation.evaluate import evaluate, evaluate_across
from datastill.evaluation.ledger import key
from tiny_sets import data_set, distilled_set, soft_set

QUICK = Protocol(epochs=2)
KINDS = ("probabilities", "weights", "logits", "scores")


def quick(content: DistilledSet | Path, data: DataSet, **options: Any) -> Evaluation:
    settings: dict[str, Any] = {"compare": (), "repeats": 1, "protocol": QUICK, "engine": Engine(), **options}
    return evaluate(content, data=data, **settings)


def weights(data: DataSet, content: DistilledSet, protocol: Protocol) -> list[torch.Tensor]:
    scorer = Scorer(data, data.test, protocol, Engine())
    scorer.score(content.images, content.labels, [(0, 0)], label_kind=content.label_kind, learned_rate=content.learning_rate)
    return [weight.detach().clone() for weight in scorer.network.parameters()]


@pytest.mark.parametrize("augment", [False, True])
def test_one_hot_probabilities_train_to_nearly_the_network_of_hard_labels(data: DataSet, augment: bool) -> None:
    hard, protocol = distilled_set(), Protocol(epochs=6, augment=augment)
    soft = replace(hard, labels=F.one_hot(hard.labels, 3).float(), label_kind="probabilities")
    torch.testing.assert_close(weights(data, soft, protocol), weights(data, hard, protocol), rtol=1e-3, atol=1e-5)
    one, other = (quick(content, data, protocol=protocol).score for content in (soft, hard))
    assert one.mean == pytest.approx(other.mean, abs=100 / 45)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_label_is_trained_on_and_recorded(data: DataSet, kind: str) -> None:
    found = quick(soft_set(kind), data, compare=("rendering", "random"))
    assert (found.track, found.label_kind) == ("soft", kind)
    described = found.describe()
    assert (described["labels"], described["label_kind"], described["learning_rate"]) == ("soft", kind, 0.01)
    assert described["protocol"]["learned_rate"] is True
    assert int(found.score.confusion.sum()) == 45
    others = [weights(data, replace(soft_set(), label_kind=other), QUICK) for other in ("probabilities", "logits", "scores")]
    assert not any(torch.allclose(others[one][0], others[other][0], atol=1e-7) for one, other in ((0, 1), (0, 2), (1, 2)))


def test_a_network_learns_from_soft_labels_what_can_be_told_apart() -> None:
    data = data_set((20, 20, 20))
    for split in (data.train, data.validation, data.test):
        split.storage.div_(4, rounding_mode="floor").add_((split.labels * 90)[:, None, None, None].to(torch.uint8))
    rows = torch.arange(0, 60, 4)
    images, labels = data.normalise(data.train.gather(rows)), F.one_hot(data.train.labels[rows], 3).float()
    content = DistilledSet(images, labels, distilled_set().origin, label_kind="scores")
    for kind, values in (("scores", labels), ("probabilities", 0.8 * labels + 0.2 / 3), ("logits", 4 * labels), ("weights", 0.9 * labels)):
        learned = replace(content, labels=values, label_kind=kind)
        protocol = Protocol(epochs=40, augment=False)
        assert evaluate(learned, data=data, compare=(), repeats=1, protocol=protocol, engine=Engine()).score.mean > 90


def test_records_of_hard_labels_say_so(data: DataSet) -> None:
    described = quick(distilled_set(), data).describe()
    assert (described["labels"], described["label_kind"], described["learning_rate"]) == ("hard", "hard", 0.01)


def test_the_random_subset_has_hard_labels_and_the_rate_of_the_protocol(data: DataSet) -> None:
    soft = quick(soft_set(learning_rate=0.1), data, compare=("random",))
    hard = quick(distilled_set(), data, compare=("random",))
    assert soft.comparisons["random"].describe() == hard.comparisons["random"].describe()


def test_the_rendering_is_trained_on_with_the_labels_and_the_rate_of_the_set(data: DataSet) -> None:
    content = soft_set("logits", learning_rate=0.05)
    found = quick(content, data, compare=("rendering",))
    assert found.comparisons["rendering"].describe() == quick(content.rendered(), data).score.describe()


def test_a_learned_rate_is_used_if_the_protocol_says_so(data: DataSet) -> None:
    plain, learned = distilled_set(), replace(distilled_set(), numbers={"learning_rate": 0.05})
    used, left = Protocol(epochs=4), Protocol(epochs=4, learned_rate=False)
    assert all(map(torch.equal, weights(data, learned, used), weights(data, plain, replace(used, learning_rate=0.05))))
    assert all(map(torch.equal, weights(data, learned, left), weights(data, plain, used)))
    assert not torch.equal(weights(data, learned, used)[0], weights(data, learned, left)[0])
    recorded = [quick(learned, data, protocol=protocol) for protocol in (used, left)]
    assert [found.learned_rate for found in recorded] == [0.05, None]
    assert [found.describe()["learning_rate"] for found in recorded] == [0.05, 0.01]
    assert [found.describe()["protocol"]["learned_rate"] for found in recorded] == [True, False]


def test_a_learned_rate_that_none_can_train_with_is_told_at_once(data: DataSet) -> None:
    content = replace(distilled_set(), numbers={"learning_rate": -0.05})
    with pytest.raises(UserError, match=r"learned learning rate, -0\.05; use the protocol's own instead"):
        quick(content, data)
    assert quick(content, data, protocol=replace(QUICK, learned_rate=False)).learned_rate is None


def test_parts_are_trained_on_with_the_soft_label_of_their_image() -> None:
    data, content = data_set(size=(8, 8)), soft_set("weights", factor=2, size=(8, 8))
    found = quick(content, data)
    assert (found.images, found.trained_on) == (6, 24)
    assert found.score.describe() == quick(content.of_parts(), data).score.describe()


def test_each_kind_of_network_gets_the_soft_labels_and_the_rate(data: DataSet) -> None:
    content = soft_set("scores", learning_rate=0.03)
    across = evaluate_across(content, ("vgg11", "convnet"), data=data, repeats=1, protocol=QUICK, engine=Engine())
    assert across["convnet"].describe() == quick(content, data).describe()
    assert {found.label_kind for found in across.values()} == {"scores"}


def test_a_file_of_other_peoples_code_is_evaluated(tmp_path: Path, data: DataSet) -> None:
    content = soft_set("logits", learning_rate=0.05)
    torch.save(content.images, tmp_path / "images_best.pt")
    torch.save(content.labels, tmp_path / "labels_best.pt")
    torch.save(0.05, tmp_path / "lr_best.pt")
    assert quick(tmp_path / "images_best.pt", data).describe() == {**quick(content, data).describe(), "made": {}}  # the file doesn't say


def test_what_labels_are_and_the_rate_are_in_the_name_of_a_figure(data: DataSet) -> None:
    content = soft_set("logits")
    given: dict[str, Any] = {"data": data, "tested": "0", "protocol": QUICK, "engine": Engine()}
    names = [key(content.images, content.labels, (0, 0), label_kind=kind, **given) for kind in ("logits", "scores")]
    names.append(
        key(content.images, content.labels, (0, 0), label_kind="logits", **{**given, "protocol": replace(QUICK, learning_rate=0.02)})
    )
    assert len(set(names)) == 3


def test_a_killed_evaluation_of_another_rate_is_not_gone_on_with(tmp_path: Path, data: DataSet) -> None:
    slow, fast = (replace(distilled_set(), numbers={"learning_rate": rate}) for rate in (1e-6, 0.1))
    first = quick(slow, data, keep=tmp_path / "kept", protocol=Protocol(epochs=8))
    second = quick(fast, data, keep=tmp_path / "kept", protocol=Protocol(epochs=8))
    assert not torch.equal(first.score.confusion, second.score.confusion)
