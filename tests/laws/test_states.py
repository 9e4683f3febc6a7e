"""No method continues from a state that is not exactly its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from datastill.data import DataSet
from datastill.engine import Engine
from datastill.errors import UserError
from datastill.kinds import Stepper
from datastill.methods import METHODS
from small_methods import quick

OF_ANY_LENGTH = ("matching/history",)
"""What grows during a run, so that a part of it is a state as well."""


def begun(base: str, data: DataSet) -> Stepper:
    stepper = quick(base).open(data, Engine(), 2, 0)
    stepper.step(0)
    return stepper


@pytest.mark.parametrize("base", METHODS)
def test_a_state_with_another_name_shape_type_or_value_is_refused(tiny: DataSet, base: str) -> None:
    stepper = begun(base, tiny)
    state = {name: value.clone() for name, value in stepper.state().items()}
    before = {name: value.clone() for name, value in stepper.state().items()}
    wrong: list[dict[str, Tensor]] = [{}, {**state, "more": torch.zeros(1)}]
    for name, value in state.items():
        rest = {key: each for key, each in state.items() if key != name}
        wrong += [rest, {**rest, f"{name}x": value}, {**rest, name: value.bool()}]
        if value.ndim:
            wrong.append({**rest, name: value[None]})
        if value.ndim and name not in OF_ANY_LENGTH:
            wrong.append({**rest, name: value[:-1]})
        if value.is_floating_point():
            other_type = torch.float32 if value.dtype == torch.float64 else torch.float64
            wrong += [{**rest, name: torch.full_like(value, float("nan"))}, {**rest, name: value.to(other_type)}]
        else:
            wrong.append({**rest, name: value - 10_000})
    for other in wrong:
        with pytest.raises(UserError, match=r"does not fit|numbered from 0000"):
            stepper.restore(other)
    assert all(torch.equal(value, before[name]) for name, value in stepper.state().items()), "a refused state has changed something"
    stepper.restore(state)
