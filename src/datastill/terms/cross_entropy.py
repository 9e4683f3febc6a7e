"""Cross-entropy: the class-aware regularisation of IDM."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms.term import Target, Term

WEIGHTS = {"cifar10": (0.5, 0.5, 0.1), "cifar100": (0.5, 0.1, 0.1), "tinyimagenet": (0.5, 0.5, 0.8)}
"""Weights of the published code at IPC 1, 10 and 50."""


@dataclass(frozen=True)
class CrossEntropy(Term):
    """Cross-entropy of the synthetic images in a network that was trained, by how far it can be trusted, L_CE.

    ``sum_c 100 a mean_j -log p(c | s_j^c)``, a the network's accuracy on its training images: 0 for a network that was never trained.

    Args:
        weight: Its factor in the loss.

    Reference:
        Zhao, Li, Qin, Yu: Improved Distribution Matching, CVPR 2023, arXiv:2307.09742, class-aware regularisation.
    """

    name = "ce"
    summary = "cross-entropy of the synthetic images in a trained network, times its accuracy (IDM)"
    reads = ("logits",)
    source = "none"
    trusts = True

    weight: float = 0.5

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_CE."""
        images = synthetic.logits.shape[1]
        labels = synthetic.labels.to(synthetic.logits.device).repeat_interleave(images)
        return 100 * synthetic.accuracy * F.cross_entropy(synthetic.logits.flatten(0, 1), labels, reduction="sum") / images

    @classmethod
    def suited(cls, setting: Setting) -> CrossEntropy:
        """Weight by data set and IPC as in the published code; of CIFAR-10 elsewhere."""
        small, middle, large = WEIGHTS.get(setting.data, WEIGHTS["cifar10"])
        return cls(weight=small if setting.ipc < 10 else middle if setting.ipc < 50 else large)
