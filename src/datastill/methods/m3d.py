"""M3D: dataset condensation by minimizing maximum mean discrepancy."""

from __future__ import annotations

from dataclasses import replace

from datastill.encoders import FreshNetwork
from datastill.kinds import DistributionMatching
from datastill.methods.dm import PRESETS
from datastill.setting import Setting
from datastill.terms import KernelMatching


def m3d(setting: Setting) -> DistributionMatching:
    """Match all moments of partitioned images' embeddings by Gaussian kernels, in a fresh random network.

    ``L = sum_c MMD^2(f_theta(A(x^c)), f_theta(A(e(s^c))))``, e the expansion of the parts of an image, A the siamese augmentation.

    Args:
        setting: With the preset "fast" rate, real images and averaging are as in `dm`.

    Reference:
        Zhang et al.: M3D, Dataset Condensation by Minimizing Maximum Mean Discrepancy, AAAI 2024, arXiv:2312.15927. Several kernel widths
        and the scale of the loss are ours (see `KernelMatching`), so that DM's learning rate suits it.
    """
    matching = DistributionMatching(
        name="m3d",
        terms=(KernelMatching(),),
        encoders={"matching": FreshNetwork("convnet")},
        learning_rate=1.0,
        momentum=0.5,
        real_batch=256,
        factor=2,
    )
    return replace(matching, **setting.values(PRESETS))
