"""DCC: dataset condensation with contrastive signals."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import GradientMatching
from datastill.methods.dc import loops
from datastill.methods.dsa import dsa
from datastill.methods.published import published
from datastill.setting import Presets, Setting

LOOPS: dict[int, tuple[int, int]] = {1: (10, 5), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
"""By IPC: matches in one network, and passes that it is trained for between them."""

PUBLISHED = published(
    svhn={1: 34.3, 10: 76.2, 50: 83.3},
    cifar10={1: 34.0, 10: 54.4, 50: 64.2},
    cifar100={1: 14.6, 10: 33.5, 50: 39.3},
)
"""With 1,000 networks, so 10,000 iterations at IPC 1 and 10. Quoted from Table 1 of the IID paper."""

PRESETS: Presets = {"fast": {"summed_from": 10}}


def dcc(setting: Setting) -> GradientMatching:
    """Match gradients summed over classes, once each of them has been matched apart for a quarter of the published run.

    ``L_DCC = D(sum_c grad l(A_w(x^c); theta_t), sum_c grad l(A_w(s^c); theta_t))``, with means over classes for the sums, which
    only the epsilon in D tells apart; D and theta_t as in `dc`, the first 250 networks as in `dsa`. What the images of one class do to the
    gradient of the others counts too, so the differences between classes are matched.

    Args:
        setting: Looks up loops and presets as for `dc`. A shorter run needs an earlier ``summed_from``, or it ends before the sum
            begins, and says so; with the preset "fast" it begins after ten networks, which are 100 iterations.

    Reference:
        Lee et al.: Dataset Condensation with Contrastive Signals, ICML 2022, arXiv:2202.02916; loops, warm-up and rates of the published
        code, which sums already after ten matches in each of the first networks.
    """
    matches, epochs = loops(setting, LOOPS)
    published = replace(dsa(setting), name="dcc", summed_from=250, summed_after=10, matches=matches, epochs=epochs)
    return replace(published, **setting.values(PRESETS))
