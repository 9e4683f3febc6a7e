"""FTD: dataset distillation by matching flat training trajectories."""

from __future__ import annotations

from dataclasses import replace

from datastill.kinds import TrajectoryMatching
from datastill.methods.mtt import mtt
from datastill.methods.published import published
from datastill.setting import Setting

SHARPNESS = 0.01
"""The radius of the experts' sharpness-aware training."""
GAPS: dict[str, float] = {"cifar10": 0.3, "cifar100": 0.3, "tinyimagenet": 1.0}
"""The factor of its step across, by data set; elsewhere that of CIFAR-10."""
AVERAGES: dict[int, float] = {1: 0.9999, 10: 0.9995, 50: 0.999}
"""The decay of the images' moving average, by IPC; elsewhere that of the published IPC below."""
STARTS: dict[tuple[str, int], int] = {("cifar100", 10): 40}
"""By data set and IPC: the epoch that starts stay below where it is not that of `mtt`."""

PUBLISHED = published(
    best=True,
    cifar10={1: 46.8, 10: 66.6, 50: 73.8},
    cifar100={1: 25.2, 10: 43.4, 50: 50.7},
    tinyimagenet={1: 10.4, 10: 24.5},
)
"""As for `mtt`, with experts trained by GSAM; from the paper's Table 1."""


def ftd(setting: Setting) -> TrajectoryMatching:
    """Learn images and a learning rate that follow networks trained to be flat, and average the images.

    ``min_{s, r} |w_N - v_{t+M}|^2 / |v_t - v_{t+M}|^2``, as `mtt`, but the experts v take the steps of GSAM, ``v <- v - .01 (g' - a g_x)``,
    g' the gradient at ``v + .01 g / |g|``, g_x the part of the gradient g across g'; the images are a moving average over iterations, and
    their mean as long as there are fewer of these than the decay averages over, 10,000 at IPC 1: published are 5,000, with the moving
    average from the first images on.

    The published code trains a hundred experts with DSA on whitened images; here they are as for `mtt`, and the data set may be whitened.

    Args:
        setting: Looks up steps, epochs, rates and presets as for `mtt`, the factor a by data set and the decay of the average by IPC.

    Reference:
        Du et al.: Minimizing the Accumulated Trajectory Error to Improve Dataset Distillation, CVPR 2023, arXiv:2211.11004, with the values
        reported for its experts and of its published script; Zhuang et al.: Surrogate Gap Minimization Improves Sharpness-Aware Training,
        ICLR 2022, arXiv:2203.08065 (GSAM).
    """
    base = mtt(setting)
    ipc = max(each for each in AVERAGES if each <= max(1, setting.ipc))
    starts = STARTS.get((setting.data, ipc), base.latest_start) if not setting.quick else base.latest_start
    recipe = replace(base.recipe, sharpness=SHARPNESS, gap=GAPS.get(setting.data, GAPS["cifar10"]))
    return replace(base, name="ftd", recipe=recipe, latest_start=starts, averaging=AVERAGES[ipc])
