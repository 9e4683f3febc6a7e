"""DSA: dataset condensation with differentiable siamese augmentation."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import GradientMatching
from datastill.methods.dc import dc
from datastill.methods.published import published
from datastill.setting import Setting

PUBLISHED = published(
    svhn={1: 27.5, 10: 79.2, 50: 84.4},
    cifar10={1: 28.8, 10: 52.1, 50: 60.6},
    cifar100={1: 13.9, 10: 32.3, 50: 42.8},
)
"""With 1,000 networks, as for `dc`."""


def dsa(setting: Setting) -> GradientMatching:
    """Match the gradients of a network that is trained on the synthetic images, real and synthetic ones augmented alike.

    ``L_DSA = sum_c D(grad l(A_w(x^c); theta_t), grad l(A_w(s^c); theta_t))``, as `dc` but with A_w the siamese augmentation, one draw w
    per class and match, from real images.

    Args:
        setting: Looks up loops and presets as for `dc`.

    Reference:
        Zhao, Bilen: Dataset Condensation with Differentiable Siamese Augmentation, ICML 2021, arXiv:2102.08259, Eq. 4; loops and rates of
        the published code.
    """
    return replace(dc(setting), name="dsa", initialisation="real", augment=True)
