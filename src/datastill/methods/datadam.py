"""DataDAM: dataset distillation with attention matching."""

from __future__ import annotations

from dataclasses import replace

from datastill.encoders import FreshNetwork
from datastill.kinds import DistributionMatching
from datastill.methods.published import published
from datastill.setting import Presets, Setting
from datastill.terms import AttentionMatching, MeanMatching

PUBLISHED = published(
    differs="with batch norm",
    cifar10={1: 32.0, 10: 54.2, 50: 67.0},
    cifar100={1: 14.5, 10: 34.8, 50: 49.4},
    tinyimagenet={1: 8.3, 10: 18.7, 50: 28.7},
)
"""Of ConvNets with batch norm, as the IID paper quotes it; see `datadam-bn`."""

PRESETS: Presets = {"code": {"real_batch": 64, "balance": 0.0}, "fast": {"real_batch": 64, "averaging": 0.99}}


def datadam(setting: Setting) -> DistributionMatching:
    """Match spatial attention at every block but the last, and embeddings, in a fresh network with instance norm.

    ``L = 100 (L_SAM + .01 L_MMD)`` with `AttentionMatching` and the class means of embeddings.

    Args:
        setting: Looks up the exponent of the attention, 4 with the preset "paper" and 1 with the others, and the real batch, 256 and 64.

    Reference:
        Sajedi et al.: DataDAM, Efficient Dataset Distillation with Attention Matching, ICCV 2023, arXiv:2310.00093, Eq. 4; the
        factor 100 is the published code's.
    """
    matching = DistributionMatching(
        name="datadam",
        terms=(AttentionMatching.suited(setting), MeanMatching(weight=1.0)),
        encoders={"matching": FreshNetwork("convnet")},
        learning_rate=1.0,
        momentum=0.5,
        real_batch=256,
    )
    return replace(matching, **setting.values(PRESETS))


def datadam_bn(setting: Setting) -> DistributionMatching:
    """Match as `datadam` in networks with batch norm, which its published numbers need; evaluate with --network convnet-bn.

    Args:
        setting: As in `datadam`.

    Reference:
        Sajedi et al.: DataDAM, Efficient Dataset Distillation with Attention Matching, ICCV 2023, arXiv:2310.00093; the norm is the
        published code's.
    """
    return replace(datadam(setting), name="datadam-bn", encoders={"matching": FreshNetwork("convnet-bn")})
