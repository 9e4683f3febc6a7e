from __future__ import annotations

import pytest
import torch

from datastill.engine import even_micro_batch, pieces


@pytest.mark.parametrize(("count", "limit"), [(1, 64), (64, 64), (65, 64), (100, 64), (2560, 64), (129, 64), (7, 1)])
def test_micro_batches_are_few_and_even(count: int, limit: int) -> None:
    size = even_micro_batch(count, limit)
    parts = [len(part) for part in pieces(torch.ones(count, 2), size)]
    assert set(parts) == {size}
    assert size <= limit
    assert len(parts) == min(number for number in range(1, count + 1) if number * limit >= count)
    assert sum(parts) - count < len(parts)  # not even one image more than needed in each
    padded = torch.cat(pieces(torch.ones(count, 2), size))
    assert padded[:count].eq(1).all()
    assert padded[count:].eq(0).all()
