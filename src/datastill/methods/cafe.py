"""CAFE: condensation by aligning features."""

from __future__ import annotations

from datastill.encoders import GrowingNetwork, PretrainedPool
from datastill.methods.distribution_matching import DistributionMatching
from datastill.setting import Setting
from datastill.terms import Discrimination, LayerMatching


def cafe(setting: Setting) -> DistributionMatching:
    """Match class means at every layer of a network that is trained on the synthetic images, with a discrimination loss.

    ``L = sum_l w_l sum_c |mean_i f_l(x_i^c) - mean_j f_l(s_j^c)|^2 + .01 L_D``, without augmentation.

    Args:
        setting: With the preset "fast" a quarter of the real images, siamese augmentation as in CAFE+DSA, and averaged pixels.

    Reference:
        Wang et al., CVPR 2022, arXiv:2203.01531; learning rate, factors and thresholds of the published code.
    """
    fast = setting.preset == "fast"
    return DistributionMatching(
        name="cafe",
        terms=(LayerMatching(), Discrimination()),
        encoders={"matching": GrowingNetwork("convnet"), "pretrained": PretrainedPool("resnet18")},
        learning_rate=0.1,
        momentum=0.5,
        real_batch=64 if fast else 256,
        augment=fast,
        halve_at=(1200, 1600, 1800),
        averaging=0.99 if fast else 0.0,
    )
