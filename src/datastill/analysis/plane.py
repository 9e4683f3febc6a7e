"""Embeddings in two dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

PERPLEXITY = 30.0


def plane(embeddings: Tensor, seed: int) -> Tensor:
    """Place embeddings in the plane by t-SNE, beginning from their first two principal components.

    Args:
        embeddings: ``image feature``, at least four images.
        seed: Any integer; the same one gives the same coordinates on the same machine.

    Returns:
        ``image 2``, float64.

    Reference:
        van der Maaten, Hinton: Visualizing Data using t-SNE, JMLR 2008, as scikit-learn has it.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(embeddings) - 1) / 3)
    method = TSNE(2, perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed % 2**32)
    return torch.from_numpy(method.fit_transform(embeddings.double().numpy())).double()
