from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from datastill.labels import KINDS, classes_of, loss, problem, track

LOGITS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
SOFT = torch.rand(4, 3, generator=torch.Generator().manual_seed(1))


def test_losses_by_hand() -> None:
    logits = torch.tensor([[math.log(2.0), 0.0]])  # softmax: 2/3, 1/3
    first, second = -math.log(2 / 3), -math.log(1 / 3)
    assert loss(logits, torch.tensor([1]), "hard").tolist() == pytest.approx([second])
    assert loss(logits, torch.tensor([[0.25, 0.75]]), "probabilities").tolist() == pytest.approx([0.25 * first + 0.75 * second])
    assert loss(logits, torch.tensor([[1.0, 0.5]]), "weights").tolist() == pytest.approx([first + 0.5 * second])
    assert loss(logits, torch.tensor([[0.0, math.log(3.0)]]), "logits").tolist() == pytest.approx([0.25 * first + 0.75 * second])
    assert loss(logits, torch.tensor([[0.0, 3.0]]), "scores").tolist() == pytest.approx([(math.log(2) ** 2 + 9) / 2])


def test_hard_labels_have_the_bits_of_plain_cross_entropy() -> None:
    labels = torch.tensor([2, 0, 1, 1])
    assert torch.equal(loss(LOGITS, labels, "hard"), F.cross_entropy(LOGITS, labels, reduction="none"))


def test_one_hot_probabilities_have_the_loss_of_hard_labels() -> None:
    labels = torch.tensor([2, 0, 1, 1])
    torch.testing.assert_close(loss(LOGITS, F.one_hot(labels, 3).float(), "probabilities"), loss(LOGITS, labels, "hard"))


def test_the_class_of_a_soft_label_is_the_largest() -> None:
    assert classes_of(torch.tensor([[0.1, 0.9], [3.0, -1.0]])).tolist() == [1, 0]
    assert classes_of(torch.tensor([1, 0])).tolist() == [1, 0]


def test_only_hard_labels_are_of_the_hard_track() -> None:
    assert {kind: track(kind) for kind in KINDS} == {**dict.fromkeys(KINDS, "soft"), "hard": "hard"}


@pytest.mark.parametrize(
    ("labels", "kind", "said"),
    [
        (torch.tensor([0, 1, 2, 2]), "hard", None),
        (torch.tensor([0, 1, 2, 3]), "hard", "from 0 to 2, got 0 to 3"),
        (SOFT, "hard", "must be int64 (4,), got torch.float32 (4, 3)"),
        (SOFT, "sums", "a known kind (hard, probabilities, weights, logits, scores), got 'sums'"),
        (SOFT, "weights", None),
        (SOFT, "probabilities", "must sum to one in every image"),
        (SOFT / SOFT.sum(1, keepdim=True), "probabilities", None),
        ((SOFT / SOFT.sum(1, keepdim=True)).half().float(), "probabilities", None),
        (torch.tensor([[-0.5, 1.5, 0]] * 4), "probabilities", "must be from 0 to 1, got -0.5 to 1.5"),
        (SOFT + 1, "weights", "must be from 0 to 1"),
        (100 * LOGITS, "logits", None),
        (-100 * LOGITS, "scores", None),
        (SOFT * float("nan"), "scores", "12 values of the labels are NaN or infinite"),
        (SOFT.double(), "scores", "float32 (4, 3), got torch.float64"),
        (SOFT[:, :2], "scores", "float32 (4, 3), got torch.float32 (4, 2)"),
    ],
)
def test_labels_are_what_they_claim(labels: torch.Tensor, kind: str, said: str | None) -> None:
    found = problem(labels, kind, 4, 3)
    assert found is None if said is None else said in str(found)
