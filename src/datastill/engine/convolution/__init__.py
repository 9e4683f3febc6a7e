"""Convolutions in 32 bits on a CPU by Winograd's minimal filtering, which the library's own convolution does not use in training.

A convolution 3x3 then takes a quarter of the multiplications, so that it passes what the processor's peak allows the direct one.
"""

from __future__ import annotations

from datastill.engine.convolution.choosing import (
    CONVOLUTIONS,
    DIRECT,
    WINOGRAD,
    bf16_is_faster,
    bf16_speed_up,
    fastest,
    speed_up,
    use,
    works,
)

__all__ = ["CONVOLUTIONS", "DIRECT", "WINOGRAD", "bf16_is_faster", "bf16_speed_up", "fastest", "speed_up", "use", "works"]
