from __future__ import annotations

import logging

import pytest

from datastill.kinds.watch import FAR, Watch


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
