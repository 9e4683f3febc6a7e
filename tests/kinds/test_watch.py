from __future__ import annotations

import logging

import pytest
import torch

from datastill.kinds.watch import FAR, Watch, check_moved


def test_a_learned_rate_that_is_held_back_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(steady=False)
    watch.rate(0, 0.01, 0.01, "`rate_rate`")
    assert not caplog.messages
    watch.rate(1, 0.5, 0.02, "`rate_rate`")
    watch.rate(2, 0.5, 0.04, "`rate_rate`")
    assert caplog.messages == ["iteration 2: the learned learning rate would become 0.5 and is held at 0.02: lower `rate_rate`"]


def test_a_loss_that_grows_tenfold_is_told_once_with_the_term_that_grew(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(steady=True)
    with caplog.at_level(logging.WARNING):
        for iteration, pulled in enumerate((1.0, 5.0, 17.0, 31.0, 900.0)):
            watch.loss(iteration, {"mm": 2.0, "cc": pulled})
    assert [record.getMessage() for record in caplog.records] == [
        "iteration 4: the loss has grown from 3 to 33, most of it in the term 'cc' (1 to 31): lower cc.weight or the learning rate"
    ]


def test_losses_that_cannot_be_compared_are_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        watch = Watch(steady=False)
        watch.loss(0, {"mm": 1.0})
        watch.loss(1, {"mm": 100.0})
        watch = Watch(steady=True)
        watch.loss(0, {"mm": 1.0})
        watch.loss(1, {"mm": 1.0, "cc": 100.0})  # an encoder that is read at some iterations only
    assert not caplog.records


def test_an_image_far_from_real_ones_is_told_once_with_the_term_that_pulls(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(steady=False)
    with caplog.at_level(logging.WARNING):
        for iteration in range(4):
            watch.images(iteration, FAR + iteration - 1, {"mm": 1.0, "cc": 3.0})
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert message.startswith("iteration 3: an image's values are 6.0 standard deviations")
    assert message.endswith("the term 'cc' pulls hardest: lower cc.weight or the learning rate")


@pytest.mark.parametrize(
    ("weighted", "said"),
    [
        ({"mm": 12.5, "cm": 6.5e31}, "the term 'cm' is 6.5e+31 and the term 'mm' 12.5, which fp32 loses beside it: lower cm.weight"),
        ({"mm": 12.5, "cm": -6.5e31}, "the term 'cm' is 6.5e+31 and the term 'mm' 12.5, which fp32 loses beside it: lower cm.weight"),
        ({"mm": 12.5, "cm": 6.5e-29}, "the term 'mm' is 12.5 and the term 'cm' 6.5e-29, which fp32 loses beside it: raise cm.weight"),
        ({"mm": 12.5, "cm": 1e-5}, ""),
        ({"mm": 12.5, "cm": 0.0}, ""),
        ({"mm": 1e30}, ""),
        ({}, ""),
    ],
)
def test_terms_that_fp32_cannot_add_are_told_once(weighted: dict[str, float], said: str, caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(steady=False)
    with caplog.at_level(logging.WARNING):
        for iteration in range(3):
            watch.sizes(iteration, weighted)
    told = [record.getMessage() for record in caplog.records]
    assert told == ([f"iteration 1: with their weights {said}, or what else multiplies this term"] if said else [])


def test_a_term_that_vanishes_in_time_is_no_fault_of_its_weight(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(steady=False)
    with caplog.at_level(logging.WARNING):
        watch.sizes(0, {"mm": 1.0, "cm": 1.0})
        watch.sizes(1, {"mm": 1.0, "cm": 1e-12})
        assert not caplog.records
        watch.sizes(2, {"mm": 1.0, "cc": 1e-12})  # one that is read at some iterations only
    assert len(caplog.records) == 1


def test_a_step_that_changes_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    before = {"images": torch.ones(2), "numbers.learning_rate": torch.tensor(0.01)}
    with caplog.at_level(logging.WARNING):
        check_moved(before, {**before, "numbers.learning_rate": torch.tensor(0.02)})
        assert not caplog.records
        check_moved(before, {name: tensor.clone() for name, tensor in before.items()})
    assert [record.getMessage() for record in caplog.records] == [
        "the first iteration has changed nothing, as its step is too small for fp32: raise the learning rate, or the weights of terms"
    ]
