"""DM: dataset condensation with distribution matching."""

from __future__ import annotations

from dataclasses import replace

from datastill.encoders import FreshNetwork
from datastill.kinds import DistributionMatching
from datastill.setting import Presets, Setting
from datastill.terms import MeanMatching


def half_of_ipc(setting: Setting) -> float:
    """A learning rate of IPC / 2, from 1 to 10: the gradient of an image falls as 1 / IPC."""
    return min(max(1.0, setting.ipc / 2), 10.0)


PRESETS: Presets = {"code": {"balance": 0.0}, "fast": {"learning_rate": half_of_ipc, "real_batch": 64, "averaging": 0.99}}


def dm(setting: Setting) -> DistributionMatching:
    """Match class means in a fresh random network every step.

    ``L_DM = sum_c |mean_i f_theta(A(x_i^c)) - mean_j f_theta(A(s_j^c))|^2``, theta random, A the siamese augmentation.

    Args:
        setting: Looks up the learning rate: 10 for CIFAR-10 at IPC 100 and above, 1 elsewhere. With the preset "fast" it is IPC / 2, from 1
            to 10 (the gradient of an image falls as 1 / IPC), with a quarter of the real images and the pixels averaged; chosen on the
            validation split of CIFAR-10 at IPC 10.

    Reference:
        Zhao, Bilen: Dataset Condensation with Distribution Matching, WACV 2023, arXiv:2110.04181, Eq. 6.
    """
    matching = DistributionMatching(
        name="dm",
        terms=(MeanMatching(),),
        encoders={"matching": FreshNetwork("convnet")},
        learning_rate=10.0 if setting.data == "cifar10" and setting.ipc >= 100 else 1.0,
        momentum=0.5,
        real_batch=256,
        initialisation="real",
        augment=True,
    )
    return replace(matching, **setting.values(PRESETS))
