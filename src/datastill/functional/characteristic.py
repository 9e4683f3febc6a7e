"""Distances between distributions by their characteristic functions."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SEED = 0


@lru_cache(maxsize=2)
def frequencies(features: int, count: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "feature frequency"]:
    """Normal frequencies, the same ones for the same numbers.

    Args:
        features: Of an embedding.
        count: How many frequencies.
        dtype: Of the result.
        device: Of the result.
    """
    generator = torch.Generator().manual_seed(SEED)
    return torch.randn(features, count, generator=generator).to(device, dtype)


def characteristic_function(
    embedding: Float[Tensor, "class image feature"], frequency: Float[Tensor, "feature frequency"]
) -> Float[Tensor, "class frequency 2"]:
    """The empirical characteristic function of embeddings of length 1, ``F(t) = mean_j exp(i t.f_j / |f_j|)``.

    Args:
        embedding: f, any scale.
        frequency: t.

    Returns:
        Its real and its imaginary part.
    """
    angle = F.normalize(embedding, dim=2) @ frequency
    return torch.stack([angle.cos().mean(1), angle.sin().mean(1)], 2)


def characteristic_matching(real: Float[Tensor, "class frequency 2"], synthetic: Float[Tensor, "class frequency 2"]) -> Float[Tensor, ""]:
    """Sum over classes of the mean distance between characteristic functions, ``sum_c mean_t sqrt(1/2) |F_r(t) - F_s(t)|``.

    It is published as ``sqrt(a (|F_r| - |F_s|)^2 + (1 - a) 2 (|F_r| |F_s| - Re F_r F_s*))``, amplitude and phase, with a = 1/2. As the
    second part is ``(1 - a) (|F_r - F_s|^2 - (|F_r| - |F_s|)^2)``, both together are half of ``|F_r - F_s|^2`` then.

    Args:
        real: Of the real images.
        synthetic: Of the synthetic images, at the same frequencies.

    Returns:
        A scalar in [0, sqrt(2)] for each class, summed.

    Reference:
        Wang et al.: Dataset Distillation with Neural Characteristic Function, CVPR 2025, arXiv:2502.20653.
    """
    distances: Tensor = torch.linalg.vector_norm(real - synthetic, dim=2)
    return math.sqrt(0.5) * distances.mean(1).sum()
