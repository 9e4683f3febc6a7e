"""What a step is said to cost is what torch counts, for the kinds that go through gradients, training and kernels."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import FlopCounterMode

from datastill.engine import Engine
from datastill.methods import method
from tiny_sets import data_set

ITERATIONS = 3
MOST = {"kip": 1.5}
"""How far above what is counted a declared cost may be, by more than an eighth: a kernel's functions of single values count."""

SHORTER = {"mtt": ("inner=6",), "ftd": ("inner=6",)}
"""Fewer inner steps than usual, all of which cost the same."""


@pytest.mark.parametrize("ipc", [2, 10])
@pytest.mark.parametrize("name", ["dc", "dsa", "dcc", "mtt", "ftd", "dd", "kip", "frepo", "ld", "dsa+cm"])
def test_the_declared_cost_of_a_step_is_what_is_counted(name: str, ipc: int) -> None:
    data = data_set((60, 60, 60), size=(16, 16))
    composed = method(name, data=data, ipc=ipc, preset="fast", settings=SHORTER.get(name, ()))
    stepper = composed.open(data, Engine(), ipc, 0)
    with FlopCounterMode(display=False) as counter:
        for iteration in range(ITERATIONS):
            stepper.step(iteration)
    assert 0.9 < ITERATIONS * composed.cost(data, ipc) / counter.get_total_flops() < MOST.get(name, 1.125)
