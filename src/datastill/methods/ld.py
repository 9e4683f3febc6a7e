"""LD: labels of fixed real images."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import PoolRegression
from datastill.methods.published import published
from datastill.setting import Presets, Setting

PUBLISHED = published(differs="another network", cifar10={1: 25.7, 10: 38.3, 50: 42.5}, cifar100={1: 11.5})
"""Of AlexNet, as the IID paper quotes it."""

PRESETS: Presets = {"fast": {"learning_rate": 0.01}}


def ld(setting: Setting) -> PoolRegression:
    """Learn the labels of fixed real images so that ridge regression on a network's features predicts other images.

    ``min_y mean (K_ts (K_ss + I)^-1 y_s - y_t)^2 / 2``, ``K = f f^T + 1``, f the embedding in a network, s up to 50 images of the set, t
    1,024 real ones, rounded up to as many of each class. An image's labels are 1/C for each of C classes at first; they stay from 0 to 1,
    with any sum. The network takes a step on the set after each of 200 uses.

    This is the paper's form by ridge regression; its other form goes through one step of training and costs second derivatives. The
    published code takes the cross-entropy of an average of past solutions with a learned scale, and draws another network when the error
    stops falling.

    Args:
        setting: With the preset "fast" the learning rate is .01, for runs of hundreds of steps; the published ones are 400 epochs.

    Reference:
        Bohdal, Yang, Hospedales: Flexible Dataset Distillation: Learn Labels Instead of Images, arXiv:2006.08572, algorithm 1.
    """
    regression = PoolRegression(
        name="ld",
        learning_rate=1e-3,
        target_batch=1024,
        ridge=1.0,
        relative=False,
        images=False,
        labels="weights",
        inner_batch=50,
        pool=1,
        uses=200,
        network_rate=1e-3,
        intercept=True,
        scored_every=100,
    )
    return replace(regression, **setting.values(PRESETS))
