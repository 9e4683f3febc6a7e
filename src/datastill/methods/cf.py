"""CF: matching of characteristic functions."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import DistributionMatching
from datastill.methods.dance import experts
from datastill.methods.dm import half_of_ipc
from datastill.methods.published import published
from datastill.setting import Presets, Setting
from datastill.terms import CharacteristicMatching

PUBLISHED = published(differs="AdamW, 2,000 epochs", protocol="", cifar10={10: 65.6, 50: 74.2})
"""Of NCFM without its sampling network, evaluated as NCFM does."""

PRESETS: Presets = {
    "code": {"balance": 0.0},
    "fast": {
        "encoders": lambda setting: {"matching": experts(10, 3)["matching"]},
        "learning_rate": half_of_ipc,
        "real_batch": 64,
        "averaging": 0.99,
    },
}


def cf(setting: Setting) -> DistributionMatching:
    """Match characteristic functions of normalised embeddings between the first and the last weights of an expert.

    ``L = 300 sum_c mean_t sqrt(1/2) |F_r(t) - F_s(t)|`` with `CharacteristicMatching`; this is NCFM without its sampling network, which
    draws the frequencies t, and is not called by its name.

    Args:
        setting: Looks up the learning rate, that of `dance`, as we do not know the published one. With the preset "fast" it is that of
            `dm`, with three experts of 10 epochs instead of twenty of 60; these were not chosen by any measurement.

    Reference:
        Wang et al.: Dataset Distillation with Neural Characteristic Function, CVPR 2025, arXiv:2502.20653.
    """
    matching = DistributionMatching(
        name="cf",
        terms=(CharacteristicMatching(),),
        encoders={"matching": experts(60, 20)["matching"]},
        learning_rate=0.01 * setting.ipc,
        momentum=0.5,
        real_batch=256,
        factor=2,
        pixels="box",
    )
    return replace(matching, **setting.values(PRESETS))
