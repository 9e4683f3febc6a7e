"""KIP: images on which kernel ridge regression predicts real ones, here with the kernel of a fully connected network."""

from __future__ import annotations

from datastill.kinds import ClosedFormRegression
from datastill.methods.published import published
from datastill.setting import Setting

PUBLISHED = published(
    differs="another kernel",
    svhn={1: 62.4, 10: 81.1, 50: 84.3},
    cifar10={1: 29.8, 10: 46.1, 50: 53.2},
    cifar100={1: 12.0, 10: 29.0},
)
"""As the IID paper and other tables since 2022 quote it; see below for what goes by this name."""


def kip(setting: Setting) -> ClosedFormRegression:
    """Learn images so that kernel regression on them predicts real ones; the kernel is that of an infinitely wide network.

    ``L = mean (K_ts (K_ss + r I)^-1 y_s - y_t)^2 / 2``, s the set of n images, t 5,000 real images, y centred one-hot labels,
    ``r = 1e-6 tr(K_ss) / n``; K the neural tangent kernel of a fully connected ReLU network, in float64.

    Three families of results are published under this name: kernels of infinitely wide ConvNets (64.7 on CIFAR-10 at IPC 1), features of
    finite networks of width 1,024 (49.9), and the row of later tables (29.8). This is the first paper's kernel of a fully connected
    network, with one hidden layer (``hidden``) and hard labels; ``labels=scores`` learns them too.

    Args:
        setting: Changes nothing.

    Reference:
        Nguyen, Chen, Lee: Dataset Meta-Learning from Kernel Ridge-Regression, ICLR 2021, arXiv:2011.00050, algorithm 1.
    """
    return ClosedFormRegression(name="kip", learning_rate=0.04, target_batch=5000, ridge=1e-6, hidden=1)
