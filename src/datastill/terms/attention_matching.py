"""Attention matching: the loss of DataDAM."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from datastill.errors import UserError
from datastill.functional import attention_matching, spatial_attention
from datastill.networks import Features
from datastill.setting import Setting
from datastill.terms.term import Target, Term


@dataclass(frozen=True)
class AttentionMatching(Term):
    """Distance between the class means of spatial attention, summed over all blocks but the last, L_SAM.

    Args:
        weight: Its factor in the loss; 100 in the published code.
        power: The exponent p of the attention; 4 in the paper's table, 1 in the published code.

    Reference:
        Sajedi et al., DataDAM, ICCV 2023, arXiv:2310.00093, Eq. 2; `datastill.functional.attention_matching`.
    """

    name = "am"
    summary = "squared distance between class means of spatial attention at every block but the last (DataDAM)"
    reads = ("blocks",)

    weight: float = 100.0
    power: int = 4

    def __post_init__(self) -> None:
        if self.power < 1:
            raise UserError(f"the power of attention matching must be at least 1, got {self.power}")

    def target(self, real: Features) -> Target:
        """The class means of spatial attention, by the number of the block."""
        return {str(number): spatial_attention(block, power=self.power).mean(1) for number, block in enumerate(real.blocks[:-1])}

    def __call__(self, target: Target, synthetic: Features) -> Tensor:
        """Compute L_SAM."""
        layers = [attention_matching(target[str(number)], block, power=self.power) for number, block in enumerate(synthetic.blocks[:-1])]
        return torch.stack(layers).sum()

    @classmethod
    def suited(cls, setting: Setting) -> AttentionMatching:
        """The paper's exponent, or the published code's with every other preset than "paper"."""
        return cls(power=4 if setting.preset == "paper" else 1)
