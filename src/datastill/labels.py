"""Labels, hard or soft: what each kind of them claims, and what a network trained on them minimises.

| kind | labels | loss of an image with logits z |
|---|---|---|
| hard | its class k | cross-entropy, -log softmax(z)_k |
| probabilities | p >= 0 of every class, summing to one | -sum p log softmax(z) |
| weights | w in [0, 1] of every class, with any sum | -sum w log softmax(z) |
| logits | any numbers y | -sum softmax(y) log softmax(z) |
| scores | any numbers y | sum (z - y)^2 / 2 |

Every kind but `hard` is soft. Results of the two tracks are never compared in one table.

Reference:
    Weights are learned by LD (arXiv:2006.08572), logits by DATM (arXiv:2310.05773), scores by KIP (arXiv:2011.00050) and FRePo
    (arXiv:2206.00719), whose evaluation is where the squared error comes from.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HARD = "hard"
KINDS: dict[str, str] = {
    HARD: "one class for every image",
    "probabilities": "a distribution over the classes",
    "weights": "numbers from 0 to 1, with any sum",
    "logits": "any numbers, whose softmax is a distribution",
    "scores": "any numbers, which the network's outputs are fitted to",
}
"""Every kind of label, and what it is."""
TOLERANCE = 1e-3
"""How far the sum of probabilities may be from one: half precision and 8-bit tables round by that."""


def track(kind: str) -> str:
    """The track of results that a kind of label belongs to: "hard" or "soft"."""
    return HARD if kind == HARD else "soft"


def classes_of(labels: Tensor) -> Tensor:
    """The class that every image is labelled as, int64: of soft labels the one with the largest value."""
    return labels.argmax(1) if labels.ndim == 2 else labels


def loss(logits: Tensor, labels: Tensor, kind: str) -> Tensor:
    """The loss of every image (see the table above).

    Args:
        logits: ``image class``, float32.
        labels: int64 ``image``, or float32 ``image class``.
        kind: One of `KINDS`.

    Returns:
        ``image``.
    """
    if kind == "scores":
        return (logits - labels).square().sum(1) / 2
    return F.cross_entropy(logits, labels.softmax(1) if kind == "logits" else labels, reduction="none")


def mixed(labels: Tensor, others: Tensor, share: float, kind: str, classes: int) -> tuple[Tensor, str]:
    """Labels whose loss has the gradient of ``share * loss(labels) + (1 - share) * loss(others)``, for images made of two.

    Args:
        labels: Of a batch, as in `loss`.
        others: Of the images that were put into these, of the same kind.
        share: Of the former, in [0, 1].
        kind: One of `KINDS`.
        classes: How many classes there are.

    Returns:
        float32 ``image class``, and their kind: probabilities of hard labels and of logits, the same kind of others.

    Example:
        >>> mixed(torch.tensor([0]), torch.tensor([1]), 0.75, HARD, 2)
        (tensor([[0.7500, 0.2500]]), 'probabilities')
    """
    if kind == HARD:
        labels, others, kind = F.one_hot(labels, classes).float(), F.one_hot(others, classes).float(), "probabilities"
    elif kind == "logits":
        labels, others, kind = labels.softmax(1), others.softmax(1), "probabilities"
    return torch.lerp(others, labels, share), kind


def problem(labels: Tensor, kind: str, images: int, classes: int) -> str | None:
    """What is wrong with labels of a kind, or None.

    Args:
        labels: As they were given.
        kind: What they claim to be.
        images: How many there must be.
        classes: How many classes there are.
    """
    if kind not in KINDS:
        return f"labels must be of a known kind ({', '.join(KINDS)}), got '{kind[:60]}'"
    if kind == HARD:
        if labels.shape != (images,) or labels.dtype != torch.int64:
            return f"labels must be int64 ({images},), got {labels.dtype} {tuple(labels.shape)}"
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            return f"labels must be from 0 to {classes - 1}, got {int(labels.min())} to {int(labels.max())}"
        return None
    if labels.shape != (images, classes) or labels.dtype != torch.float32:
        return f"soft labels must be float32 ({images}, {classes}), got {labels.dtype} {tuple(labels.shape)}"
    if not bool(labels.isfinite().all()):
        return f"{int((~labels.isfinite()).sum())} values of the labels are NaN or infinite"
    if kind in ("probabilities", "weights") and not 0 <= float(labels.min()) <= float(labels.max()) <= 1 + TOLERANCE:
        return f"labels that are {kind} must be from 0 to 1, got {float(labels.min()):.4g} to {float(labels.max()):.4g}"
    if kind == "probabilities" and float((labels.sum(1) - 1).abs().max()) > TOLERANCE:
        sums = labels.sum(1)
        return f"labels that are probabilities must sum to one in every image, got {float(sums.min()):.4g} to {float(sums.max()):.4g}"
    return None
