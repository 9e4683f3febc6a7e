"""DC: dataset condensation with gradient matching."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from datastill.kinds import GradientMatching
from datastill.methods.published import published
from datastill.setting import Presets, Setting

LOOPS: dict[int, tuple[int, int]] = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
"""By IPC: matches in one network, and passes that it is trained for between them."""

PUBLISHED = published(
    differs="without augmentation",
    svhn={1: 31.2, 10: 76.1, 50: 82.3},
    cifar10={1: 28.3, 10: 44.9, 50: 53.9},
    cifar100={1: 12.8, 10: 25.2},
)
"""With 1,000 networks, and so 1,000 iterations at IPC 1 and 10,000 at IPC 10. The paper is from before DSA, so its networks were trained
without augmentation; with it a later comparison has 29.3, 51.0 and 56.8 on CIFAR-10 (Table 7 of the IID paper)."""

PRESETS: Presets = {"fast": {"real_batch": 64, "averaging": 0.99}}


def loops(setting: Setting, published: Mapping[int, tuple[int, int]] = LOOPS) -> tuple[int, int]:
    """The loops of an IPC, as in `LOOPS`; between two of those that are published, those of the lower one.

    Example:
        >>> loops(Setting("cifar10", 10, ipc=10)), loops(Setting("cifar10", 10, ipc=5))
        ((10, 50), (1, 1))
    """
    return published[max(ipc for ipc in published if ipc <= setting.ipc)]


def dc(setting: Setting) -> GradientMatching:
    """Match the gradients of a network that is trained on the synthetic images, class after class, from noise.

    ``L_DC = sum_c D(grad l(x^c; theta_t), grad l(s^c; theta_t))``, D the sum over layers and output rows of one minus the cosine, l the
    mean cross-entropy; theta_0 random, theta_{t+1} trained on S from theta_t.

    Args:
        setting: Looks up the loops by IPC: how many matches a network stays for, and how long it is trained between them. With the preset
            "fast" there is a quarter of the real images, and the pixels are averaged; carried over from `dm`.

    Reference:
        Zhao, Mopuri, Bilen: Dataset Condensation with Gradient Matching, ICLR 2021, arXiv:2006.05929, Eq. 9 and 10; loops and rates of the
        published code.
    """
    matches, epochs = loops(setting)
    matching = GradientMatching(
        name="dc",
        learning_rate=0.1,
        momentum=0.5,
        network_rate=0.01,
        real_batch=256,
        initialisation="noise",
        augment=False,
        matches=matches,
        epochs=epochs,
    )
    return replace(matching, **setting.values(PRESETS))
