"""CAFE: condensation by aligning features."""

from __future__ import annotations

from datastill.encoders import GrowingNetwork, PretrainedPool
from datastill.kinds import DistributionMatching
from datastill.setting import Setting
from datastill.terms import Discrimination, LayerMatching


def cafe(setting: Setting) -> DistributionMatching:
    """Match class means at every layer of a network that is trained on the synthetic images, with a discrimination loss.

    ``L = sum_l w_l sum_c |mean_i f_l(x_i^c) - mean_j f_l(s_j^c)|^2 + .01 L_D``, without augmentation, from noise.

    The published learning rate is halved after 1,200, 1,600 and 1,800 networks; as a network stays for ten steps of the pixels at least, it
    is halved after ten times as many steps here.

    Args:
        setting: With the preset "fast" it starts from real images, with a quarter of the real batch, augmentation as in CAFE+DSA (of what
            is matched, and in training the network), averaged pixels, and networks that are trained and judged more briefly.

    Reference:
        Wang et al., CVPR 2022, arXiv:2203.01531; learning rate, factors and thresholds of the published code.
    """
    fast = setting.preset == "fast"
    return DistributionMatching(
        name="cafe",
        terms=(LayerMatching(), Discrimination()),
        encoders={
            "matching": GrowingNetwork("convnet", judged=2, passes=3, query=25, augment=True) if fast else GrowingNetwork("convnet"),
            "pretrained": PretrainedPool("resnet18"),
        },
        learning_rate=0.1,
        momentum=0.5,
        real_batch=64 if fast else 256,
        augment=fast,
        initialisation="real" if fast else "noise",
        halve_at=(12_000, 16_000, 18_000),
        averaging=0.99 if fast else 0.0,
    )
