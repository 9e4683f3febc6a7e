"""Calibration: the cross-entropy of an expert, as in DANCE and TGDD."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from datastill.encoders import Snapshots, TrajectoryNetwork
from datastill.networks import Features
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class Calibration(Term):
    """Cross-entropy of the synthetic images in a network at the end of its training on the real images, L_cal.

    ``sum_c mean_j -log p(c | s_j^c)``

    Args:
        weight: Its factor in the loss.

    Reference:
        Zhang et al.: DANCE, Dual-View Distribution Alignment for Dataset Condensation, IJCAI 2024, arXiv:2406.01063.
    """

    name = "cal"
    summary = "cross-entropy of the synthetic images in an expert, a network trained on the real ones (DANCE, TGDD)"
    reads = ("logits",)
    encoder = "expert"
    brings = TrajectoryNetwork(first=10, snapshots=Snapshots(every=10, early=0))
    source = "none"
    bounded = False

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_cal."""
        images = synthetic.logits.shape[1]
        labels = synthetic.labels.to(synthetic.logits.device).repeat_interleave(images)
        return F.cross_entropy(synthetic.logits.flatten(0, 1), labels, reduction="sum") / images
