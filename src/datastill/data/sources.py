"""What the images of a data set are called where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sources:
    """The names of the images of a storage.

    Attributes:
        order: The number, in the source, of the image in every row, int64.
        names: What the source calls its images, in its order; empty where it has no names, so that they go by their number.
        part: What the source itself calls this part of it.
    """

    order: Tensor
    names: Sequence[str] = ()
    part: str = ""

    def of(self, rows: Tensor) -> list[str]:
        """The names of some rows.

        Example:
            >>> import torch
            >>> rows, order = torch.tensor([0, 2]), torch.tensor([2, 0, 1])
            >>> Sources(order, ("a.png", "b.png", "c.png")).of(rows), Sources(order, part="train").of(rows)
            (['c.png', 'b.png'], ['train 2', 'train 1'])
        """
        numbers = self.order[rows].tolist()
        return [self.names[number] if self.names else f"{self.part} {number}".strip() for number in numbers]
