"""DANCE: dual-view distribution alignment."""

from __future__ import annotations

from dataclasses import replace

from datastill.encoders import RECIPES, Snapshots, TrajectoryNetwork
from datastill.kinds import DistributionMatching
from datastill.methods.dm import half_of_ipc
from datastill.methods.published import published
from datastill.setting import Presets, Setting
from datastill.terms import Calibration, MeanMatching

PUBLISHED = published(best=True, protocol="idc", cifar10={1: 47.1, 10: 70.8, 50: 76.1})
"""The published code keeps the best of several tests."""


def expert(epochs: int, count: int) -> TrajectoryNetwork:
    """The last networks of some training runs."""
    recipe = replace(RECIPES["trajectory"], epochs=epochs)
    return TrajectoryNetwork(count=count, recipe=recipe, snapshots=Snapshots(every=epochs, early=0), first=epochs)


def experts(epochs: int, count: int) -> dict[str, TrajectoryNetwork]:
    """One of them for the cross-entropy, and what is between it and its first weights for matching."""
    return {"expert": expert(epochs, count), "matching": replace(expert(epochs, count), interpolate=True)}


PRESETS: Presets = {
    "code": {"balance": 0.0, "augmentation": "idc"},
    "fast": {"encoders": lambda setting: experts(10, 3), "learning_rate": half_of_ipc, "real_batch": 64, "averaging": 0.99},
}


def dance(setting: Setting) -> DistributionMatching:
    """Match class means between the first and the last weights of an expert, with the expert's cross-entropy.

    ``L = sum_c |mean_i f_theta(A(x_i^c)) - mean_j f_theta(A(e(s_j^c)))|^2 + L_cal(theta_T)``, theta = l theta_0 + (1 - l) theta_T, l
    uniform, e the expansion of the parts of an image, A the siamese augmentation; pixels stay between black and white.

    The cross-entropy is a part of the same step here; in the published code it takes a step of its own after it.

    Args:
        setting: Looks up the learning rate, .01 IPC. With the preset "code" the augmentation is that of the published code, with all
            others DSA. With the preset "fast" it is that of `dm`, with three experts of 10 epochs instead of
            twenty of 60; these were not chosen by any measurement.

    Reference:
        Zhang et al.: DANCE, Dual-View Distribution Alignment for Dataset Condensation, IJCAI 2024, arXiv:2406.01063.
    """
    matching = DistributionMatching(
        name="dance",
        terms=(MeanMatching(), Calibration()),
        encoders=experts(60, 20),
        learning_rate=0.01 * setting.ipc,
        momentum=0.5,
        real_batch=256,
        factor=2,
        pixels="box",
    )
    return replace(matching, **setting.values(PRESETS))
