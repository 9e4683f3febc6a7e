"""FRePo: kernel regression on the features of a pool of networks."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import PoolRegression
from datastill.methods.published import published
from datastill.setting import Presets, Setting

PUBLISHED = published(
    differs="another network",
    protocol="",
    cifar10={1: 46.8, 10: 65.5, 50: 71.7},
    cifar100={1: 28.7, 10: 42.5, 50: 44.3},
    tinyimagenet={1: 15.4, 10: 25.4},
)
"""Of ConvNets with batch norm whose width doubles after every pool, from the paper's Table 1."""

PRESETS: Presets = {"fast": {"learning_rate": 0.01}}


def frepo(setting: Setting) -> PoolRegression:
    """Learn images and labels so that kernel regression on a network's features predicts real images.

    ``L = mean (K_ts (K_ss + r I)^-1 y_s - y_t)^2 / 2`` with ``K = f f^T``, f the embedding in one of a pool of ten networks, t 1,024 real
    images, ``r = 1e-6 tr(K_ss) / n``. A network takes a step on the set after each use, and is drawn again after 100.

    The published code has LAMB where this has Adam, a network with batch norm whose width grows, and a margin of the labels in its loss.

    Args:
        setting: With the preset "fast" the learning rate is .01, for runs of hundreds of steps instead of hundreds of thousands.

    Reference:
        Zhou, Nezhadarya, Ba: Dataset Distillation using Neural Feature Regression, NeurIPS 2022, arXiv:2206.00719, algorithm 1.
    """
    regression = PoolRegression(
        name="frepo",
        learning_rate=3e-4,
        target_batch=1024,
        ridge=1e-6,
        labels="scores",
        pool=10,
        uses=100,
        network_rate=3e-4,
        scored_every=100,
    )
    return replace(regression, **setting.values(PRESETS))
