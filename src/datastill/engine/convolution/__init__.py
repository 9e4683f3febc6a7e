"""Layers on a CPU by kernels of our own, in 32 bits and in bf16.

In 32 bits a convolution 3x3 goes by Winograd's minimal filtering, which the library's own does not use in training: it takes a quarter of
the multiplications, and so passes what the processor's peak allows the direct one. In both, instance norm, rectifier and pool are one pass
each way, which does not write the map between them.
"""

from __future__ import annotations

from datastill.engine.convolution.choosing import (
    CONVOLUTIONS,
    DIRECT,
    FUSED,
    WINOGRAD,
    bf16_is_faster,
    bf16_speed_up,
    fastest,
    fused_speed_up,
    speed_up,
    use,
    works,
)

__all__ = [
    "CONVOLUTIONS",
    "DIRECT",
    "FUSED",
    "WINOGRAD",
    "bf16_is_faster",
    "bf16_speed_up",
    "fastest",
    "fused_speed_up",
    "speed_up",
    "use",
    "works",
]
