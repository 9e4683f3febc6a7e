"""M3D: dataset condensation by minimizing maximum mean discrepancy."""

from __future__ import annotations

from datastill.encoders import FreshNetwork, PretrainedPool
from datastill.kinds import DistributionMatching
from datastill.setting import Setting
from datastill.terms import KernelMatching


def m3d(setting: Setting) -> DistributionMatching:
    """Match all moments of partitioned images' embeddings by Gaussian kernels, in a fresh random network.

    ``L = sum_c MMD^2(f_theta(A(x^c)), f_theta(A(e(s^c))))``, e the expansion of the parts of an image, A the siamese augmentation.

    Args:
        setting: With the preset "fast" rate, real images and averaging are as in `dm`.

    Reference:
        Zhang et al., AAAI 2024, arXiv:2312.15927. Several kernel widths and the scale of the loss are ours (see `KernelMatching`), so that
        DM's learning rate suits it.
    """
    fast = setting.preset == "fast"
    return DistributionMatching(
        name="m3d",
        terms=(KernelMatching(),),
        encoders={"matching": FreshNetwork("convnet"), "pretrained": PretrainedPool("resnet18")},
        learning_rate=min(max(1.0, setting.ipc / 2), 10.0) if fast else 1.0,
        momentum=0.5,
        real_batch=64 if fast else 256,
        factor=2,
        averaging=0.99 if fast else 0.0,
    )
