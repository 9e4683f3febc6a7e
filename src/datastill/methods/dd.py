"""DD: dataset distillation by unrolled training."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import UnrolledTraining
from datastill.methods.published import published
from datastill.setting import Presets, Setting

EPOCH = 44
"""Iterations of a pass over 45,000 images in batches of 1,024."""

PUBLISHED = published(differs="another network", protocol="dd", cifar10={10: 36.8})
"""Of AlexCifarNet after exactly the learned steps, as the IID paper quotes it."""

PRESETS: Presets = {"fast": {"halve_every": 0}}


def dd(setting: Setting) -> UnrolledTraining:
    """Learn images and step sizes so that a random network classifies real images after a few steps on them.

    ``min_{s, r} CE(w_K; t)``, ``w_{k+1} = w_k - r_k grad CE(w_k; s_k)``, w_0 random in every iteration, t 1,024 real images, s_k one image
    of every class, three times over all of them; ``r_k`` a softplus, .02 at first.

    The set has every step size and their mean, which is the learning rate that evaluation under the DC protocol uses. The published
    evaluation takes exactly the learned steps, as ``--protocol dd`` does; its 36.8 for 100 images of CIFAR-10 is of another network,
    AlexCifarNet.

    Args:
        setting: With the preset "fast" the learning rate is not halved every 40 epochs of the data.

    Reference:
        Wang, Zhu, Torralba, Efros: Dataset Distillation, arXiv:1811.10959, algorithm 1, with the published code's numbers.
    """
    training = UnrolledTraining(
        name="dd", epochs=3, learning_rate=0.01, halve_every=40 * EPOCH, start_rate=0.02, target_batch=1024, initialisation="noise"
    )
    return replace(training, **setting.values(PRESETS))
