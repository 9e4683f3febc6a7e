"""Whether real images are classified right by the centres of the synthetic classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def centre_discrimination(
    real: Float[Tensor, "class real feature"], synthetic: Float[Tensor, "class synthetic feature"]
) -> Float[Tensor, ""]:
    """Cross-entropy of real images against the synthetic classes' centres.

    ``-sum_i log softmax_c(<f(x_i), fbar_c>)`` at the class of ``x_i``, with ``fbar_c = mean_j f(s_j^c)``.

    Args:
        real: Embeddings of real images, all classes.
        synthetic: Embeddings of synthetic images, the same classes in the same order.

    Returns:
        A scalar, the sum over real images; small where every real image is most like the centre of its own class.

    Reference:
        Wang et al., CAFE, CVPR 2022, arXiv:2203.01531, the discrimination loss.
    """
    logits = real.flatten(0, 1) @ synthetic.mean(1).mT
    labels = torch.arange(len(real), device=real.device).repeat_interleave(real.shape[1])
    return F.cross_entropy(logits, labels, reduction="sum")
